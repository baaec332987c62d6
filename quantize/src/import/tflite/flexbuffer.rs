//! Numbers in a map of FlexBuffers, in which custom operators have their options.
//!
//! The format is Google's; what is read of it is a map of texts to numbers, and nothing in it is followed further.

/// Types of values, as far as they are numbers.
mod kind {
    pub(super) const INT: u8 = 1;
    pub(super) const UINT: u8 = 2;
    pub(super) const FLOAT: u8 = 3;
    pub(super) const INDIRECT_INT: u8 = 6;
    pub(super) const INDIRECT_UINT: u8 = 7;
    pub(super) const INDIRECT_FLOAT: u8 = 8;
    pub(super) const MAP: u8 = 9;
    pub(super) const BOOL: u8 = 26;
}

/// What a value's type says of it.
#[derive(Clone, Copy)]
struct Packed(u8);

impl Packed {
    fn kind(self) -> u8 {
        self.0 >> 2
    }

    /// Bytes of what it refers to.
    fn width(self) -> usize {
        1 << (self.0 & 3)
    }
}

/// Maps with more entries are not read.
const MOST_ENTRIES: usize = 64;

/// The numbers in the map that `bytes` are, by their names; `None` where they are none.
pub(super) fn numbers(bytes: &[u8]) -> Option<Vec<(String, f64)>> {
    let map = Map::new(bytes)?;
    let number = |index: usize| {
        let name = String::from_utf8_lossy(map.key(index)?).into_owned();
        Some((name, map.value(index)?))
    };
    Some((0..map.count).filter_map(number).collect())
}

/// The root of a buffer, which is a map.
struct Map<'b> {
    bytes: &'b [u8],
    /// Where its values stand.
    values: usize,
    /// Bytes of each.
    width: usize,
    count: usize,
    /// Where the offsets of its keys stand.
    keys: usize,
    key_width: usize,
}

impl<'b> Map<'b> {
    fn new(bytes: &'b [u8]) -> Option<Self> {
        let (&root_width, before) = bytes.split_last()?;
        let (&root, before) = before.split_last()?;
        let place = before.len().checked_sub(root_width.into())?;
        let packed = Packed(root);
        if packed.kind() != kind::MAP {
            return None;
        }
        let (values, width) = (back(bytes, place, root_width.into())?, packed.width());
        let stated = |before: usize| values.checked_sub(before * width);
        let count = usize::try_from(unsigned(bytes, stated(1)?, width)?).ok()?;
        let key_width = usize::try_from(unsigned(bytes, stated(2)?, width)?).ok()?;
        let keys = back(bytes, stated(3)?, width)?;
        // Each value has a byte for its type behind all of them.
        let end = count.checked_mul(width + 1)?.checked_add(values)?;
        (end <= bytes.len() && count <= MOST_ENTRIES).then_some(Self {
            bytes,
            values,
            width,
            count,
            keys,
            key_width,
        })
    }

    fn key(&self, index: usize) -> Option<&'b [u8]> {
        let place = self.keys.checked_add(index.checked_mul(self.key_width)?)?;
        let text = self.bytes.get(back(self.bytes, place, self.key_width)?..)?;
        text.split(|&byte| byte == 0).next()
    }

    fn value(&self, index: usize) -> Option<f64> {
        let place = self.values + index * self.width;
        let packed = Packed(*self.bytes.get(self.values + self.count * self.width + index)?);
        let there = || back(self.bytes, place, self.width);
        match packed.kind() {
            kind::INT => signed(self.bytes, place, self.width),
            kind::UINT | kind::BOOL => unsigned(self.bytes, place, self.width).map(|value| value as f64),
            kind::FLOAT => float(self.bytes, place, self.width),
            kind::INDIRECT_INT => signed(self.bytes, there()?, packed.width()),
            kind::INDIRECT_UINT => unsigned(self.bytes, there()?, packed.width()).map(|value| value as f64),
            kind::INDIRECT_FLOAT => float(self.bytes, there()?, packed.width()),
            _ => None,
        }
    }
}

/// Where the offset at `place` points: it counts backward from itself.
fn back(bytes: &[u8], place: usize, width: usize) -> Option<usize> {
    place.checked_sub(usize::try_from(unsigned(bytes, place, width)?).ok()?)
}

fn unsigned(bytes: &[u8], place: usize, width: usize) -> Option<u64> {
    let value = bytes.get(place..place.checked_add(width)?).filter(|value| value.len() <= 8)?;
    let mut word = [0; 8];
    word[..width].copy_from_slice(value);
    Some(u64::from_le_bytes(word))
}

fn signed(bytes: &[u8], place: usize, width: usize) -> Option<f64> {
    let above = 64 - 8 * width as u32;
    Some(((unsigned(bytes, place, width)? as i64) << above >> above) as f64)
}

fn float(bytes: &[u8], place: usize, width: usize) -> Option<f64> {
    let bits = unsigned(bytes, place, width)?;
    match width {
        4 => Some(f32::from_bits(bits as u32).into()),
        8 => Some(f64::from_bits(bits)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    /// What Google's writer makes of `{"cycles_max": 1}`.
    const CYCLES: [u8; 21] = *b"cycles_max\0\x01\x0c\x01\x01\x01\x01\x04\x02\x24\x01";

    #[test]
    fn numbers_stand_at_their_keys() {
        assert_eq!(numbers(&CYCLES), Some(vec![("cycles_max".to_owned(), 1.0)]));
        assert_eq!(numbers(b""), None);
    }

    #[test]
    fn no_byte_beyond_the_buffer_is_read() {
        for length in 0..CYCLES.len() {
            for byte in 0..=255 {
                let mut changed = CYCLES;
                changed[length] = byte;
                for bytes in [&changed[..], &CYCLES[..length]] {
                    if let Some(numbers) = numbers(bytes) {
                        assert!(numbers.len() <= CYCLES.len());
                    }
                }
            }
        }
    }
}
