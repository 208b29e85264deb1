//! The text of one record while it is being written: what a generator spends most of its time on.
//!
//! A line has a fixed place of its own, so writing a part of it is a few moves of known size; appending each
//! part to the block directly took twice the time.
#![expect(
    clippy::cast_possible_truncation,
    reason = "only digits and widths are cast, and a checked cast of each digit would cost as much as making it"
)]

/// Room that any record of any profile fits in, with its line end, in bytes.
pub(super) const MAX_RECORD_BYTES: usize = 1024;

/// All numbers below 100 as two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// A line that is being written.
#[derive(Debug)]
pub(super) struct Line {
    bytes: [u8; MAX_RECORD_BYTES],
    length: usize,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; MAX_RECORD_BYTES], length: 0 }
    }

    /// What was written since the line was new or cleared.
    pub(super) fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) const fn clear(&mut self) {
        self.length = 0;
    }

    /// Adds a part as it is.
    #[inline]
    pub(super) fn add(&mut self, part: &[u8]) {
        self.next(part.len()).copy_from_slice(part);
    }

    /// Adds one byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.next(1)[0] = byte;
    }

    /// Adds a number.
    #[inline]
    pub(super) fn number(&mut self, value: u64) {
        let width = value.checked_ilog10().unwrap_or(0) as usize + 1;
        if width > 4 {
            return write_digits(self.next(width), value);
        }
        // Most numbers are short and of changing width: moving their digits to the front needs no branch that
        // a processor could guess wrong.
        let mut digits = [0; 4];
        write_digits(&mut digits, value);
        let moved = u32::from_be_bytes(digits) << (8 * (4 - width));
        self.add(&moved.to_be_bytes());
        self.length -= 4 - width;
    }

    /// Adds a number with zeros before it, `N` digits in all; digits that are too many are left out.
    #[inline]
    pub(super) fn padded<const N: usize>(&mut self, value: u64) {
        let mut digits = [0; N];
        write_digits(&mut digits, value);
        self.add(&digits);
    }

    /// Adds `value` divided by 10 to the power `N`, with `N` digits after the point.
    #[inline]
    pub(super) fn decimal<const N: usize>(&mut self, value: i64) {
        let unit = const { 10_u64.pow(N as u32) };
        self.byte(b'-');
        self.length -= usize::from(value >= 0);
        let value = value.unsigned_abs();
        self.number(value / unit);
        self.byte(b'.');
        self.padded::<N>(value % unit);
    }

    /// Adds the low `N` hexadecimal digits of a number.
    #[inline]
    pub(super) fn hexadecimal<const N: usize>(&mut self, value: u64) {
        let mut digits = [0; N];
        for (at, digit) in digits.iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[(value >> (4 * at)) as usize & 15];
        }
        self.add(&digits);
    }

    #[inline]
    fn next(&mut self, bytes: usize) -> &mut [u8] {
        let start = self.length;
        self.length += bytes;
        &mut self.bytes[start..self.length]
    }
}

/// Fills `digits` with the low digits of a number.
#[inline]
fn write_digits(digits: &mut [u8], mut value: u64) {
    let mut pairs = digits.rchunks_exact_mut(2);
    for pair in &mut pairs {
        pair.copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if let [first] = pairs.into_remainder() {
        *first = b'0' + (value % 10) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::new();
        write(&mut line);
        String::from_utf8(line.written().to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        let borders = (0..20).flat_map(|power| {
            let border = 10_u64.pow(power);
            [border - 1, border, border + 1]
        });
        for value in borders.chain([u64::MAX]) {
            assert_eq!(written(|line| line.number(value)), value.to_string());
        }
    }

    #[test]
    fn padded_numbers_have_all_their_digits() {
        assert_eq!(written(|line| line.padded::<5>(42)), "00042");
        assert_eq!(written(|line| line.padded::<2>(7)), "07");
        assert_eq!(written(|line| line.padded::<3>(1999)), "999");
    }

    #[test]
    fn decimals_keep_sign_and_zeros() {
        assert_eq!(written(|line| line.decimal::<2>(-5)), "-0.05");
        assert_eq!(written(|line| line.decimal::<2>(2150)), "21.50");
        assert_eq!(written(|line| line.decimal::<6>(13_404_954)), "13.404954");
    }

    #[test]
    fn hexadecimal_digits_are_the_low_ones() {
        assert_eq!(written(|line| line.hexadecimal::<4>(0xf_00ba)), "00ba");
        assert_eq!(written(|line| line.hexadecimal::<16>(u64::MAX)), "f".repeat(16));
    }

    #[test]
    fn a_cleared_line_starts_anew() {
        let mut line = Line::new();
        line.add(b"{\"old\"");
        line.clear();
        line.byte(b'1');
        assert_eq!(line.written(), b"1");
    }
}
