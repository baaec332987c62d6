//! Real-time transfer: two ring buffers in RAM, which the debug probe reads and writes while the core runs.
//!
//! The control block is SEGGER's ("J-Link RTT", control block): an identifier, the numbers of buffers to and from the
//! host, then for each its name, place, length, the offsets that its writer and its reader have come to, and flags.

use core::ptr;
use core::sync::atomic::{Ordering, fence};

use edgepkg_runtime::server::Transport;

/// Bytes of each buffer, a power of two: half a frame of the device link.
const BUFFER_BYTES: usize = 512;

const IDENTIFIER: [u8; 16] = *b"SEGGER RTT\0\0\0\0\0\0";
/// The writer waits while its buffer is full.
const BLOCK_IF_FULL: u32 = 2;

#[repr(C)]
struct Channel {
    name: *const u8,
    buffer: *mut u8,
    length: u32,
    written: u32,
    read: u32,
    flags: u32,
}

#[repr(C)]
struct ControlBlock {
    identifier: [u8; 16],
    up_channels: u32,
    down_channels: u32,
    up: Channel,
    down: Channel,
}

const UNUSED: Channel =
    Channel { name: ptr::null(), buffer: ptr::null_mut(), length: 0, written: 0, read: 0, flags: 0 };

/// Where the host finds the buffers: by this symbol.
#[unsafe(export_name = "_SEGGER_RTT")]
static mut CONTROL_BLOCK: ControlBlock =
    ControlBlock { identifier: [0; 16], up_channels: 0, down_channels: 0, up: UNUSED, down: UNUSED };
static mut UP: [u8; BUFFER_BYTES] = [0; BUFFER_BYTES];
static mut DOWN: [u8; BUFFER_BYTES] = [0; BUFFER_BYTES];

/// The buffers, of which one writer and one reader are on each side.
pub struct Rtt(());

impl Rtt {
    /// The buffers, ready. Those that are ready already stay as they are.
    pub fn enabled() -> Self {
        let block = &raw mut CONTROL_BLOCK;
        let name = c"edgepkg".as_ptr().cast();
        let channel = |buffer: *mut [u8; BUFFER_BYTES]| Channel {
            name,
            buffer: buffer.cast(),
            length: BUFFER_BYTES as u32,
            flags: BLOCK_IF_FULL,
            ..UNUSED
        };
        // SAFETY: the block is a static that only this module names; the host does not touch it before it is
        // identified.
        unsafe {
            if (&raw const (*block).identifier).read_volatile() != IDENTIFIER {
                (&raw mut (*block).up_channels).write_volatile(1);
                (&raw mut (*block).down_channels).write_volatile(1);
                (&raw mut (*block).up).write_volatile(channel(&raw mut UP));
                (&raw mut (*block).down).write_volatile(channel(&raw mut DOWN));
                fence(Ordering::SeqCst);
                (&raw mut (*block).identifier).write_volatile(IDENTIFIER);
            }
        }
        Self(())
    }
}

/// An offset that is inside a buffer, whatever the host has written.
fn inside(offset: u32) -> usize {
    offset as usize % BUFFER_BYTES
}

impl Transport for Rtt {
    fn read(&mut self) -> Option<u8> {
        // SAFETY: the block and its buffer are statics; the host writes them, so that every access is volatile.
        unsafe {
            let down = &raw mut CONTROL_BLOCK.down;
            let at = inside((&raw const (*down).read).read_volatile());
            while inside((&raw const (*down).written).read_volatile()) == at {}
            fence(Ordering::SeqCst);
            let byte = (&raw const DOWN[at]).read_volatile();
            fence(Ordering::SeqCst);
            (&raw mut (*down).read).write_volatile(inside(at as u32 + 1) as u32);
            Some(byte)
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            // SAFETY: as in `read`.
            unsafe {
                let up = &raw mut CONTROL_BLOCK.up;
                let at = inside((&raw const (*up).written).read_volatile());
                let next = inside(at as u32 + 1);
                while inside((&raw const (*up).read).read_volatile()) == next {}
                (&raw mut UP[at]).write_volatile(byte);
                fence(Ordering::SeqCst);
                (&raw mut (*up).written).write_volatile(next as u32);
            }
        }
    }
}
