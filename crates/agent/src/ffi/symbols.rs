//! Addresses of TT-Metal's functions: those that the agent calls, and the definition behind each hook.
//!
//! A process may have several copies of TT-Metal: one that every library shares, one inside a plugin. One copy is
//! recorded: that of the first call which starts the agent. Objects of another copy are never passed to its functions.
//! Calls of other copies go to their own definition, unrecorded.

use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use libc::{RTLD_DEFAULT, RTLD_LAZY, RTLD_NEXT, RTLD_NOLOAD, c_void};

use super::objects;

/// Name of TT-Metal's library in the wheels.
pub(super) const LIBRARY: &CStr = c"libtt_metal.so";

/// The most definitions that a hook remembers. Later callers are looked up at every call.
const DEFINITIONS: usize = 64;

/// A handle of the recorded copy of TT-Metal; null before the agent starts. It stays open, so that the library stays
/// loaded and addresses of its functions stay valid.
static COPY: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// A function that the agent calls, looked up on first use.
#[derive(Debug)]
pub(super) struct Symbol {
    name: &'static CStr,
    /// Null before the first lookup, [`Symbol::MISSING`] after one that found nothing.
    function: AtomicPtr<c_void>,
    scope: Scope,
}

/// Scope in which a symbol is looked up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The recorded copy of TT-Metal and its dependencies.
    Copy,
    /// All libraries, in the order in which the dynamic linker binds calls.
    Global,
}

impl Symbol {
    const MISSING: *mut c_void = std::ptr::without_provenance_mut(1);

    /// A function of TT-Metal.
    pub(super) const fn new(name: &'static CStr) -> Self {
        Self { name, function: AtomicPtr::new(null_mut()), scope: Scope::Copy }
    }

    /// A function that the program may replace, such as `operator delete`.
    pub(super) const fn global(name: &'static CStr) -> Self {
        Self { name, function: AtomicPtr::new(null_mut()), scope: Scope::Global }
    }

    /// Returns the address of the function, if it is defined.
    #[inline]
    pub(super) fn get(&self) -> Option<*mut c_void> {
        let function = self.function.load(Ordering::Acquire);
        if function.addr() > Self::MISSING.addr() { Some(function) } else { self.look() }
    }

    #[cold]
    fn look(&self) -> Option<*mut c_void> {
        if self.function.load(Ordering::Acquire) == Self::MISSING {
            return None;
        }
        let global =
            || if self.scope == Scope::Global { look_in(RTLD_DEFAULT, self.name) } else { None };
        let copy = COPY.load(Ordering::Acquire);
        let found = global().or_else(|| match copy.is_null() {
            false => look_in(copy, self.name),
            // Nothing is recorded yet.
            true => look_in(library(), self.name).or_else(|| look_in(RTLD_NEXT, self.name)),
        });
        if found.is_some() || !copy.is_null() {
            self.function.store(found.unwrap_or(Self::MISSING), Ordering::Release);
        }
        found
    }
}

/// A function that the agent interposes.
#[derive(Debug)]
pub(super) struct HookedSymbol {
    /// The definition in the recorded copy.
    symbol: Symbol,
    /// The definition in the recorded copy, for the first library that called it.
    usual: Usual,
    /// The target for each calling library: a list that only grows.
    definitions: AtomicPtr<Definition>,
}

/// The target of a hook's calls from one library, in the recorded copy: nearly all calls. Set once.
#[derive(Debug)]
struct Usual {
    /// First address of the calling library's code.
    first: AtomicUsize,
    /// Bytes of it; set last. 0 before.
    bytes: AtomicUsize,
    function: AtomicPtr<c_void>,
}

/// The target of a hook's call from one library. Never changed and never freed.
#[derive(Debug)]
pub(super) struct Definition {
    /// The real function; null if none exists.
    pub(super) function: *mut c_void,
    /// Code of the calling library: first address and bytes.
    caller: (usize, usize),
    next: *const Self,
}

impl HookedSymbol {
    pub(super) const fn new(name: &'static CStr) -> Self {
        Self {
            symbol: Symbol::new(name),
            usual: Usual {
                first: AtomicUsize::new(0),
                bytes: AtomicUsize::new(0),
                function: AtomicPtr::new(null_mut()),
            },
            definitions: AtomicPtr::new(null_mut()),
        }
    }

    /// True if the recorded copy of TT-Metal defines the symbol.
    pub(super) fn is_resolved(&self) -> bool {
        self.symbol.get().is_some()
    }

    /// The real function for a call that returns to `return_address`, if it is the usual one: that of the recorded copy, for the
    /// library that calls it.
    #[inline(always)]
    pub(super) fn usual(&self, return_address: usize) -> Option<*mut c_void> {
        let bytes = self.usual.bytes.load(Ordering::Acquire);
        let offset = return_address.wrapping_sub(self.usual.first.load(Ordering::Relaxed));
        (offset < bytes).then(|| self.usual.function.load(Ordering::Relaxed))
    }

    /// The real function for a call that returns to `return_address`; null if there is no definition.
    pub(super) fn real(&self, return_address: usize) -> *mut c_void {
        let newest = self.definitions.load(Ordering::Acquire);
        let mut count = 0;
        let mut next = newest.cast_const();
        // SAFETY: null or a definition, which is never freed.
        while let Some(definition) = unsafe { next.as_ref() } {
            if definition.is_for(return_address) {
                self.note_usual(definition);
                return definition.function;
            }
            (next, count) = (definition.next, count + 1);
        }
        self.new_real(newest, count, return_address)
    }

    /// Makes a definition the usual one, if there is none yet and it is that of the recorded copy.
    fn note_usual(&self, definition: &Definition) {
        let Definition { function, caller: (first, bytes), .. } = *definition;
        let usual = &self.usual;
        let is_usual = has_copy() && !function.is_null() && self.symbol.get() == Some(function);
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        if is_usual
            && usual.function.compare_exchange(null_mut(), function, success, failure).is_ok()
        {
            usual.first.store(first, Ordering::Relaxed);
            usual.bytes.store(bytes, Ordering::Release);
        }
    }

    /// True if a call of `real` is one of the recorded copy. Any is, as long as nothing is recorded.
    pub(super) fn is_recorded(&self, real: *mut c_void) -> bool {
        self.symbol.function.load(Ordering::Relaxed) == real || self.is_first(real)
    }

    #[cold]
    fn is_first(&self, real: *mut c_void) -> bool {
        COPY.load(Ordering::Acquire).is_null() || self.symbol.get() == Some(real)
    }

    #[cold]
    fn new_real(
        &self,
        newest: *mut Definition,
        count: usize,
        return_address: usize,
    ) -> *mut c_void {
        let caller = objects::containing(return_address);
        let function = definition(self.symbol.name, return_address).unwrap_or(null_mut());
        if let Some(name) = objects::name(function.addr()) {
            // Its library stays loaded: the handle is never closed.
            open(&name);
        }
        if let (Some(caller), 0..DEFINITIONS) = (caller, count) {
            let new = Definition { function, caller, next: newest };
            let new = Box::into_raw(Box::new(new));
            let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
            if self.definitions.compare_exchange(newest, new, success, failure).is_err() {
                // Another thread was first; the next call looks again.
                // SAFETY: it came from a box and was not shared.
                drop(unsafe { Box::from_raw(new) });
            }
        }
        function
    }
}

impl Definition {
    fn is_for(&self, return_address: usize) -> bool {
        return_address.wrapping_sub(self.caller.0) < self.caller.1
    }
}

/// Makes the copy of TT-Metal that `real` belongs to the recorded one, unless there is one already.
#[cold]
pub(super) fn record_copy_of(real: *mut c_void) {
    if !COPY.load(Ordering::Acquire).is_null() {
        return;
    }
    let Some(name) = objects::name(real.addr()) else { return };
    let handle = open(&name);
    // The first one decides. A second handle of the same library only counts it once more.
    COPY.compare_exchange(null_mut(), handle, Ordering::AcqRel, Ordering::Acquire).ok();
}

/// True if a copy of TT-Metal is recorded.
pub(super) fn has_copy() -> bool {
    !COPY.load(Ordering::Relaxed).is_null()
}

/// The definition that a call from `return_address` would reach without the agent: the global scope first, as for every
/// call that is bound at run time; then the calling library and what it depends on; then the library with TT-Metal's
/// name; then any that is loaded.
fn definition(name: &CStr, return_address: usize) -> Option<*mut c_void> {
    look_in(RTLD_NEXT, name)
        .or_else(|| look_in_object(&objects::name(return_address)?, name))
        .or_else(|| look_in(library(), name))
        .or_else(|| objects::names().iter().find_map(|object| look_in_object(object, name)))
}

/// A handle of TT-Metal's library under its usual name; null as long as it is not loaded.
fn library() -> *mut c_void {
    static HANDLE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
    let held = HANDLE.load(Ordering::Acquire);
    if !held.is_null() {
        return held;
    }
    let handle = open(LIBRARY);
    HANDLE.store(handle, Ordering::Release);
    handle
}

/// A handle of a library that is loaded already; null if it is not.
fn open(name: &CStr) -> *mut c_void {
    // SAFETY: the name ends in a zero; nothing is loaded that is not there already.
    unsafe { libc::dlopen(name.as_ptr(), RTLD_NOLOAD | RTLD_LAZY) }
}

/// Looks a function up in a loaded library and what that depends on.
fn look_in_object(object: &CStr, name: &CStr) -> Option<*mut c_void> {
    if object.is_empty() {
        // The program itself: in the global scope.
        return None;
    }
    let handle = open(object);
    let found = look_in(handle, name);
    if !handle.is_null() {
        // SAFETY: the handle was opened above.
        unsafe { libc::dlclose(handle) };
    }
    found
}

/// Looks a function up by a handle or a pseudo handle. The agent's own hooks are none.
fn look_in(handle: *mut c_void, name: &CStr) -> Option<*mut c_void> {
    if handle.is_null() && handle != RTLD_DEFAULT {
        return None;
    }
    // SAFETY: the handle is open or one of the linker's pseudo handles; the name ends in a zero.
    let function = unsafe { libc::dlsym(handle, name.as_ptr()) };
    (!function.is_null() && !objects::is_agent(function.addr())).then_some(function)
}
