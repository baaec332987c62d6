//! The info section: what a model is called and what goes in and comes out. Postcard.

mod decode;

use core::fmt;

use serde::{Deserialize, Serialize};

use self::decode::Fields;
use crate::plan::OperatorKind;
use crate::tensor::{Shape, TensorRef};

/// A set of operator kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OperatorSet(u64);

impl OperatorSet {
    /// The set without a member.
    pub const EMPTY: Self = Self(0);

    /// The set of these kinds.
    pub const fn of(kinds: &[OperatorKind]) -> Self {
        let mut set = Self::EMPTY;
        let mut rest = kinds;
        while let [kind, tail @ ..] = rest {
            set = set.with(*kind);
            rest = tail;
        }
        set
    }

    /// The set with these [`bits`](Self::bits).
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// One bit a member: that of its code's number.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set with `kind` added.
    #[must_use]
    pub const fn with(self, kind: OperatorKind) -> Self {
        Self(self.0 | Self::bit(kind))
    }

    /// Whether `kind` is in it.
    #[inline(always)]
    pub const fn contains(self, kind: OperatorKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    /// In halves: a shift by a number of bits that is not known takes several times as long in 64 bits.
    #[inline(always)]
    const fn bit(kind: OperatorKind) -> u64 {
        let code = kind as u32;
        let (bit, is_high) = (1u32 << (code & 31), code >> 5 & 1);
        let (low, high) = (bit & is_high.wrapping_sub(1), bit & is_high.wrapping_neg());
        low as u64 | (high as u64) << 32
    }

    /// The members of `self` that `other` lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The members that both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it has no member.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, by their codes.
    pub fn iter(self) -> impl Iterator<Item = OperatorKind> {
        OperatorKind::ALL.iter().copied().filter(move |&kind| self.contains(kind))
    }
}

/// Labels of an output's classes, in order, held as text with a line break after each but the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Labels<'a>(&'a str);

impl<'a> Labels<'a> {
    /// Labels from text in which line breaks stand between them; empty text is no labels.
    pub fn from_lines(lines: &'a str) -> Self {
        Self(lines)
    }

    /// Whether none of them is empty.
    pub(crate) fn have_text(self) -> bool {
        let mut before = b'\n';
        for &byte in self.0.as_bytes() {
            if byte == b'\n' && before == b'\n' {
                return false;
            }
            before = byte;
        }
        self.0.is_empty() || before != b'\n'
    }

    /// The labels in order.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let lines = self.0;
        lines.split('\n').filter(move |_| !lines.is_empty())
    }
}

/// An input or output of the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Port<'a> {
    /// Its name in the model file.
    pub name: &'a str,
    /// Where it lies: in the arena.
    pub tensor: TensorRef,
    /// Its shape.
    pub shape: Shape,
    /// Real value of one step: `real = scale * (q - zero_point)`.
    pub scale: f32,
    /// The value that stands for 0.
    pub zero_point: i32,
    /// Names of the classes, where it has any.
    pub labels: Labels<'a>,
}

impl Port<'_> {
    /// Bytes it takes; `None` past 32 bits.
    pub fn bytes(&self) -> Option<u32> {
        let elements = self.shape.iter().try_fold(1u32, |product, &extent| product.checked_mul(extent))?;
        self.tensor.dtype.bytes(elements)
    }
}

/// Any number of ports, each decoded when it is asked for, so that none takes RAM.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ports<'a> {
    count: u32,
    encoded: &'a [u8],
}

impl<'a> Ports<'a> {
    /// Inputs and outputs of an info section that can be decoded; its texts are not looked at.
    pub(crate) fn of_info(section: &'a [u8]) -> [Self; 2] {
        Fields::new(section).ports_of_info().unwrap_or([Self { count: 0, encoded: &[] }; 2])
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The port at `index`; `None` past the last one or where the bytes are not a port.
    pub fn get(self, index: usize) -> Option<Port<'a>> {
        let mut fields = Fields::new(self.encoded);
        for _ in 0..index {
            fields.port()?;
        }
        if index < self.len() { fields.port() } else { None }
    }

    /// Where the port at `index` lies, and how many bytes it takes. Its texts are not looked at, which is a fraction of the code.
    pub fn region(self, index: usize) -> Option<(TensorRef, u32)> {
        let mut fields = Fields::new(self.encoded);
        for _ in 0..index {
            fields.region()?;
        }
        if index < self.len() { fields.region() } else { None }
    }

    /// The ports in order. A last `None` says that an encoding is not a port's, or that bytes follow
    /// the last one.
    pub fn iter(self) -> impl Iterator<Item = Option<Port<'a>>> {
        let mut left = self.count;
        let mut rest = self.encoded;
        core::iter::from_fn(move || {
            if left == 0 && rest.is_empty() {
                return None;
            }
            let mut fields = Fields::new(rest);
            let port = if left > 0 { fields.port() } else { None };
            (left, rest) = if port.is_some() { (left - 1, fields.rest()) } else { (0, &[][..]) };
            Some(port)
        })
    }

    /// The ports whose encodings stand one after the other in `encoded`.
    #[cfg(feature = "alloc")]
    pub(crate) fn from_encoded(count: usize, encoded: &'a [u8]) -> Self {
        Self { count: count as u32, encoded }
    }
}

impl fmt::Debug for Ports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What the info section holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Info<'a> {
    /// The package's name.
    pub name: &'a str,
    /// Its semantic version.
    pub version: &'a str,
    /// Bytes of arena a session needs, all scratch included; at its end what is kept between runs.
    pub arena_bytes: u32,
    /// The operators the plan uses.
    pub operators: OperatorSet,
    /// What goes in.
    pub inputs: Ports<'a>,
    /// What comes out.
    pub outputs: Ports<'a>,
}

impl<'a> Info<'a> {
    /// What `section` holds; `None` where it is not an info section, or more.
    #[inline(never)]
    pub const fn decode(section: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(section);
        match fields.info() {
            Some(info) if fields.rest().is_empty() => Some(info),
            _ => None,
        }
    }
}
