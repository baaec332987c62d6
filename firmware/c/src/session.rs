//! Sessions: models in arenas.

use core::ffi::c_void;
use core::{ptr, slice};

use edgepkg_runtime::format::DType;
use edgepkg_runtime::operator::NoOperator;
use edgepkg_runtime::{Progress, Session};

use crate::edgepkg_status;
use crate::model::{Parsed, edgepkg_model, parsed};
use crate::pointer::{check_mut, status};

/// Stands at the start of the storage of a session that was opened.
const OPEN: usize = 0x7365_7373;

/// A model in an arena, in storage that may begin as anything. It refers to the model and to the arena, which must stay where
/// they are.
#[repr(C)]
pub struct edgepkg_session {
    /// The library's own.
    storage: [usize; 8],
}

/// The type of a tensor's elements.
#[repr(i32)]
#[derive(Clone, Copy)]
pub enum edgepkg_type {
    /// 8-bit signed.
    Int8 = 0,
    /// 16-bit signed.
    Int16 = 1,
    /// 32-bit signed.
    Int32 = 2,
}

/// An input or output, where it lies in the arena.
#[repr(C)]
pub struct edgepkg_tensor {
    /// Its elements, row-major.
    data: *mut c_void,
    /// Bytes of all of them.
    bytes: usize,
    /// The type of each.
    r#type: edgepkg_type,
    /// real = scale * (element - zero_point)
    scale: f32,
    /// The element that stands for 0.
    zero_point: i32,
}

/// What the storage holds.
#[repr(C)]
struct Open {
    mark: usize,
    model: *const edgepkg_model,
    arena: *mut i8,
    arena_bytes: usize,
    progress: Progress,
}

const _: () = assert!(size_of::<Open>() <= size_of::<edgepkg_session>());
const _: () = assert!(align_of::<Open>() <= align_of::<edgepkg_session>());

/// Starts a session of `model` in `arena`, which starts at a multiple of 16. What the model keeps between runs has its
/// initial value.
///
/// Sessions may share an arena, of the greatest of their sizes: each sets its inputs, runs and reads its outputs before the next one
/// does. A model that keeps something between runs needs an arena of its own.
///
/// # Safety
///
/// Where they are not null, `model` points to an `edgepkg_model`, `arena` to as many bytes as stated, and `session` to storage;
/// nobody else uses the arena or the storage during any call with this session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_open(
    session: *mut edgepkg_session,
    model: *const edgepkg_model,
    arena: *mut i8,
    arena_bytes: usize,
) -> edgepkg_status {
    // SAFETY: the caller's promise.
    let opened = unsafe { open(session, model, arena, arena_bytes) };
    status(opened.and_then(|()| {
        // SAFETY: as above; it is open now.
        unsafe { with(session, |session, _| session.reset_state()) }
    }))
}

/// Goes on where an earlier session of `model` ended in `arena`: what it kept is still there. Otherwise as edgepkg_session_open.
///
/// # Safety
///
/// As [`edgepkg_session_open`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_resume(
    session: *mut edgepkg_session,
    model: *const edgepkg_model,
    arena: *mut i8,
    arena_bytes: usize,
) -> edgepkg_status {
    // SAFETY: the caller's promise.
    status(unsafe { open(session, model, arena, arena_bytes) })
}

/// Gives what the model keeps between runs its initial value.
///
/// # Safety
///
/// Where it is not null, `session` points to an `edgepkg_session`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_reset(session: *mut edgepkg_session) -> edgepkg_status {
    // SAFETY: the caller's promise.
    status(unsafe { with(session, |session, _| session.reset_state()) })
}

/// The input at `index`, to be written through `tensor->data` before the next run, which may overwrite it. Asking for it counts as
/// setting it.
///
/// # Safety
///
/// Where they are not null, `session` points to an `edgepkg_session`, and `tensor` to what is to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_input(
    session: *mut edgepkg_session,
    index: usize,
    tensor: *mut edgepkg_tensor,
) -> edgepkg_status {
    let described = |session: &mut Session<'_, NoOperator>, _: &Parsed| {
        let mut input = session.input(index)?;
        let (dtype, quantization) = (input.port().tensor.dtype, input.quantization());
        let bytes = input.as_i8_mut();
        Ok(edgepkg_tensor {
            data: bytes.as_mut_ptr().cast(),
            bytes: bytes.len(),
            r#type: dtype.into(),
            scale: quantization.scale,
            zero_point: quantization.zero_point,
        })
    };
    // SAFETY: the caller's promise.
    status(unsafe { describe(session, tensor, described) })
}

/// The output at `index`, to be read through `tensor->data` until the arena's next run.
///
/// # Safety
///
/// Where they are not null, `session` points to an `edgepkg_session`, and `tensor` to what is to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_output(
    session: *mut edgepkg_session,
    index: usize,
    tensor: *mut edgepkg_tensor,
) -> edgepkg_status {
    let described = |session: &mut Session<'_, NoOperator>, _: &Parsed| {
        let output = session.output(index)?;
        let bytes = output.as_i8();
        Ok(edgepkg_tensor {
            data: ptr::from_ref(bytes).cast_mut().cast(),
            bytes: bytes.len(),
            r#type: output.dtype().into(),
            scale: output.scale(),
            zero_point: output.zero_point(),
        })
    };
    // SAFETY: the caller's promise.
    status(unsafe { describe(session, tensor, described) })
}

/// Runs one operator. EDGEPKG_STATUS_DONE says that none was left: the run is complete, and the next step begins a new one.
/// Between steps a program feeds its watchdog, polls its inputs or lets other tasks go on.
///
/// # Safety
///
/// Where it is not null, `session` points to an `edgepkg_session`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgepkg_session_step(session: *mut edgepkg_session) -> edgepkg_status {
    // SAFETY: the caller's promise.
    let stepped = unsafe { with(session, |session, parsed| session.step_with(parsed.operators)) };
    match stepped {
        Ok(Ok(Some(_))) => edgepkg_status::Ok,
        Ok(Ok(None)) => edgepkg_status::Done,
        Ok(Err(error)) => error.into(),
        Err(status) => status,
    }
}

/// Runs the whole model, or the rest of a run that was begun by steps.
///
/// # Safety
///
/// Where it is not null, `session` points to an `edgepkg_session`.
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

/// # Safety
///
/// As [`edgepkg_session_open`].
unsafe fn open(
    session: *mut edgepkg_session,
    model: *const edgepkg_model,
    arena: *mut i8,
    arena_bytes: usize,
) -> Result<(), edgepkg_status> {
    let storage = check_mut(session)?;
    // SAFETY: it is not null and aligned, and the caller's to write. A failure leaves it unmarked.
    unsafe { (*storage).storage[0] = 0 };
    // SAFETY: the caller's promise.
    let parsed = unsafe { parsed(model)? };
    if arena.is_null() {
        return Err(edgepkg_status::NullPointer);
    }
    let opened = Open { mark: OPEN, model, arena, arena_bytes, progress: Progress::default() };
    // SAFETY: the arena is not null, and the caller's promise says how long it is.
    parsed.model.session_at(unsafe { opened.arena() }, opened.progress)?;
    // SAFETY: as above, and the storage is large enough and aligned, as the assertions show.
    unsafe { storage.cast::<Open>().write(opened) };
    Ok(())
}

impl Open {
    /// # Safety
    ///
    /// Nobody else uses the arena while the slice is.
    unsafe fn arena<'call>(&self) -> &'call mut [i8] {
        // SAFETY: whoever opened the session promised as many bytes for as long as it is used; the rest is the caller's
        // promise.
        unsafe { slice::from_raw_parts_mut(self.arena, self.arena_bytes) }
    }
}

/// What `action` gives with the session at `session`, for as long as this call takes.
///
/// # Safety
///
/// Where it is not null, `session` points to an `edgepkg_session`.
unsafe fn with<R>(
    session: *mut edgepkg_session,
    action: impl FnOnce(&mut Session<'_, NoOperator>, &Parsed) -> R,
) -> Result<R, edgepkg_status> {
    let storage = check_mut(session)?;
    // SAFETY: it is not null and aligned, and by the caller's promise a session's storage.
    if unsafe { (*storage).storage[0] } != OPEN {
        return Err(edgepkg_status::SessionNotOpen);
    }
    // SAFETY: the mark says that it was opened.
    let open = unsafe { &mut *storage.cast::<Open>() };
    // SAFETY: whoever opened the session promised that model and arena stay, and that nobody else uses the arena meanwhile.
    let (parsed, arena) = unsafe { (parsed(open.model)?, open.arena()) };
    let mut session = parsed.model.session_at(arena, open.progress)?;
    let result = action(&mut session, parsed);
    open.progress = session.progress();
    Ok(result)
}

/// Writes what `described` says of a tensor of the session.
///
/// # Safety
///
/// Where they are not null, `session` points to an `edgepkg_session`, and `tensor` to what is to be written.
unsafe fn describe(
    session: *mut edgepkg_session,
    tensor: *mut edgepkg_tensor,
    described: impl FnOnce(&mut Session<'_, NoOperator>, &Parsed) -> Result<edgepkg_tensor, edgepkg_status>,
) -> Result<(), edgepkg_status> {
    let tensor = check_mut(tensor)?;
    // SAFETY: the caller's promise.
    let described = unsafe { with(session, described) }??;
    // SAFETY: it is not null and aligned, and the caller's to write.
    unsafe { tensor.write(described) };
    Ok(())
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
