//! Whose packages are let in: keys, signatures over releases, and the policy that asks for them. `SECURITY.md` says what
//! this guards against.

mod artifact;
mod envelope;
mod key;
mod policy;
mod signature;

pub use artifact::sign_artifact;
pub use envelope::{Envelope, EnvelopeError};
pub use key::{Key, KeyError, Keys, PublicKey};
pub use policy::{TrustError, Verdict, judge, judge_license};
pub use signature::{attach, fetch, sign};
