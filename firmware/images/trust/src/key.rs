//! The key, and signatures of it.

use edgepkg_runtime::format::trailer::SIGNATURE_BYTES;
use edgepkg_runtime::server::{Signed, Verifier};

/// Ed25519's public key.
const KEY: [u8; 32] = match from_hexadecimal(env!("EDGEPKG_TRUSTED_KEY").as_bytes()) {
    Some(key) => key,
    None => panic!("EDGEPKG_TRUSTED_KEY is not 64 hexadecimal digits"),
};

const LEAST_COUNTER: u32 = match option_env!("EDGEPKG_LEAST_COUNTER") {
    None => 0,
    Some(number) => match u32::from_str_radix(number, 10) {
        Ok(number) => number,
        Err(_) => panic!("EDGEPKG_LEAST_COUNTER is not a number"),
    },
};

const fn from_hexadecimal(digits: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    let mut index = 0;
    while index < digits.len() {
        let Some(digit) = (digits[index] as char).to_digit(16) else { return None };
        bytes[index / 2] = bytes[index / 2] << 4 | digit as u8;
        index += 1;
    }
    Some(bytes)
}

/// The owner of the key.
#[derive(Clone, Copy, Debug)]
pub struct Owner;

pub fn trust() -> Signed<Owner> {
    Signed::new(Owner, LEAST_COUNTER)
}

impl Verifier for Owner {
    #[cfg(feature = "salty")]
    fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        salty::PublicKey::try_from(&KEY)
            .is_ok_and(|key| key.verify(message, &salty::Signature::from(signature)).is_ok())
    }

    #[cfg(not(feature = "salty"))]
    fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        ed25519_dalek::VerifyingKey::from_bytes(&KEY)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}
