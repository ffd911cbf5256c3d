//! Sorting by one piece of code for all types.
//!
//! Each use of `slice::sort_by_key` compiles a sort of its own, of some 4 kB. A hundred of them were a tenth of the
//! program file. The functions here sort the indices of items, and then move the items. Where a sort takes most of the
//! time, that of the standard library is better.

use std::cmp::Ordering;

use ttmem_segment::order::arrange;

/// Sorts items as `slice::sort_by` does: equal ones keep their order.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let order = sorted(items.len(), &|one, other| compare(&items[one], &items[other]));
    arrange(items, order);
}

/// Sorts items as `slice::sort_by_key` does: equal ones keep their order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Sorts items as `slice::sort` does.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Collects into maps and sets without a sort.
pub trait Gather: Iterator + Sized {
    /// Inserts one item after the other, as `collect` does, which sorts the items of a map or set first.
    fn gather<C: Default + Extend<Self::Item>>(self) -> C {
        let mut collection = C::default();
        collection.extend(self);
        collection
    }
}

impl<I: Iterator> Gather for I {}

/// Returns the indices of items in the order of the items.
fn sorted(items: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items).collect();
    order.sort_by(|one, other| compare(*one, *other));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_are_sorted_as_by_the_standard_library(numbers: Vec<u8>) {
            let mut items: Vec<(u8, usize)> = numbers.into_iter().zip(0..).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|(number, _)| number % 16);
            super::sort_by_key(&mut items, |(number, _)| number % 16);
            prop_assert_eq!(&items, &expected);

            expected.sort_by(|one, other| other.cmp(one));
            super::sort_by(&mut items, |one, other| other.cmp(one));
            prop_assert_eq!(&items, &expected);

            expected.sort();
            super::sort(&mut items);
            prop_assert_eq!(&items, &expected);
        }
    }
}
