//! Random numbers that are the same at every run, and the number of rounds of a campaign.

/// Returns the number in the environment variable `variable`, or `otherwise` if it is not set.
#[must_use]
pub fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// A linear congruential generator: the multiplier and the increment are Knuth's (MMIX).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins with a number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Begins with the number in the environment variable `SEED`, or with 7.
    #[must_use]
    pub fn from_environment() -> Self {
        Self(number("SEED", 7))
    }

    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Returns a number below `limit`, or 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// Returns an index into a list of `length` entries, or 0 if it is empty.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.next()).expect("31 bits") % length.max(1)
    }

    /// Returns a byte.
    pub fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Sets up to `most` bytes, each somewhere, to anything.
    pub fn damage(&mut self, bytes: &mut [u8], most: u64) {
        for _ in 0..self.below(most + 1) {
            let offset = self.index(bytes.len());
            let byte = self.byte();
            bytes.get_mut(offset).into_iter().for_each(|old| *old = byte);
        }
    }
}
