//! Model files made wrong on purpose, the same ones on every machine.

mod protobuf;

/// Marsaglia's xorshift.
pub struct Random(u64);

impl Random {
    /// The sequence that `seed`, which is not 0, begins.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `end - 1`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// How a file is made wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Single bytes.
    Bytes,
    /// It ends early.
    Cut,
    /// Numbers, names, and what holds what, in a file whose lengths and offsets still agree.
    Structure,
}

impl Damage {
    /// All of them.
    pub const ALL: [Self; 3] = [Damage::Bytes, Damage::Cut, Damage::Structure];

    /// An ONNX file made wrong.
    pub fn of_onnx(self, model: &[u8], random: &mut Random) -> Vec<u8> {
        match self {
            Damage::Structure => protobuf::damage(model, random),
            _ => self.of_bytes(model, random),
        }
    }

    /// A TensorFlow Lite file made wrong.
    pub fn of_tflite(self, model: &[u8], random: &mut Random) -> Vec<u8> {
        match self {
            Damage::Structure => damage_words(model, random),
            _ => self.of_bytes(model, random),
        }
    }

    fn of_bytes(self, model: &[u8], random: &mut Random) -> Vec<u8> {
        let mut bytes = model.to_vec();
        if self == Damage::Cut {
            bytes.truncate(random.below(model.len()));
            return bytes;
        }
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = match random.below(4) {
                0 => 0,
                1 => 0xff,
                2 => bytes[at].wrapping_add(1),
                _ => random.below(256) as u8,
            };
        }
        bytes
    }
}

/// A flatbuffer consists of aligned words: offsets, lengths, extents, and table layouts of half words. One to
/// three of those that are not 0 become another.
fn damage_words(model: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = model.to_vec();
    for _ in 0..1 + random.below(3) {
        let width = random.pick(&[2, 4, 4]);
        let words = bytes.len() / width;
        let at = (0..64)
            .map(|_| random.below(words) * width)
            .find(|&at| bytes[at..at + width].iter().any(|&byte| byte != 0));
        let Some(at) = at else { continue };
        let mut word = [0; 4];
        word[..width].copy_from_slice(&bytes[at..at + width]);
        let word = u32::from_le_bytes(word);
        let other = random.below(words) * width;
        let value = match random.below(5) {
            0 => random.pick(&[0, 1, 2, 3, 4, 7, 8, 40_000, 1 << 28, 1 << 31, u32::MAX, u32::MAX - 98]),
            1 => word.wrapping_add(width as u32),
            2 => word.wrapping_sub(width as u32),
            3 => word.wrapping_mul(2),
            _ => {
                bytes.copy_within(other..other + width, at);
                continue;
            }
        };
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
    bytes
}
