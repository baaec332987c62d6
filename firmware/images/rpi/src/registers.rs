//! System registers and device registers.

/// Reads a system register.
macro_rules! read_register {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading a register that exists on every Armv8-A core has no effect on memory.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack, preserves_flags));
        }
        value
    }};
}

/// Writes a system register. The caller says why the value is right.
macro_rules! write_register {
    ($name:literal, $value:expr) => {
        core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) $value, options(nostack, preserves_flags))
    };
}

pub(crate) use {read_register, write_register};

/// A 32-bit device register.
#[derive(Clone, Copy)]
pub struct DeviceRegister(*mut u32);

impl DeviceRegister {
    /// The register at `address`.
    ///
    /// # Safety
    ///
    /// `address` is a 32-bit register of a device, mapped as device memory (or the MMU is off), whose
    /// reads and writes touch no memory that Rust owns.
    pub const unsafe fn at(address: usize) -> Self {
        Self(address as *mut u32)
    }

    /// Reads it.
    pub fn read(self) -> u32 {
        // SAFETY: `at` was told that this is a device's register.
        unsafe { self.0.read_volatile() }
    }

    /// Writes it.
    pub fn write(self, value: u32) {
        // SAFETY: `at` was told that this is a device's register.
        unsafe { self.0.write_volatile(value) }
    }
}
