//! Address ranges and sets of them.

/// A half-open range of addresses, in bytes from the start of a core's L1. It never ends before it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

impl ByteRange {
    /// The range from `start` to `end`; empty at `start` if it would end before it starts.
    #[must_use]
    pub fn new(start: u64, end: u64) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The range of `bytes` bytes from `start`, or `None` if its end is no address.
    #[must_use]
    pub fn from_start_and_bytes(start: u64, bytes: u64) -> Option<Self> {
        Some(Self { start, end: start.checked_add(bytes)? })
    }

    /// Returns the length in bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.end - self.start
    }

    /// True if it holds no byte.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// True if all of `other` is inside it. An empty range is inside if its start is.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Returns the intersection; empty if they share nothing.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A set of bytes: ranges in ascending order that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    ranges: Vec<ByteRange>,
}

impl RangeSet {
    /// Returns the ranges in ascending order.
    #[must_use]
    pub fn ranges(&self) -> &[ByteRange] {
        &self.ranges
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|range| range.bytes()).sum()
    }

    /// True if every byte of `range` is in it.
    #[must_use]
    pub fn contains(&self, range: ByteRange) -> bool {
        range.is_empty() || self.ranges.iter().any(|own| own.contains(range))
    }

    /// The bytes in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.ranges.iter().chain(&other.ranges).copied().collect()
    }

    /// The bytes in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.ranges.iter(), other.ranges.iter());
        let (mut one, mut two) = (left.next(), right.next());
        let mut ranges = Vec::new();
        while let (Some(a), Some(b)) = (one, two) {
            let both = a.intersection(*b);
            if !both.is_empty() {
                ranges.push(both);
            }
            if a.end <= b.end {
                one = left.next();
            } else {
                two = right.next();
            }
        }
        Self { ranges }
    }
}

impl FromIterator<ByteRange> for RangeSet {
    fn from_iter<T: IntoIterator<Item = ByteRange>>(ranges: T) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        sorted.sort_unstable();
        let mut merged: Vec<ByteRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self { ranges: merged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Large enough for every way two short ranges can be to each other.
    const BYTES: u64 = 64;

    fn ranges() -> impl Strategy<Value = Vec<ByteRange>> {
        let range = (0..BYTES, 0..BYTES).prop_map(|(start, end)| ByteRange::new(start, end));
        proptest::collection::vec(range, 0..8)
    }

    fn bits(ranges: &[ByteRange]) -> Vec<bool> {
        (0..BYTES)
            .map(|byte| ranges.iter().any(|range| (range.start..range.end).contains(&byte)))
            .collect()
    }

    fn assert_is(set: &RangeSet, expected: &[bool]) {
        assert_eq!(bits(set.ranges()), expected);
        assert_eq!(set.bytes(), expected.iter().map(|bit| u64::from(*bit)).sum::<u64>());
        for pair in set.ranges().windows(2) {
            assert!(pair[0].end < pair[1].start, "{set:?}");
        }
    }

    proptest! {
        #[test]
        fn sets_agree_with_a_byte_map(one in ranges(), two in ranges()) {
            let (left, right) = (bits(&one), bits(&two));
            let zip = |rule: fn(bool, bool) -> bool| -> Vec<bool> {
                left.iter().zip(&right).map(|(a, b)| rule(*a, *b)).collect()
            };
            let one: RangeSet = one.into_iter().collect();
            let two: RangeSet = two.into_iter().collect();
            assert_is(&one, &left);
            assert_is(&one.union(&two), &zip(|a, b| a || b));
            assert_is(&one.intersection(&two), &zip(|a, b| a && b));
        }
    }

    #[test]
    fn a_range_whose_end_is_no_address_is_none() {
        assert_eq!(ByteRange::from_start_and_bytes(u64::MAX, 2), None);
        assert_eq!(ByteRange::new(9, 3), ByteRange { start: 9, end: 9 });
    }
}
