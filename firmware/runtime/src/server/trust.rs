//! Whose models a device runs.

use edgepkg_format::Artifact;
use edgepkg_format::link::ModelFault;
use edgepkg_format::trailer::{SIGNATURE_BYTES, Statement, Trailer};

/// Decides of each model that the slot holds, when the device starts and after one was written, whether it runs.
pub trait Trust {
    /// Looks at a sound artifact and the bytes that follow it.
    ///
    /// # Errors
    ///
    /// Why it is not to run.
    fn admit(&mut self, artifact: &Artifact<'_>, trailer: &[u8]) -> Result<(), ModelFault>;
}

/// Every model runs.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

impl Trust for Anyone {
    #[inline(always)]
    fn admit(&mut self, _: &Artifact<'_>, _: &[u8]) -> Result<(), ModelFault> {
        Ok(())
    }
}

/// Ed25519, by whatever computes it on the device.
pub trait Verifier {
    /// Whether `signature` is the owner's of `message`.
    fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool;
}

/// Models run that their owner has signed, and whose counter is not lower than that of one that ran here before.
#[derive(Clone, Copy, Debug)]
pub struct Signed<V> {
    verifier: V,
    least_counter: u32,
}

impl<V: Verifier> Signed<V> {
    /// Models of the verifier's owner from `least_counter` on. What rises it is kept for as long as the device has power, and by the
    /// model in its slot.
    pub const fn new(verifier: V, least_counter: u32) -> Self {
        Self { verifier, least_counter }
    }
}

impl<V: Verifier> Trust for Signed<V> {
    #[inline(never)]
    fn admit(&mut self, artifact: &Artifact<'_>, trailer: &[u8]) -> Result<(), ModelFault> {
        let Trailer { counter, signature } = Trailer::from_bytes(trailer).ok_or(ModelFault::Unsigned)?;
        let statement = Statement::of(artifact, counter).ok_or(ModelFault::Unsigned)?;
        // The statement has the digest that the header states.
        if artifact.verify_digest().is_err() || !self.verifier.verifies(statement.as_bytes(), &signature) {
            return Err(ModelFault::Unsigned);
        }
        if counter < self.least_counter {
            return Err(ModelFault::Superseded { counter, least_counter: self.least_counter });
        }
        self.least_counter = counter;
        Ok(())
    }
}
