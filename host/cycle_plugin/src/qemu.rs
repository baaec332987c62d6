//! The part of QEMU's plugin interface, version 1, that is used here: `include/qemu/qemu-plugin.h` of
//! QEMU 7.2. The emulator that loads the library has these functions.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// This plugin, to the emulator.
pub type PluginId = u64;

/// A block of instructions while it is translated.
#[repr(C)]
pub struct Block {
    _opaque: [u8; 0],
}

/// An instruction of a block.
#[repr(C)]
pub struct BlockInstruction {
    _opaque: [u8; 0],
}

/// What the emulator says of itself; not looked into.
#[repr(C)]
pub struct EmulatorInfo {
    _opaque: [u8; 0],
}

/// Called when a block is translated.
pub type OnTranslation = extern "C" fn(PluginId, *mut Block);
/// Called when a block or an instruction is about to run, with the core's number and a value.
pub type OnExecution = extern "C" fn(c_uint, *mut c_void);

/// `QEMU_PLUGIN_CB_NO_REGS`: the callback reads no registers.
pub const READS_NO_REGISTERS: c_int = 0;
/// `QEMU_PLUGIN_INLINE_ADD_U64`: the translated code adds to a 64-bit number by itself.
pub const ADD_U64: c_int = 0;

unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: PluginId, callback: OnTranslation);
    pub fn qemu_plugin_register_vcpu_tb_exec_cb(
        block: *mut Block,
        callback: OnExecution,
        flags: c_int,
        value: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut BlockInstruction,
        callback: OnExecution,
        flags: c_int,
        value: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_insn_exec_inline(
        instruction: *mut BlockInstruction,
        operation: c_int,
        number: *mut c_void,
        operand: u64,
    );
    pub fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    pub fn qemu_plugin_tb_vaddr(block: *const Block) -> u64;
    pub fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut BlockInstruction;
    pub fn qemu_plugin_insn_data(instruction: *const BlockInstruction) -> *const c_void;
    pub fn qemu_plugin_insn_size(instruction: *const BlockInstruction) -> usize;
    pub fn qemu_plugin_insn_vaddr(instruction: *const BlockInstruction) -> u64;
}

/// What [`qemu_plugin_install`](super::plugin::qemu_plugin_install) is given its arguments as.
pub type Arguments = *mut *mut c_char;
