//! The runtime for C and C++. `include/edgepkg.h` is made from this file.
//!
//! A program links the operators that it names and no others: each is a constant of its own, and a table of them is given
//! to [`edgepkg_model_parse`]. `edgepkg build --emit c` writes the table of a model.
#![no_std]
#![allow(non_camel_case_types, reason = "names as C has them")]

mod operators;
mod status;

use core::mem::{align_of, size_of};
use core::ptr;
use core::slice;

use edgepkg_runtime::format::DType;
use edgepkg_runtime::operator::{NoOperator, Operator};
use edgepkg_runtime::{Model, Session};

pub use status::edgepkg_status;

/// The code of one operator. There is one constant for each; a program has the code of those that it names.
pub struct edgepkg_operator(Operator);

/// Words of a model.
const MODEL_WORDS: usize = 24;
/// Words of a session.
const SESSION_WORDS: usize = 16;

/// A model that has been checked. It refers to the artifact's bytes and to the table of operators.
#[repr(C)]
pub struct edgepkg_model {
    /// Its own.
    storage: [usize; MODEL_WORDS],
}

/// A model in an arena. It refers to the model and to the arena, which must stay where they are.
#[repr(C)]
pub struct edgepkg_session {
    /// Its own.
    storage: [usize; SESSION_WORDS],
}

/// The type of a tensor's elements.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum edgepkg_type {
    /// 8-bit signed.
    Int8 = 0,
    /// 16-bit signed.
    Int16 = 1,
    /// 32-bit signed.
    Int32 = 2,
}

/// An input or output, where it lies in the arena: until the session's next run for an output.
#[repr(C)]
pub struct edgepkg_tensor {
    /// Its elements, row-major.
    data: *mut core::ffi::c_void,
    /// Bytes of all of them.
    bytes: usize,
    /// The type of each.
    r#type: edgepkg_type,
    /// real = scale * (element - zero_point)
    scale: f32,
    /// The element that stands for 0.
    zero_point: i32,
}

/// What a model's storage holds.
struct ParsedModel {
    model: Model<'static, NoOperator>,
    operators: &'static [&'static Operator],
}

/// What a session's storage holds.
struct OpenSession {
    session: Session<'static, NoOperator>,
    operators: &'static [&'static Operator],
}

const _: () = assert!(size_of::<ParsedModel>() <= size_of::<edgepkg_model>());
const _: () = assert!(size_of::<OpenSession>() <= size_of::<edgepkg_session>());
const _: () = assert!(align_of::<ParsedModel>() <= align_of::<edgepkg_model>());
const _: () = assert!(align_of::<OpenSession>() <= align_of::<edgepkg_session>());
// A table of pointers to one is one to the other.
const _: () = assert!(size_of::<edgepkg_operator>() == size_of::<Operator>());

/// Checks the artifact and puts the model into `model`. No allocation, no copy.
///
/// `artifact` starts at a multiple of 16. It, and the table of `operator_count` operators, must stay for as long as the
/// model is used.
///
/// # Safety
///
/// The pointers are to as many bytes and operators as stated; `model` is to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_model_parse(
    model: *mut edgepkg_model,
    artifact: *const u8,
    artifact_bytes: usize,
    operators: *const *const edgepkg_operator,
    operator_count: usize,
) -> edgepkg_status {
    if model.is_null() || artifact.is_null() || operators.is_null() {
        return edgepkg_status::NullPointer;
    }
    // SAFETY: the caller's promise; the operators are this library's constants.
    let (artifact, operators) = unsafe {
        (
            slice::from_raw_parts(artifact, artifact_bytes),
            slice::from_raw_parts(operators.cast::<&'static Operator>(), operator_count),
        )
    };
    match Model::parse_with(artifact, operators) {
        Ok(parsed) => {
            // SAFETY: the storage is large enough and aligned, as the assertions above show.
            unsafe { model.cast::<ParsedModel>().write(ParsedModel { model: parsed, operators }) };
            edgepkg_status::Ok
        }
        Err(error) => error.into(),
    }
}

/// Bytes of arena that a session of `model` needs.
///
/// # Safety
///
/// `model` was parsed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_model_arena_bytes(model: *const edgepkg_model) -> usize {
    // SAFETY: the caller's promise.
    unsafe { parsed(model) }.model.arena_bytes()
}

/// Starts a session of `model` in `arena`, which starts at a multiple of 16. What the model keeps between runs has its
/// initial value. While the session is used, the arena is its own; afterwards another model may have it.
///
/// # Safety
///
/// `model` was parsed and stays where it is; `arena` has as many bytes as stated; `session` is to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_open(
    session: *mut edgepkg_session,
    model: *const edgepkg_model,
    arena: *mut i8,
    arena_bytes: usize,
) -> edgepkg_status {
    if session.is_null() || model.is_null() || arena.is_null() {
        return edgepkg_status::NullPointer;
    }
    // SAFETY: the caller's promise; nobody else touches the arena while the session is used.
    let (parsed, arena) = unsafe { (parsed(model), slice::from_raw_parts_mut(arena, arena_bytes)) };
    match parsed.model.session(arena) {
        Ok(open) => {
            let open = OpenSession { session: open, operators: parsed.operators };
            // SAFETY: the storage is large enough and aligned, as the assertions above show.
            unsafe { session.cast::<OpenSession>().write(open) };
            edgepkg_status::Ok
        }
        Err(error) => error.into(),
    }
}

/// Gives what the model keeps between runs its initial value.
///
/// # Safety
///
/// `session` was opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_reset(session: *mut edgepkg_session) {
    // SAFETY: the caller's promise.
    unsafe { open(session) }.session.reset_state();
}

/// The input at `index`, to be written through `tensor->data` before the next run. Asking for it counts as setting it.
///
/// # Safety
///
/// `session` was opened; `tensor` is to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_input(
    session: *mut edgepkg_session,
    index: usize,
    tensor: *mut edgepkg_tensor,
) -> edgepkg_status {
    // SAFETY: the caller's promise.
    let session = unsafe { open(session) };
    match session.session.input(index) {
        Ok(mut input) => {
            let (dtype, quantization) = (input.port().tensor.dtype, input.quantization());
            let bytes = input.as_i8_mut();
            let described = edgepkg_tensor {
                data: bytes.as_mut_ptr().cast(),
                bytes: bytes.len(),
                r#type: dtype.into(),
                scale: quantization.scale,
                zero_point: quantization.zero_point,
            };
            // SAFETY: the caller's promise.
            unsafe { tensor.write(described) };
            edgepkg_status::Ok
        }
        Err(error) => error.into(),
    }
}

/// The output at `index`, to be read through `tensor->data`: what the last run left.
///
/// # Safety
///
/// `session` was opened; `tensor` is to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_output(
    session: *const edgepkg_session,
    index: usize,
    tensor: *mut edgepkg_tensor,
) -> edgepkg_status {
    // SAFETY: the caller's promise.
    let session = unsafe { &*session.cast::<OpenSession>() };
    match session.session.output(index) {
        Ok(output) => {
            let bytes = output.as_i8();
            let described = edgepkg_tensor {
                data: ptr::from_ref(bytes).cast_mut().cast(),
                bytes: bytes.len(),
                r#type: output.dtype().into(),
                scale: output.scale(),
                zero_point: output.zero_point(),
            };
            // SAFETY: the caller's promise.
            unsafe { tensor.write(described) };
            edgepkg_status::Ok
        }
        Err(error) => error.into(),
    }
}

/// Runs one operator. EDGEPKG_STATUS_DONE says that none was left: the run is complete, and the next step begins a new one.
///
/// # Safety
///
/// `session` was opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_step(session: *mut edgepkg_session) -> edgepkg_status {
    // SAFETY: the caller's promise.
    let OpenSession { session, operators } = unsafe { open(session) };
    match session.step_with(operators) {
        Ok(Some(_)) => edgepkg_status::Ok,
        Ok(None) => edgepkg_status::Done,
        Err(error) => error.into(),
    }
}

/// Runs the whole model, or the rest of a run that was begun by steps.
///
/// # Safety
///
/// `session` was opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_run(session: *mut edgepkg_session) -> edgepkg_status {
    loop {
        // SAFETY: the caller's promise.
        match unsafe { edgepkg_session_step(session) } {
            edgepkg_status::Ok => {}
            edgepkg_status::Done => return edgepkg_status::Ok,
            error => return error,
        }
    }
}

/// What `status` means, in a few words.
#[unsafe(no_mangle)]
pub extern "C" fn edgepkg_status_text(status: edgepkg_status) -> *const core::ffi::c_char {
    status.text().as_ptr()
}

/// The model in its storage.
///
/// # Safety
///
/// It was parsed.
unsafe fn parsed(model: *const edgepkg_model) -> &'static ParsedModel {
    // SAFETY: the caller's promise: `edgepkg_model_parse` has written it.
    unsafe { &*model.cast::<ParsedModel>() }
}

/// The session in its storage.
///
/// # Safety
///
/// It was opened.
unsafe fn open(session: *mut edgepkg_session) -> &'static mut OpenSession {
    // SAFETY: the caller's promise: `edgepkg_session_open` has written it, and no other call uses it now.
    unsafe { &mut *session.cast::<OpenSession>() }
}

impl From<DType> for edgepkg_type {
    fn from(dtype: DType) -> Self {
        match dtype {
            DType::Int16 => edgepkg_type::Int16,
            DType::Int32 => edgepkg_type::Int32,
            _ => edgepkg_type::Int8,
        }
    }
}

/// A fault of the library's own: after a model was parsed nothing panics. What the core does at an undefined instruction is
/// the program's to say.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: it traps.
        unsafe { core::arch::asm!("udf #0") }
    }
}
