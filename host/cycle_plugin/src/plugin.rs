//! The plugin: instruments every block that the emulator translates, and writes a line a window.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::fs::File;
use std::io::Write;
use std::ptr;
use std::slice;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cortex_m4::{self, Instruction};
use crate::options::Options;
use crate::qemu::{self, Arguments, Block, BlockInstruction, EmulatorInfo, PluginId};

/// The version of the interface that this is written for.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the emulator's name for it")]
pub static qemu_plugin_version: c_int = 1;

struct Windows {
    options: Options,
    file: File,
}

static WINDOWS: OnceLock<Windows> = OnceLock::new();

// The emulated core has one thread: its translated code adds to these, and the callbacks run between.
static INSTRUCTIONS: AtomicU64 = AtomicU64::new(0);
static CYCLES: AtomicU64 = AtomicU64::new(0);
/// Where the block that ran last ends.
static LAST_END: AtomicU64 = AtomicU64::new(0);
/// Both counts when the window began.
static INSTRUCTIONS_AT_START: AtomicU64 = AtomicU64::new(0);
static CYCLES_AT_START: AtomicU64 = AtomicU64::new(0);

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn set(count: &AtomicU64, value: u64) {
    count.store(value, Ordering::Relaxed);
}

/// Called once by the emulator, before the machine starts. Not 0 stops it.
///
/// # Safety
///
/// `arguments` are `count` strings that end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: PluginId,
    _info: *const EmulatorInfo,
    count: c_int,
    arguments: Arguments,
) -> c_int {
    let arguments = match usize::try_from(count) {
        // SAFETY: the caller says that as many are there.
        Ok(count @ 1..) => unsafe { slice::from_raw_parts(arguments, count) },
        _ => &[],
    };
    // SAFETY: the caller says that each is a string with its end.
    let arguments = arguments.iter().map(|argument| unsafe { CStr::from_ptr(*argument) }.to_string_lossy());
    match open(&arguments.collect::<Vec<_>>()) {
        Ok(windows) => {
            let is_first = WINDOWS.set(windows).is_ok();
            // SAFETY: the identity is the one that was given, and the callback is of the type that it takes.
            unsafe { qemu::qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation) };
            if is_first { 0 } else { -1 }
        }
        Err(reason) => {
            eprintln!("edgepkg's cycle model: {reason}");
            -1
        }
    }
}

fn open(arguments: &[impl AsRef<str>]) -> Result<Windows, String> {
    let options = Options::parse(arguments.iter().map(AsRef::as_ref)).map_err(|error| error.to_string())?;
    let file = File::create(&options.windows)
        .map_err(|error| format!("cannot write `{}`: {error}", options.windows.display()))?;
    Ok(Windows { options, file })
}

/// An address as the value of a callback.
fn as_value(address: u64) -> *mut c_void {
    ptr::without_provenance_mut(address as usize)
}

extern "C" fn on_translation(_id: PluginId, block: *mut Block) {
    let Some(Windows { options, .. }) = WINDOWS.get() else {
        return;
    };
    // SAFETY: the block is the emulator's, for the time of this call; so are its instructions, of which
    // there are as many as it says.
    let instructions: Vec<*mut BlockInstruction> = unsafe {
        let start = qemu::qemu_plugin_tb_vaddr(block);
        qemu::qemu_plugin_register_vcpu_tb_exec_cb(
            block,
            on_block,
            qemu::READS_NO_REGISTERS,
            as_value(start),
        );
        let count = qemu::qemu_plugin_tb_n_insns(block);
        (0..count).map(|index| qemu::qemu_plugin_tb_get_insn(block, index)).collect()
    };
    let read = instructions.iter().map(|&instruction| read_instruction(instruction)).collect::<Vec<_>>();
    for (&instruction, cycles) in instructions.iter().zip(cortex_m4::cycles(read.iter().copied())) {
        let address = address(instruction);
        if address == options.start {
            call_at(instruction, on_start, 0);
        }
        if address == options.stop {
            call_at(instruction, on_stop, 0);
        }
        add_at(instruction, &INSTRUCTIONS, 1);
        add_at(instruction, &CYCLES, cycles.into());
    }
    if let Some((&last, read)) = instructions.last().zip(read.last()) {
        call_at(last, on_end, address(last) + read.length());
    }
}

fn address(instruction: *mut BlockInstruction) -> u64 {
    // SAFETY: the instruction is of the block in translation.
    unsafe { qemu::qemu_plugin_insn_vaddr(instruction) }
}

/// The instruction's own bytes. The emulator's count of them is not used: at the end of a page it holds
/// some of the next instruction's, which it has looked at.
fn read_instruction(instruction: *mut BlockInstruction) -> Instruction {
    // SAFETY: the emulator holds the instruction's bytes, at least as many as it says, for the time of the
    // translation that this is called in.
    let bytes = unsafe {
        let data: *const u8 = qemu::qemu_plugin_insn_data(instruction).cast();
        slice::from_raw_parts(data, qemu::qemu_plugin_insn_size(instruction))
    };
    Instruction::from_bytes(bytes).expect("the emulator has read the instruction")
}

fn call_at(instruction: *mut BlockInstruction, callback: qemu::OnExecution, value: u64) {
    // SAFETY: the instruction is of the block in translation, and the callback takes any value.
    unsafe {
        qemu::qemu_plugin_register_vcpu_insn_exec_cb(
            instruction,
            callback,
            qemu::READS_NO_REGISTERS,
            as_value(value),
        );
    }
}

fn add_at(instruction: *mut BlockInstruction, count: &'static AtomicU64, operand: u64) {
    let number = count.as_ptr().cast();
    // SAFETY: the instruction is of the block in translation; the number is there as long as the process,
    // and nothing else changes it while translated code runs.
    unsafe {
        qemu::qemu_plugin_register_vcpu_insn_exec_inline(instruction, qemu::ADD_U64, number, operand);
    }
}

extern "C" fn on_block(_core: c_uint, start: *mut c_void) {
    let refill = cortex_m4::refill_cycles(read(&LAST_END), start.addr() as u64);
    set(&CYCLES, read(&CYCLES) + refill);
}

extern "C" fn on_end(_core: c_uint, end: *mut c_void) {
    set(&LAST_END, end.addr() as u64);
}

extern "C" fn on_start(_core: c_uint, _value: *mut c_void) {
    set(&INSTRUCTIONS_AT_START, read(&INSTRUCTIONS));
    set(&CYCLES_AT_START, read(&CYCLES));
}

extern "C" fn on_stop(_core: c_uint, _value: *mut c_void) {
    let instructions = read(&INSTRUCTIONS) - read(&INSTRUCTIONS_AT_START);
    let cycles = read(&CYCLES) - read(&CYCLES_AT_START);
    if let Some(Windows { file, .. }) = WINDOWS.get() {
        // One write a line, before the device's answer: the host reads it when that has come. A line that
        // cannot be written is missed there.
        let _ = (&*file).write_all(format!("{instructions} {cycles}\n").as_bytes());
    }
}
