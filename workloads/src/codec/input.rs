//! A cursor over compressed bytes: whatever is not there any more was cut off.

use super::DecodeError;

/// The bytes that were not read yet.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `bytes` bytes, at most 8, as a little-endian number.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64, DecodeError> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        let taken = self.take(4)?;
        Ok(u32::from_le_bytes(taken.try_into().expect("four bytes were taken")))
    }

    /// Fails with `Corrupt` unless the bytes continue with `magic`, `Truncated` when they end within it.
    pub(super) fn expect(&mut self, magic: &[u8]) -> Result<(), DecodeError> {
        let known = magic.len().min(self.0.len());
        if self.0[..known] != magic[..known] {
            return Err(DecodeError::Corrupt);
        }
        self.take(magic.len()).map(|_| ())
    }

    /// Fails with `Corrupt` when anything is left.
    pub(super) const fn end(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::Corrupt) }
    }
}
