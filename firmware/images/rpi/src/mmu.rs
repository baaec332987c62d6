//! Virtual memory: every address stands for itself; RAM is cached, devices are not, code cannot be
//! written and data cannot be executed.

use core::arch::asm;
use core::cell::UnsafeCell;

use crate::machine::{Machine, PERIPHERAL_BYTES};
use crate::registers::write_register;

const BLOCK_BYTES: usize = 2 << 20;
/// RAM that is mapped: image, arena and model slot.
const RAM_BYTES: usize = 256 << 20;
/// The first block that holds data; all before it is code.
const FIRST_DATA_BLOCK: usize = 1;

const TABLE: u64 = 0b11;
const BLOCK: u64 = 0b01;
const ACCESSED: u64 = 1 << 10;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const READ_ONLY: u64 = 0b10 << 6;
const NOT_EXECUTABLE: u64 = 0b11 << 53;
const DEVICE: u64 = 0;
const NORMAL: u64 = 1 << 2;

/// Attribute 0, all bits clear: device, nGnRnE; attribute 1: normal, write-back, allocating.
const MEMORY_ATTRIBUTES: u64 = 0xFF << 8;
/// 4 GiB of addresses from TTBR0 in 4 KiB granules, walks cached and inner shareable; TTBR1 off.
const TRANSLATION_CONTROL: u64 = 32 | 0b01 << 8 | 0b01 << 10 | 0b11 << 12 | 1 << 23;
/// Reserved ones, MMU, data cache, stack alignment check, instruction cache.
const SYSTEM_CONTROL: u64 = 0x30D0_0800 | 1 | 1 << 2 | 1 << 3 | 1 << 12;

#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; 512]>);

// SAFETY: one core runs, and only `enable` touches the tables, once, before the walks begin.
unsafe impl Sync for Table {}

impl Table {
    const fn new() -> Self {
        Self(UnsafeCell::new([0; 512]))
    }

    fn address(&self) -> u64 {
        self.0.get() as u64
    }

    /// # Safety
    ///
    /// Nothing else touches the table meanwhile; the entry is right for what lies at its addresses.
    unsafe fn set(&self, index: usize, entry: u64) {
        // SAFETY: `get_mut`'s bounds check keeps the write in the table, which is the caller's alone.
        if let Some(place) = unsafe { &mut *self.0.get() }.get_mut(index) {
            *place = entry;
        }
    }
}

static GIGABYTES: Table = Table::new();
static FIRST_GIGABYTE: Table = Table::new();
static LAST_GIGABYTE: Table = Table::new();

/// Turns MMU and caches on.
///
/// # Safety
///
/// Called once, on the only running core, at EL1 with the MMU off, with `machine`'s devices where it
/// says and the memory map of `link.ld`.
pub unsafe fn enable(machine: Machine) {
    // SAFETY: one core, MMU off, so no walk reads the tables yet. RAM and peripherals are where
    // link.ld and `machine` say, by the caller's word.
    unsafe {
        GIGABYTES.set(0, FIRST_GIGABYTE.address() | TABLE);
        GIGABYTES.set(3, LAST_GIGABYTE.address() | TABLE);
        for block in 0..RAM_BYTES / BLOCK_BYTES {
            let access = if block < FIRST_DATA_BLOCK { READ_ONLY } else { NOT_EXECUTABLE };
            let entry = (block * BLOCK_BYTES) as u64 | NORMAL | INNER_SHAREABLE | ACCESSED | BLOCK;
            FIRST_GIGABYTE.set(block, entry | access);
        }
        for offset in (0..PERIPHERAL_BYTES).step_by(BLOCK_BYTES) {
            let address = machine.peripherals + offset;
            let table = if address < 1 << 30 { &FIRST_GIGABYTE } else { &LAST_GIGABYTE };
            let entry = address as u64 | DEVICE | ACCESSED | NOT_EXECUTABLE | BLOCK;
            table.set(address % (1 << 30) / BLOCK_BYTES, entry);
        }
    }
    // SAFETY: the tables were written with the cache off, so they are in memory; what a cache may
    // hold of them from before is thrown away, as are old translations and instructions. They map
    // this code, its stack and its data onto themselves, so execution goes on where it is.
    unsafe {
        for table in [&GIGABYTES, &FIRST_GIGABYTE, &LAST_GIGABYTE] {
            for line in (0..size_of::<Table>() as u64).step_by(64) {
                asm!("dc ivac, {}", in(reg) table.address() + line, options(nostack, preserves_flags));
            }
        }
        write_register!("mair_el1", MEMORY_ATTRIBUTES);
        write_register!("tcr_el1", TRANSLATION_CONTROL);
        write_register!("ttbr0_el1", GIGABYTES.address());
        asm!("dsb sy", "tlbi vmalle1", "ic iallu", "dsb sy", "isb", options(nostack, preserves_flags));
        write_register!("sctlr_el1", SYSTEM_CONTROL);
        asm!("isb", options(nostack, preserves_flags));
    }
}
