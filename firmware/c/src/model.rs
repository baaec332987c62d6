//! Models.

use core::slice;

use edgepkg_runtime::Model;
use edgepkg_runtime::format::artifact::ALIGNMENT;
use edgepkg_runtime::operator::{NoOperator, Operator};

use crate::pointer::{check, check_mut, status};
use crate::{edgepkg_operator, edgepkg_status};

/// Stands at the start of the storage of a model that was parsed.
const PARSED: usize = 0x6d6f_6465;

/// What a program has of a model, in flash: `edgepkg build --emit c` writes one as NAME_network.
#[repr(C)]
pub struct edgepkg_network {
    /// The artifact. It starts at a multiple of 16.
    artifact: *const u8,
    /// Its bytes.
    artifact_bytes: usize,
    /// The operators that it uses, or more.
    operators: *const *const edgepkg_operator,
    /// How many these are.
    operator_count: usize,
}

/// A model that has been checked, in storage that may begin as anything. It refers to the network and must stay where it is.
#[repr(C)]
pub struct edgepkg_model {
    /// The library's own.
    storage: [usize; 16],
}

/// What the storage holds.
#[repr(C)]
pub struct Parsed {
    mark: usize,
    pub model: Model<'static, NoOperator>,
    pub operators: &'static [&'static Operator],
}

const _: () = assert!(size_of::<Parsed>() <= size_of::<edgepkg_model>());
const _: () = assert!(align_of::<Parsed>() <= align_of::<edgepkg_model>());

/// Checks a network and puts the model into `model`. No allocation, no copy: the network, its artifact and its table must stay
/// for as long as the model is used.
///
/// # Safety
///
/// Where they are not null, `network` points to a network whose pointers are null or to as many bytes and operators as it
/// says, and `model` to storage that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_model_parse(
    model: *mut edgepkg_model,
    network: *const edgepkg_network,
) -> edgepkg_status {
    // SAFETY: the caller's promise.
    status(unsafe { parse(model, network) })
}

/// # Safety
///
/// As [`edgepkg_model_parse`].
unsafe fn parse(model: *mut edgepkg_model, network: *const edgepkg_network) -> Result<(), edgepkg_status> {
    let storage = check_mut(model)?;
    // SAFETY: it is not null and aligned, and the caller's to write. A failure leaves it unmarked.
    unsafe { (*storage).storage[0] = 0 };
    // SAFETY: it is not null and aligned, and by the caller's promise a network.
    let network = unsafe { &*check(network)? };
    if network.artifact.is_null() {
        return Err(edgepkg_status::NullPointer);
    }
    if !network.artifact.addr().is_multiple_of(ALIGNMENT) {
        return Err(edgepkg_status::ArtifactMisaligned);
    }
    let operators = check(network.operators)?.cast::<&'static Operator>();
    // SAFETY: neither is null, the caller's promise says how long they are and that they stay, and an `edgepkg_operator` is an
    // `Operator` (`repr(transparent)`). C cannot make one of its own, since the type is opaque there.
    let (artifact, operators) = unsafe {
        (
            slice::from_raw_parts(network.artifact, network.artifact_bytes),
            slice::from_raw_parts(operators, network.operator_count),
        )
    };
    let parsed = Model::parse_with(artifact, operators)?;
    // SAFETY: as above, and the storage is large enough and aligned, as the assertions show.
    unsafe { storage.cast::<Parsed>().write(Parsed { mark: PARSED, model: parsed, operators }) };
    Ok(())
}

/// Bytes of arena that a session of `model` needs; 0 of a model that was not parsed.
///
/// # Safety
///
/// Where it is not null, `model` points to an `edgepkg_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_model_arena_bytes(model: *const edgepkg_model) -> usize {
    // SAFETY: the caller's promise.
    unsafe { parsed(model) }.map_or(0, |parsed| parsed.model.arena_bytes())
}

/// Compares the artifact with the SHA-256 in its header: whether its bytes are those that were built. EDGEPKG_STATUS_ARTIFACT_DAMAGED
/// says that they are not.
///
/// # Safety
///
/// Where it is not null, `model` points to an `edgepkg_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_model_verify_digest(model: *const edgepkg_model) -> edgepkg_status {
    // SAFETY: the caller's promise.
    let parsed = unsafe { parsed(model) };
    status(parsed.and_then(|parsed| {
        let verified = parsed.model.artifact().verify_digest();
        verified.map_err(|_| edgepkg_status::ArtifactDamaged)
    }))
}

/// The model in its storage.
///
/// # Safety
///
/// Where it is not null, `model` points to an `edgepkg_model`.
pub unsafe fn parsed(model: *const edgepkg_model) -> Result<&'static Parsed, edgepkg_status> {
    let storage = check(model)?;
    // SAFETY: it is not null and aligned, and by the caller's promise a model's storage.
    if unsafe { (*storage).storage[0] } != PARSED {
        return Err(edgepkg_status::ModelNotParsed);
    }
    // SAFETY: the mark says that `edgepkg_model_parse` has written it.
    Ok(unsafe { &*storage.cast::<Parsed>() })
}
