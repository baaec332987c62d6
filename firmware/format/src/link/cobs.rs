//! Consistent overhead byte stuffing: frames without a zero in them, so that a zero ends one.
//!
//! Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking, 1999.

/// The longest run of bytes that one code byte stands before.
const LONGEST_RUN: usize = 254;

/// Hands the encoding of `bytes` to `sink`, piece by piece, with the zero that ends it.
pub fn encode(bytes: &[u8], mut sink: impl FnMut(&[u8])) {
    let mut rest = bytes;
    loop {
        let window = &rest[..rest.len().min(LONGEST_RUN)];
        let run = window.iter().position(|&byte| byte == 0).unwrap_or(window.len());
        sink(&[run as u8 + 1]);
        sink(&rest[..run]);
        if run == rest.len() {
            break;
        }
        // A full run is followed by the next one; a shorter one stands for the zero after it.
        rest = &rest[run + usize::from(run < LONGEST_RUN)..];
    }
    sink(&[0]);
}

/// What a byte of an encoding gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Nothing yet.
    Nothing,
    /// A byte.
    Byte(u8),
    /// The end, of a whole encoding.
    End,
    /// The end, in the middle of an encoding.
    Cut,
}

/// Decodes byte by byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder {
    /// Bytes that follow before the next code byte.
    run: u8,
    /// Whether a zero stands where that code byte is.
    zero_follows: bool,
}

impl Decoder {
    /// A decoder that waits for an encoding's first byte.
    pub const fn new() -> Self {
        Self { run: 0, zero_follows: false }
    }

    /// Takes the next byte of the encoding.
    pub fn push(&mut self, byte: u8) -> Decoded {
        if byte == 0 {
            let whole = self.run == 0;
            *self = Self::default();
            return if whole { Decoded::End } else { Decoded::Cut };
        }
        if self.run > 0 {
            self.run -= 1;
            return Decoded::Byte(byte);
        }
        let zero = self.zero_follows;
        self.run = byte - 1;
        self.zero_follows = usize::from(byte) <= LONGEST_RUN;
        if zero { Decoded::Byte(0) } else { Decoded::Nothing }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::{Decoded, Decoder, encode};

    fn encoded(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(bytes, |piece| out.extend_from_slice(piece));
        out
    }

    #[test]
    fn encodes_the_papers_examples() {
        let check = |bytes: &[u8], expect: &[u8]| assert_eq!(encoded(bytes), expect);
        check(&[], &[1, 0]);
        check(&[0], &[1, 1, 0]);
        check(&[0, 0], &[1, 1, 1, 0]);
        check(&[0x11, 0x22, 0, 0x33], &[3, 0x11, 0x22, 2, 0x33, 0]);
        check(&[0x11, 0, 0, 0], &[2, 0x11, 1, 1, 1, 0]);
    }

    #[test]
    fn decodes_what_it_encodes() {
        for length in [0, 1, 2, 253, 254, 255, 256, 507, 508, 509, 1024] {
            for zero_every in [1, 2, 3, 254, 255, 256, 10_000] {
                let bytes: Vec<u8> = (0..length)
                    .map(|i| if i % zero_every == zero_every - 1 { 0 } else { i as u8 | 1 })
                    .collect();
                let mut decoder = Decoder::default();
                let mut decoded = vec![];
                let encoding = encoded(&bytes);
                let (end, body) = encoding.split_last().expect("an encoding ends with a zero");
                assert!(!body.contains(&0));
                for &byte in body {
                    if let Decoded::Byte(byte) = decoder.push(byte) {
                        decoded.push(byte);
                    }
                }
                assert_eq!(decoder.push(*end), Decoded::End);
                assert_eq!(decoded, bytes, "{length} bytes, a zero every {zero_every}");
            }
        }
    }

    #[test]
    fn names_a_cut_encoding() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(3), Decoded::Nothing);
        assert_eq!(decoder.push(7), Decoded::Byte(7));
        assert_eq!(decoder.push(0), Decoded::Cut);
        assert_eq!(decoder.push(1), Decoded::Nothing);
        assert_eq!(decoder.push(0), Decoded::End);
    }
}
