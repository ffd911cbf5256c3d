//! Sorting by one piece of code for all types: each use of the standard library's compiles a sort of its own.

/// Sorts items by a number; equal ones keep their order.
pub(crate) fn sort_by_number<T>(items: &mut [T], number: impl Fn(&T) -> u64) {
    let order = items.iter().map(number).zip(0..).collect();
    arrange(items, sorted(order));
}

fn sorted(mut order: Vec<(u64, usize)>) -> Vec<usize> {
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

/// Moves the item at `order[index]` to `index`, for each index.
pub fn arrange<T>(items: &mut [T], mut order: Vec<usize>) {
    for start in 0..order.len() {
        let mut index = start;
        // Items that take each other's place form a ring.
        while order[index] != start {
            let from = order[index];
            items.swap(index, from);
            order[index] = index;
            index = from;
        }
        order[index] = index;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn items_are_sorted_by_their_number_and_keep_their_order() {
        let mut items: Vec<(u64, usize)> = [5, 1, 5, 0, 9, 1, 5].into_iter().zip(0..).collect();
        let mut expected = items.clone();
        expected.sort_by_key(|(number, _)| *number);
        super::sort_by_number(&mut items, |(number, _)| *number);
        assert_eq!(items, expected);
    }
}
