//! The time that generated records say it is.
//!
//! It never looks at a clock: it starts where it is told and moves on by the same step with every record, so
//! the same seed gives the same bytes.

use super::text::Line;

const SECOND: u64 = 1_000_000;
const DAY_SECONDS: u64 = 24 * 60 * 60;
/// `YYYY-MM-DDTHH:MM:SS.`
const WHOLE: usize = 20;

/// The clock of one generator.
#[derive(Clone, Debug)]
pub(super) struct VirtualClock {
    /// Microseconds since 1970.
    now: u64,
    step: u64,
    /// The second that `text` holds, counted from 1970; writing a date anew for each record would be slow.
    second: u64,
    text: [u8; WHOLE],
}

impl VirtualClock {
    /// A clock that starts at a time and moves by a step for each record, both in microseconds.
    pub(super) fn new(start: u64, step: u64) -> Self {
        let second = start / SECOND;
        Self { now: start, step, second, text: date_and_time(second) }
    }

    /// Moves on to the next record.
    pub(super) fn tick(&mut self) {
        self.now += self.step;
        let second = self.now / SECOND;
        if second != self.second {
            self.second = second;
            self.text = date_and_time(second);
        }
    }

    /// Milliseconds since 1970.
    pub(super) const fn milliseconds(&self) -> u64 {
        self.now / 1000
    }

    /// Writes the time as RFC 3339 says, with milliseconds: `2026-01-02T03:04:05.678Z`.
    pub(super) fn write_milliseconds(&self, line: &mut Line) {
        line.add(&self.text);
        line.padded::<3>(self.now % SECOND / 1000);
        line.byte(b'Z');
    }

    /// The same with microseconds.
    pub(super) fn write_microseconds(&self, line: &mut Line) {
        line.add(&self.text);
        line.padded::<6>(self.now % SECOND);
        line.byte(b'Z');
    }
}

/// Date and time of a second since 1970, as `YYYY-MM-DDTHH:MM:SS.`.
fn date_and_time(second: u64) -> [u8; WHOLE] {
    let (year, month, day) = date(second / DAY_SECONDS);
    let mut line = Line::new();
    line.padded::<4>(year);
    for (before, part) in [
        (b'-', month),
        (b'-', day),
        (b'T', second / 3600 % 24),
        (b':', second / 60 % 60),
        (b':', second % 60),
    ] {
        line.byte(before);
        line.padded::<2>(part);
    }
    line.byte(b'.');
    let text = line.written().try_into();
    text.expect("four digits, five parts of three bytes and the point are 20 bytes")
}

/// Year, month and day of a day since 1970 in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    const fn is_leap(year: u64) -> bool {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    }
    let (mut year, mut left) = (1970, days);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(clock: &VirtualClock) -> String {
        let mut line = Line::new();
        clock.write_milliseconds(&mut line);
        String::from_utf8(line.written().to_vec()).unwrap()
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_704_067_199, "2023-12-31T23:59:59.000Z"),
            (1_767_225_600, "2026-01-01T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(written(&VirtualClock::new(seconds * SECOND, 1)), expected);
        }
    }

    #[test]
    fn the_clock_moves_by_its_step_over_the_border_of_a_second() {
        let mut clock = VirtualClock::new(999_500, 1_000);
        clock.tick();
        assert_eq!(written(&clock), "1970-01-01T00:00:01.000Z");
        assert_eq!(clock.milliseconds(), 1000);
    }
}
