//! C's pointers, looked at before they are followed.

use crate::edgepkg_status;

/// `pointer`, not null and aligned.
pub fn check<T>(pointer: *const T) -> Result<*const T, edgepkg_status> {
    if pointer.is_null() {
        Err(edgepkg_status::NullPointer)
    } else if pointer.is_aligned() {
        Ok(pointer)
    } else {
        Err(edgepkg_status::MisalignedPointer)
    }
}

/// `pointer`, not null and aligned.
pub fn check_mut<T>(pointer: *mut T) -> Result<*mut T, edgepkg_status> {
    check(pointer.cast_const()).map(<*const T>::cast_mut)
}

/// What a call comes to.
pub fn status(result: Result<(), edgepkg_status>) -> edgepkg_status {
    result.err().unwrap_or(edgepkg_status::Ok)
}
