//! What an image for Cortex-M stands on: start-up, the board's memory, what carries its bytes to the host, and what
//! counts its work.
//!
//! Everything that is known of a board comes as linker symbols from the script that `edgepkg-boards` makes of the
//! board's file. [`image!`] names what an image runs.
#![no_std]

mod gauge;
mod memory;
mod move_bytes;
mod port;
#[cfg(feature = "probe")]
mod rtt;
mod start;
mod text;
#[cfg(not(feature = "probe"))]
mod uart;

use core::arch::asm;

pub use gauge::CoreGauge;
pub use memory::{arena, stack_bytes};
pub use port::Port;
pub use start::Vectors;

/// Waits for a reset.
pub fn stop() -> ! {
    loop {
        // SAFETY: waiting has no effect on memory.
        unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) }
    }
}

/// Makes a program of two functions. `main` runs once RAM is ready, on the stack that start-up painted, and is given
/// all RAM that nothing else uses, aligned to 16. `fault` runs after a panic, and at every exception, since no
/// interrupt is enabled.
///
/// ```text
/// fn main(arena: &'static mut [i8]) -> ! { ... }
/// fn fault() -> ! { ... }
/// image!(main, fault);
/// ```
#[macro_export]
macro_rules! image {
    ($main:path, $fault:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn image_main() -> ! {
            // SAFETY: start-up calls this, once.
            $main(unsafe { $crate::arena() })
        }

        #[unsafe(no_mangle)]
        extern "C" fn image_fault() -> ! {
            $fault()
        }

        #[panic_handler]
        fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
            $fault()
        }
    };
}
