//! The memory a session computes in.

use core::ops::{Deref, DerefMut};

/// `BYTES` of activations, aligned as artifacts assume. The bytes a model needs stand in its info and
/// in the module generated for it.
///
/// Models that run one after the other share one arena, of the greatest of their sizes:
///
/// ```
/// use edgepkg_runtime::{Arena, embed_model};
///
/// embed_model!(Words = "../tests/data/kws.epa");
/// embed_model!(MoreWords = "../tests/data/kws.epa");
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let mut arena = Arena::<{ edgepkg_runtime::greatest([Words::ARENA_BYTES, MoreWords::ARENA_BYTES]) }>::new();
/// let mut answers = [0; 2];
/// {
///     let mut session = Words::MODEL.session(&mut arena)?;
///     session.input(0)?.copy_from_i8(&[0; 490])?;
///     session.run()?;
///     answers[0] = session.output(0)?.argmax();
/// }
/// let mut session = MoreWords::MODEL.session(&mut arena)?;
/// session.input(0)?.copy_from_i8(&[0; 490])?;
/// session.run()?;
/// answers[1] = session.output(0)?.argmax();
/// assert_eq!(answers[0], answers[1]);
/// # Ok(())
/// # }
/// ```
///
/// A model that keeps state between runs needs an arena of its own for as long as that is to be kept.
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct Arena<const BYTES: usize>([i8; BYTES]);

impl<const BYTES: usize> Arena<BYTES> {
    /// An arena of zeros; in a `static` it takes no flash.
    pub const fn new() -> Self {
        Self([0; BYTES])
    }
}

impl<const BYTES: usize> Default for Arena<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> Deref for Arena<BYTES> {
    type Target = [i8];

    fn deref(&self) -> &[i8] {
        &self.0
    }
}

impl<const BYTES: usize> DerefMut for Arena<BYTES> {
    fn deref_mut(&mut self) -> &mut [i8] {
        &mut self.0
    }
}

/// The greatest of some numbers of bytes, for an arena that several models share. 0 of none.
pub const fn greatest<const COUNT: usize>(bytes: [usize; COUNT]) -> usize {
    let (mut greatest, mut index) = (0, 0);
    while index < COUNT {
        if bytes[index] > greatest {
            greatest = bytes[index];
        }
        index += 1;
    }
    greatest
}
