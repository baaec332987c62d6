//! The core's debug registers (Armv6-M ARM, DDI 0419, C1.6; Armv7-M ARM, DDI 0403, C1.6), over QEMU's GDB server.

use std::io;
use std::time::Duration;

use crate::gdb::{Register, Stop};
use crate::profile::Profile;
use crate::qemu::Qemu;

/// What a core does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Halted,
    /// An exception has no handler that can run. The emulator, which would end there, is not told to run.
    LockedUp,
}

// Registers.
const AIRCR: u32 = 0xE000_ED0C;
const DFSR: u32 = 0xE000_ED30;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
const FP_CTRL: u32 = 0xE000_2000;
const FP_COMPARATORS: u32 = 0xE000_2008;
const COMPARATORS: usize = 4;

// DHCSR.
const DEBUG_KEY: u32 = 0xA05F;
const C_DEBUG_ENABLE: u32 = 1 << 0;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const S_REGISTER_READY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
const S_LOCKUP: u32 = 1 << 19;
const S_RESET: u32 = 1 << 25;
// DFSR.
const HALTED: u32 = 1 << 0;
const BREAKPOINT: u32 = 1 << 1;
const VECTOR_CATCH: u32 = 1 << 3;
// DEMCR: halt at the reset vector.
const CATCH_RESET: u32 = 1 << 0;
// AIRCR.
const RESET_KEY: u32 = 0x05FA;
const SYSTEM_RESET: u32 = 1 << 2;

/// What a core that locked up has in its program counter (B1.5.15).
const LOCKUP_ADDRESS: u32 = 0xFFFF_FFFE;

/// How long a core whose flash is watched is waited for at once: every stop of it takes longer than flash would, and the
/// time that a chip is given to program a page is real time.
const WATCHED_PATIENCE: Duration = Duration::from_millis(500);

/// What is done at every write that a watchpoint sees. `false` leaves the core halted.
pub(crate) type OnWrite<'w> = &'w mut dyn FnMut(&mut Qemu, u32) -> io::Result<bool>;

#[derive(Debug)]
pub(crate) struct Core {
    pub state: State,
    control: u32,
    exceptions: u32,
    reasons: u32,
    transfer: u32,
    was_reset: bool,
    breakpoint_control: u32,
    comparators: [u32; COMPARATORS],
    /// Breakpoints that QEMU knows while the core runs.
    placed: Vec<u32>,
}

impl Core {
    /// A core out of a reset that stands still.
    pub fn new() -> Self {
        Self {
            state: State::Halted,
            control: 0,
            exceptions: 0,
            reasons: 0,
            transfer: 0,
            was_reset: true,
            breakpoint_control: 0,
            comparators: [0; COMPARATORS],
            placed: Vec::new(),
        }
    }

    /// Whether the register at `address` is answered here.
    pub fn has(&self, address: u32) -> bool {
        matches!(address, DFSR | DHCSR | DCRSR | DCRDR | DEMCR | AIRCR)
            || (FP_CTRL..FP_CTRL + 0x1000).contains(&address)
    }

    /// A register's value.
    pub fn read(
        &mut self,
        address: u32,
        profile: &Profile,
        qemu: &mut Qemu,
        on_write: Option<OnWrite<'_>>,
    ) -> io::Result<u32> {
        Ok(match address {
            DHCSR => {
                self.poll(qemu, on_write)?;
                self.status()
            }
            DFSR => self.reasons,
            DCRDR => self.transfer,
            DEMCR => self.exceptions,
            AIRCR => 0xFA05 << 16,
            FP_CTRL => profile.breakpoint_unit | self.breakpoint_control,
            _ => self.comparator(address).map_or(0, |comparator| *comparator),
        })
    }

    /// Writes a register.
    pub fn write(&mut self, address: u32, value: u32, profile: &Profile, qemu: &mut Qemu) -> io::Result<()> {
        match address {
            DHCSR if value >> 16 == DEBUG_KEY => self.control(value & 0xFFFF, profile, qemu)?,
            DFSR => self.reasons &= !value,
            DCRSR => self.transfer_register(value, qemu)?,
            DCRDR => self.transfer = value,
            DEMCR => self.exceptions = value,
            AIRCR if value >> 16 == RESET_KEY && value & SYSTEM_RESET != 0 => self.reset(profile, qemu)?,
            FP_CTRL if value & 2 != 0 => self.breakpoint_control = value & 1,
            _ => {
                if let Some(comparator) = self.comparator(address) {
                    *comparator = value;
                }
            }
        }
        Ok(())
    }

    /// Whether writing `value` lets a program in flash run.
    pub fn starts_program_by(
        &self,
        address: u32,
        value: u32,
        profile: &Profile,
        qemu: &mut Qemu,
    ) -> io::Result<bool> {
        match address {
            AIRCR => Ok(self.exceptions & CATCH_RESET == 0),
            DHCSR if self.state == State::Halted && value & C_HALT == 0 => {
                let at = qemu.gdb.read_register(Register::PROGRAM_COUNTER)?;
                Ok(profile.flash.contains(&at))
            }
            _ => Ok(false),
        }
    }

    fn comparator(&mut self, address: u32) -> Option<&mut u32> {
        let index = address.checked_sub(FP_COMPARATORS)? / 4;
        self.comparators.get_mut(index as usize)
    }

    fn status(&mut self) -> u32 {
        let state = match self.state {
            State::Running => 0,
            State::Halted => S_HALT,
            State::LockedUp => S_LOCKUP,
        };
        let reset = if std::mem::take(&mut self.was_reset) { S_RESET } else { 0 };
        self.control | state | reset | S_REGISTER_READY
    }

    fn control(&mut self, control: u32, profile: &Profile, qemu: &mut Qemu) -> io::Result<()> {
        self.control = control & 0xF;
        let halt = control & C_HALT != 0 && control & C_DEBUG_ENABLE != 0;
        match (self.state, halt) {
            (State::Running, true) => {
                qemu.gdb.halt()?;
                self.has_stopped(qemu, HALTED)
            }
            (State::LockedUp, true) => {
                self.state = State::Halted;
                self.reasons |= HALTED;
                qemu.gdb.write_register(Register::PROGRAM_COUNTER, LOCKUP_ADDRESS)
            }
            (State::Halted, false) if control & C_STEP != 0 => self.step(profile, qemu),
            (State::Halted, false) => self.resume(profile, qemu),
            _ => Ok(()),
        }
    }

    /// Sees whether the running core has stopped.
    fn poll(&mut self, qemu: &mut Qemu, mut on_write: Option<OnWrite<'_>>) -> io::Result<()> {
        let patience = if on_write.is_some() { WATCHED_PATIENCE } else { Duration::ZERO };
        while self.state == State::Running {
            match qemu.gdb.stopped(patience)? {
                None => return Ok(()),
                Some(Stop::Halted) => self.has_stopped(qemu, BREAKPOINT)?,
                Some(Stop::Wrote(address)) => {
                    let goes_on = match &mut on_write {
                        Some(on_write) => on_write(qemu, address)?,
                        None => true,
                    };
                    if goes_on { qemu.gdb.start()? } else { self.has_stopped(qemu, HALTED)? }
                }
            }
        }
        Ok(())
    }

    /// Lets the emulator forget the breakpoints of a core that was halted behind this one's back.
    pub fn forget(&mut self, qemu: &mut Qemu) -> io::Result<()> {
        self.has_stopped(qemu, 0)
    }

    fn has_stopped(&mut self, qemu: &mut Qemu, reason: u32) -> io::Result<()> {
        self.state = State::Halted;
        self.reasons |= reason;
        for address in std::mem::take(&mut self.placed) {
            qemu.gdb.clear_breakpoint(address)?;
        }
        Ok(())
    }

    /// Whether it stands at an instruction that it executes; otherwise it is locked up, or halted at a breakpoint.
    fn can_go_on(&mut self, profile: &Profile, qemu: &mut Qemu) -> io::Result<bool> {
        let at = qemu.gdb.read_register(Register::PROGRAM_COUNTER)?;
        if !is_executable(profile, at) {
            self.state = State::LockedUp;
            return Ok(false);
        }
        if is_breakpoint(qemu, at)? {
            self.reasons |= BREAKPOINT;
            return Ok(false);
        }
        Ok(true)
    }

    fn step(&mut self, profile: &Profile, qemu: &mut Qemu) -> io::Result<()> {
        if !self.can_go_on(profile, qemu)? {
            return Ok(());
        }
        qemu.gdb.step()?;
        self.reasons |= HALTED;
        Ok(())
    }

    /// Lets the core run from where it is.
    fn resume(&mut self, profile: &Profile, qemu: &mut Qemu) -> io::Result<()> {
        if !self.can_go_on(profile, qemu)? {
            return Ok(());
        }
        // QEMU does not halt at a breakpoint instruction, so it is told of the one that a called function returns to.
        let returns_to = qemu.gdb.read_register(Register::LINK)? & !1;
        if profile.is_mapped(returns_to, 2) && is_breakpoint(qemu, returns_to)? {
            self.placed.push(returns_to);
        }
        if self.breakpoint_control != 0 {
            self.placed.extend(self.comparators.iter().filter_map(|comparator| matched(*comparator)));
        }
        for &address in &self.placed {
            qemu.gdb.set_breakpoint(address)?;
        }
        qemu.gdb.start()?;
        self.state = State::Running;
        Ok(())
    }

    fn reset(&mut self, profile: &Profile, qemu: &mut Qemu) -> io::Result<()> {
        if self.state == State::Running {
            qemu.gdb.halt()?;
            self.has_stopped(qemu, 0)?;
        }
        qemu.gdb.reset()?;
        self.was_reset = true;
        self.breakpoint_control = 0;
        self.reasons = 0;
        self.start_from_reset(profile, qemu)
    }

    /// After a reset: halts where the debugger catches it, else runs.
    pub fn start_from_reset(&mut self, profile: &Profile, qemu: &mut Qemu) -> io::Result<()> {
        self.state = State::Halted;
        if self.control & C_DEBUG_ENABLE != 0 && self.exceptions & CATCH_RESET != 0 {
            self.reasons |= VECTOR_CATCH;
            return Ok(());
        }
        self.resume(profile, qemu)
    }

    fn transfer_register(&mut self, request: u32, qemu: &mut Qemu) -> io::Result<()> {
        let register = match request & 0x7F {
            number @ 0..=15 => Register::General(number as u8),
            16 => Register::Xpsr,
            // The stack pointers by name: the one in use is the main one.
            17 => Register::STACK_POINTER,
            // The special registers, which nothing here uses.
            _ => {
                self.transfer = 0;
                return Ok(());
            }
        };
        if request & 1 << 16 != 0 {
            return qemu.gdb.write_register(register, self.transfer);
        }
        self.transfer = qemu.gdb.read_register(register)?;
        Ok(())
    }
}

/// The address that a comparator of the breakpoint unit's first version matches.
fn matched(comparator: u32) -> Option<u32> {
    let word = comparator & 0x1FFF_FFFC;
    match (comparator & 1, comparator >> 30) {
        (1, 1) => Some(word),
        (1, 2) => Some(word | 2),
        _ => None,
    }
}

/// Whether an instruction can be fetched at `address`.
fn is_executable(profile: &Profile, address: u32) -> bool {
    address < 0x4000_0000 && profile.is_mapped(address, 2)
}

fn is_breakpoint(qemu: &mut Qemu, address: u32) -> io::Result<bool> {
    let mut instruction = [0; 2];
    qemu.qtest.read(address & !1, &mut instruction)?;
    Ok(instruction[1] == 0xBE)
}

#[cfg(test)]
mod tests {
    use super::matched;

    #[test]
    fn comparators_match_a_half_of_a_word() {
        assert_eq!(matched(0x4000_1001), Some(0x1000));
        assert_eq!(matched(0x8000_1001), Some(0x1002));
        assert_eq!(matched(0x4000_1000), None);
        assert_eq!(matched(0), None);
    }
}
