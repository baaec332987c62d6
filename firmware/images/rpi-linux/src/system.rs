//! Linux's system calls on 64-bit Arm: numbers in `include/uapi/asm-generic/unistd.h`, arguments in the manual's section 2.

use core::arch::asm;
use core::ffi::CStr;

/// A number by which Linux says why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemError(pub i32);

/// An open file, socket or counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor(i32);

impl Descriptor {
    /// Standard input.
    pub const INPUT: Self = Self(0);
    /// Standard output.
    pub const OUTPUT: Self = Self(1);
    /// Standard error.
    pub const ERROR: Self = Self(2);
}

mod number {
    pub const IOCTL: usize = 29;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const EXIT_GROUP: usize = 94;
    pub const SOCKET: usize = 198;
    pub const BIND: usize = 200;
    pub const LISTEN: usize = 201;
    pub const ACCEPT: usize = 202;
    pub const SETSOCKOPT: usize = 208;
    pub const MMAP: usize = 222;
    pub const PERF_EVENT_OPEN: usize = 241;
}

/// # Safety
///
/// What the arguments name must be memory that the call may read or write.
unsafe fn call(number: usize, arguments: [usize; 6]) -> Result<usize, SystemError> {
    let [first, second, third, fourth, fifth, sixth] = arguments;
    let mut result = first as isize;
    // SAFETY: the caller's.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inout("x0") result,
            in("x1") second,
            in("x2") third,
            in("x3") fourth,
            in("x4") fifth,
            in("x5") sixth,
            options(nostack),
        );
    }
    if result < 0 { Err(SystemError(-result as i32)) } else { Ok(result as usize) }
}

/// Ends the program.
pub fn exit(code: u8) -> ! {
    // SAFETY: it names no memory.
    let _ = unsafe { call(number::EXIT_GROUP, [code.into(), 0, 0, 0, 0, 0]) };
    loop {
        core::hint::spin_loop();
    }
}

const INTERRUPTED: SystemError = SystemError(4);

/// Reads what there is, at most `buffer`; 0 at the end.
pub fn read(file: Descriptor, buffer: &mut [u8]) -> Result<usize, SystemError> {
    loop {
        let place = [file.0 as usize, buffer.as_mut_ptr().addr(), buffer.len(), 0, 0, 0];
        // SAFETY: the buffer is the caller's to write.
        match unsafe { call(number::READ, place) } {
            Err(INTERRUPTED) => {}
            result => return result,
        }
    }
}

/// Writes all of `bytes`.
pub fn write_all(file: Descriptor, mut bytes: &[u8]) -> Result<(), SystemError> {
    while !bytes.is_empty() {
        let place = [file.0 as usize, bytes.as_ptr().addr(), bytes.len(), 0, 0, 0];
        // SAFETY: the bytes are the caller's to read.
        match unsafe { call(number::WRITE, place) } {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(INTERRUPTED) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens a file to read it.
pub fn open(path: &CStr) -> Result<Descriptor, SystemError> {
    const CURRENT_FOLDER: usize = -100_isize as usize;
    // SAFETY: the path ends with a zero.
    let file = unsafe { call(number::OPENAT, [CURRENT_FOLDER, path.as_ptr().addr(), 0, 0, 0, 0]) };
    file.map(|file| Descriptor(file as i32))
}

/// Closes a file or a connection.
pub fn close(file: Descriptor) {
    // SAFETY: it names no memory.
    let _ = unsafe { call(number::CLOSE, [file.0 as usize, 0, 0, 0, 0, 0]) };
}

/// Takes memory for the addresses from `start` to `end`, multiples of the page.
///
/// # Safety
///
/// Nothing may lie there: it would be replaced.
pub unsafe fn map(start: usize, end: usize) -> Result<(), SystemError> {
    const READ_WRITE: usize = 3;
    // Private, anonymous, without a reserve, at this address.
    const FLAGS: usize = 0x02 | 0x20 | 0x4000 | 0x10;
    const NO_FILE: usize = usize::MAX;
    // SAFETY: the caller's.
    let mapped = unsafe { call(number::MMAP, [start, end - start, READ_WRITE, FLAGS, NO_FILE, 0]) }?;
    if mapped == start { Ok(()) } else { Err(SystemError(0)) }
}

/// A socket that listens for TCP at an IPv4 address.
pub fn listen(address: core::net::SocketAddrV4) -> Result<Descriptor, SystemError> {
    const INTERNET: usize = 2;
    const STREAM: usize = 1;
    const SOCKET_LEVEL: usize = 1;
    const REUSE_ADDRESS: usize = 2;
    // SAFETY: it names no memory.
    let socket = unsafe { call(number::SOCKET, [INTERNET, STREAM, 0, 0, 0, 0]) }?;
    let on = 1_i32;
    let option = [socket, SOCKET_LEVEL, REUSE_ADDRESS, (&raw const on).addr(), size_of_val(&on), 0];
    // SAFETY: the option's value is on the stack.
    unsafe { call(number::SETSOCKOPT, option) }?;
    // Family, port and address in the network's order, zeros.
    let mut name = [0u8; 16];
    name[..2].copy_from_slice(&(INTERNET as u16).to_ne_bytes());
    name[2..4].copy_from_slice(&address.port().to_be_bytes());
    name[4..8].copy_from_slice(&address.ip().octets());
    // SAFETY: the name is on the stack.
    unsafe { call(number::BIND, [socket, name.as_ptr().addr(), name.len(), 0, 0, 0]) }?;
    // SAFETY: it names no memory.
    unsafe { call(number::LISTEN, [socket, 1, 0, 0, 0, 0]) }?;
    Ok(Descriptor(socket as i32))
}

/// The next connection to a socket that listens.
pub fn accept(socket: Descriptor) -> Result<Descriptor, SystemError> {
    loop {
        // SAFETY: no name of the other end is asked for.
        match unsafe { call(number::ACCEPT, [socket.0 as usize, 0, 0, 0, 0, 0]) } {
            Err(INTERRUPTED) => {}
            result => return result.map(|connection| Descriptor(connection as i32)),
        }
    }
}

/// A counter of this program's cycles in user mode, counting.
pub fn count_cycles() -> Result<Descriptor, SystemError> {
    /// `struct perf_event_attr` in its first version.
    #[repr(C)]
    struct Event {
        kind: u32,
        bytes: u32,
        config: u64,
        period: u64,
        sample: u64,
        format: u64,
        flags: u64,
        wakeup: u32,
        breakpoint: u32,
        more: u64,
    }
    const HARDWARE: u32 = 0;
    const CYCLES: u64 = 0;
    const WITHOUT_KERNEL_AND_HYPERVISOR: u64 = 1 << 5 | 1 << 6;
    const THIS_PROCESS: usize = 0;
    const ANY_CPU: usize = usize::MAX;
    const NO_GROUP: usize = usize::MAX;
    const RESET: usize = 0x2403;
    let event = Event {
        kind: HARDWARE,
        bytes: size_of::<Event>() as u32,
        config: CYCLES,
        period: 0,
        sample: 0,
        format: 0,
        flags: WITHOUT_KERNEL_AND_HYPERVISOR,
        wakeup: 0,
        breakpoint: 0,
        more: 0,
    };
    let arguments = [(&raw const event).addr(), THIS_PROCESS, ANY_CPU, NO_GROUP, 0, 0];
    // SAFETY: the description is on the stack, and says how long it is.
    let counter = unsafe { call(number::PERF_EVENT_OPEN, arguments) }?;
    // SAFETY: it names no memory.
    unsafe { call(number::IOCTL, [counter, RESET, 0, 0, 0, 0]) }?;
    Ok(Descriptor(counter as i32))
}
