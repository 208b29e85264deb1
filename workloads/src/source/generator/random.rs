//! Pseudo-random numbers: quick, and the same everywhere for the same seed.

/// A stream of numbers (the `SplitMix64` sequence).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub(super) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must fit 32 bits.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        // The high half of a product needs no division; its bias is far below what any reader could see.
        ((self.bits() >> 32) * bound) >> 32
    }

    /// A number from 0 to `most`.
    fn up_to(&mut self, most: i32) -> i32 {
        let number = self.below(u64::from(most.unsigned_abs()) + 1);
        i32::try_from(number).expect("a number is not above its bound")
    }

    /// One of several things.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// An index into something of that length.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index is not above a length")
    }
}

/// How a measured value drifts: slowly, and between two bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drift {
    pub(super) low: i32,
    pub(super) high: i32,
    /// The largest change from one record to the next.
    pub(super) step: i32,
}

impl Drift {
    /// A value to start with: anywhere between the bounds.
    pub(super) fn start(self, random: &mut Random) -> i32 {
        self.low + random.up_to(self.high - self.low)
    }

    /// Moves a value on and tells it.
    pub(super) fn next(self, value: &mut i32, random: &mut Random) -> i64 {
        let change = random.up_to(2 * self.step) - self.step;
        *value = (*value + change).clamp(self.low, self.high);
        i64::from(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::new(1);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[usize::try_from(random.below(10)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 10]);
    }

    #[test]
    fn a_drift_moves_in_small_steps_between_its_bounds() {
        let mut random = Random::new(2);
        let drift = Drift { low: -50, high: 50, step: 7 };
        let mut value = drift.start(&mut random);
        for _ in 0..10_000 {
            let before = i64::from(value);
            let after = drift.next(&mut value, &mut random);
            assert!((after - before).abs() <= 7);
            assert!((-50..=50).contains(&after));
        }
    }
}
