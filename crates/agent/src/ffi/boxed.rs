//! A place for something on the heap, empty when zero.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Holds something on the heap or nothing. Zero is nothing: a forked child, which finds it cleared, leaves its copy of
/// what the parent had where it is.
#[derive(Debug)]
pub(crate) struct Boxed<T>(AtomicPtr<T>);

impl<T> Default for Boxed<T> {
    fn default() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }
}

impl<T> Boxed<T> {
    /// Takes out what it holds.
    pub(crate) fn take(&self) -> Option<Box<T>> {
        let held = self.0.swap(null_mut(), Ordering::AcqRel);
        // SAFETY: what is not null came from `Box::into_raw` in `put`, and the taker leaves null.
        (!held.is_null()).then(|| unsafe { Box::from_raw(held) })
    }

    /// Puts something in, and drops what it held.
    pub(crate) fn put(&self, new: Box<T>) {
        drop(self.take());
        self.0.store(Box::into_raw(new), Ordering::Release);
    }
}
