//! What becomes of a request: drawn at random, the same in every run for the same requests in the same order.

/// Numbers that look random; xorshift64*.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// What a receiver does with a request that it could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Takes it.
    Take,
    /// Takes some of a bulk's records, and the others not now.
    Half,
    /// Takes it, and goes before it has answered.
    Lose,
    /// Answers with this status.
    Fail(u16),
    /// Asks to be left alone for this long, in the header's own words.
    Limit(&'static str),
    /// Goes in the middle of the request.
    Reset,
    /// Says nothing.
    Silence,
}

/// A date that has passed: no wait.
const PAST: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// One request in so many has the next of these: chance alone would leave one out once in many runs.
const EVERY: usize = 16;
const IN_TURN: [Fate; 5] = [Fate::Lose, Fate::Fail(500), Fate::Limit("0"), Fate::Half, Fate::Reset];

impl Fate {
    /// `before`: how many were drawn before.
    pub(super) fn draw(random: &mut Random, before: usize, is_bulk: bool) -> Self {
        let drawn = Self::draw_at_random(random, is_bulk);
        if !before.is_multiple_of(EVERY) {
            return drawn;
        }
        match IN_TURN[before / EVERY % IN_TURN.len()] {
            Self::Half if !is_bulk => drawn,
            turn => turn,
        }
    }

    fn draw_at_random(random: &mut Random, is_bulk: bool) -> Self {
        match random.below(1000) {
            0..20 => Self::Fail(500),
            20..30 => Self::Fail(503),
            30..35 => Self::Fail(408),
            35..40 => Self::Fail(404),
            40..60 => Self::Limit("0"),
            60..70 => Self::Limit(PAST),
            70..72 => Self::Limit("1"),
            72..90 => Self::Reset,
            90..100 => Self::Lose,
            100..104 => Self::Silence,
            104..250 if is_bulk => Self::Half,
            _ => Self::Take,
        }
    }
}
