//! The runtime for C and C++. `include/edgepkg.h` is made from this crate.
//!
//! A program links the operators that it names and no others: each is a constant of its own, and a network's table names
//! those of one model. `edgepkg build --emit c` writes it.
//!
//! Nothing of C's is held between two calls but pointers: what they point to is looked at anew in each, so that sessions may
//! share an arena.
#![no_std]
#![allow(non_camel_case_types, reason = "names as C has them")]

mod model;
mod operators;
mod pointer;
mod session;
mod status;

use core::ffi::{CStr, c_char};

use edgepkg_runtime::operator::Operator;

pub use model::{edgepkg_model, edgepkg_network};
pub use session::{edgepkg_session, edgepkg_tensor, edgepkg_type};
pub use status::edgepkg_status;

/// The code of one operator. There is one constant for each; a program has the code of those that it names.
#[repr(transparent)]
pub struct edgepkg_operator(Operator);

/// What `status` means, in a few words; of a number that is no status, that it is none.
#[unsafe(no_mangle)]
pub extern "C" fn edgepkg_status_text(status: i32) -> *const c_char {
    CStr::as_ptr(status::text(status))
}

/// A fault of the library's own, for no model that was parsed makes it panic. It ends in the core's exception for an
/// undefined instruction: nothing unwinds into C.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it traps and does not come back.
    unsafe { core::arch::asm!("udf #0", options(noreturn)) }
}
