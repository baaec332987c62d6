//! A chip that is stood in for: power, bus, core and flash.

use std::fs;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::ChipError;
use crate::core::{Core, State};
use crate::debug_port::BusFault;
use crate::fault::{Fault, Rule, Rules};
use crate::gdb::Register;
use crate::memory_port::Bus;
use crate::profile::{Controller, Profile};
use crate::qemu::{Emulation, Qemu};
use crate::store;
use crate::trace::{Change, TracedChange};

// nRF51's flash controller (nRF51 Series Reference Manual 3.0, 6.2).
const NVMC_CONFIG: u32 = 0x4001_E504;
const NVMC_ERASE: Range<u32> = 0x4001_E508..0x4001_E514;
const NVMC_ERASE_ALL: u32 = 0x4001_E50C;
const READ_ONLY: u32 = 0;
const WRITE_ENABLED: u32 = 1;
const ERASE_ENABLED: u32 = 2;
const NVMC_PAGE_BYTES: u32 = 1024;

const ERASED: u8 = 0xFF;

/// A chip on a desk: it has power until that is cut, and keeps its flash without.
#[derive(Debug)]
pub struct Chip {
    profile: &'static Profile,
    emulation: Emulation,
    qemu: Option<Qemu>,
    core: Core,
    /// What the flash was last known to hold.
    flash: Vec<u8>,
    /// Whether it may hold something else by now.
    is_stale: bool,
    is_locked: bool,
    rules: Rules,
    trace: Option<Vec<TracedChange>>,
    happened: Option<Fault>,
    /// How the next transfer is answered, if not as it should be.
    next_answer: Option<Fault>,
    /// Where its flash is kept from program to program.
    kept_in: Option<PathBuf>,
}

impl Drop for Chip {
    fn drop(&mut self) {
        if let Some(file) = self.kept_in.take() {
            // What cannot be kept is what it was: a board that was not flashed.
            let _ = self.flash().map(<[u8]>::to_vec).map(|flash| keep(&file, &flash));
        }
    }
}

fn keep(file: &Path, flash: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut temporary = NamedTempFile::new_in(folder)?;
    temporary.write_all(flash)?;
    temporary.persist(file)?;
    Ok(())
}

impl Chip {
    /// A chip with power and an erased flash.
    ///
    /// # Errors
    ///
    /// Where the emulator does not start.
    pub fn new(profile: &'static Profile, emulation: Emulation) -> Result<Self, ChipError> {
        let length = profile.flash.end - profile.flash.start;
        Self::with_flash(profile, emulation, vec![ERASED; length as usize])
    }

    /// A chip with power, whose flash holds `flash` from its start on and is erased behind that.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_flash(
        profile: &'static Profile,
        emulation: Emulation,
        mut flash: Vec<u8>,
    ) -> Result<Self, ChipError> {
        flash.resize((profile.flash.end - profile.flash.start) as usize, ERASED);
        let mut chip = Self {
            profile,
            emulation,
            qemu: None,
            core: Core::new(),
            flash,
            is_stale: false,
            is_locked: false,
            rules: Rules::default(),
            trace: None,
            happened: None,
            next_answer: None,
            kept_in: None,
        };
        chip.power_on()?;
        Ok(chip)
    }

    /// A chip with power, whose flash holds what `file` does, erased where there is none, and is kept there when this is
    /// dropped.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and where `file` cannot be read.
    pub fn kept_in(
        profile: &'static Profile,
        emulation: Emulation,
        file: PathBuf,
    ) -> Result<Self, ChipError> {
        let flash = match fs::read(&file) {
            Ok(flash) => flash,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(ChipError::Files(error)),
        };
        let mut chip = Self::with_flash(profile, emulation, flash)?;
        chip.kept_in = Some(file);
        Ok(chip)
    }

    /// What is simulated of it and how.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// Gives it power, if it has none: it starts from its flash.
    ///
    /// # Errors
    ///
    /// Where the emulator does not start.
    pub fn power_on(&mut self) -> Result<(), ChipError> {
        if self.qemu.is_some() {
            return Ok(());
        }
        let mut qemu = self.start_emulator()?;
        self.core = Core::new();
        self.core.start_from_reset(self.profile, &mut qemu).map_err(ChipError::Lost)?;
        self.is_stale = false;
        self.qemu = Some(qemu);
        Ok(())
    }

    /// Takes its power away. Its flash stays as it is.
    ///
    /// # Errors
    ///
    /// Where the emulator is gone.
    pub fn power_off(&mut self) -> Result<(), ChipError> {
        let remembered = self.remember_flash();
        self.qemu = None;
        remembered.map_err(ChipError::Lost)
    }

    /// What its flash holds.
    ///
    /// # Errors
    ///
    /// Where the emulator is gone.
    pub fn flash(&mut self) -> Result<&[u8], ChipError> {
        self.is_stale = true;
        self.remember_flash().map_err(ChipError::Lost)?;
        Ok(&self.flash)
    }

    /// Puts `flash` into its flash by the controller, from its start on, as after a power cut: RAM is lost, and it starts.
    ///
    /// # Errors
    ///
    /// Where the emulator is gone.
    pub fn load_flash(&mut self, flash: &[u8]) -> Result<(), ChipError> {
        let mut wanted = vec![ERASED; self.flash.len()];
        wanted[..flash.len()].copy_from_slice(flash);
        if self.qemu.is_none() || self.profile.controller == Controller::Ram || self.is_watched() {
            self.power_off()?;
            self.flash = wanted;
            return self.power_on();
        }
        self.change_flash(wanted).map_err(ChipError::Lost)
    }

    /// What a power cut does, in the emulator that runs: of the flash only pages that differ are written.
    fn change_flash(&mut self, wanted: Vec<u8>) -> io::Result<()> {
        let Some(qemu) = &mut self.qemu else { return Ok(()) };
        if self.core.state == State::Running {
            qemu.gdb.halt()?;
            self.core.forget(qemu)?;
        }
        self.is_stale = true;
        self.remember_flash()?;
        let Self { profile, flash, qemu: Some(qemu), core, .. } = self else { return Ok(()) };
        let page = NVMC_PAGE_BYTES as usize;
        let pages = (profile.flash.start..).step_by(page).zip(flash.chunks(page).zip(wanted.chunks(page)));
        for (address, (_, wanted)) in pages.filter(|(_, (found, wanted))| found != wanted) {
            configure(qemu, ERASE_ENABLED)?;
            qemu.qtest.write(NVMC_ERASE.start, &address.to_le_bytes())?;
            configure(qemu, WRITE_ENABLED)?;
            qemu.qtest.write(address, wanted)?;
        }
        configure(qemu, READ_ONLY)?;
        for ram in profile.ram() {
            qemu.qtest.write(ram.start, &vec![0; (ram.end - ram.start) as usize])?;
        }
        qemu.gdb.reset()?;
        *core = Core::new();
        core.start_from_reset(profile, qemu)?;
        self.flash = wanted;
        self.is_stale = true;
        Ok(())
    }

    /// Makes these faults happen from now on, and no others.
    pub fn set_rules(&mut self, rules: Vec<Rule>) {
        self.rules = Rules::new(rules);
        self.happened = None;
        self.watch_flash();
    }

    /// Records the changes of the flash from now on.
    pub fn record(&mut self) {
        self.trace = Some(Vec::new());
        self.watch_flash();
    }

    /// What was recorded; it is recorded no more.
    pub fn take_trace(&mut self) -> Vec<TracedChange> {
        self.trace.take().unwrap_or_default()
    }

    /// Whether the core is in an exception that has no handler.
    pub fn is_locked_up(&self) -> bool {
        self.core.state == State::LockedUp
    }

    /// The fault that happened last, of those that last.
    pub fn fault(&self) -> Option<Fault> {
        self.happened
    }

    /// Mends what lasts: gives it power, plugs the probe in, unlocks it, which erases its flash.
    ///
    /// # Errors
    ///
    /// Where the emulator does not start.
    pub fn mend(&mut self) -> Result<(), ChipError> {
        self.happened = None;
        if std::mem::take(&mut self.is_locked) {
            self.load_flash(&[])?;
        }
        self.power_on()
    }

    /// Counts `transfers` over the wire; gives the fault that is to happen to one of them.
    pub(crate) fn transfer(&mut self, transfers: u64) -> Option<Fault> {
        if let Some(answer) = self.next_answer.take() {
            return Some(answer);
        }
        let fault = self.rules.transfer(transfers)?;
        self.suffer(fault);
        match fault {
            Fault::NoAnswer | Fault::FaultAnswer => self.next_answer.take(),
            fault => Some(fault),
        }
    }

    fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::PowerCut => {
                // An emulator that is gone has no power either.
                let _ = self.power_off();
                self.happened = Some(fault);
            }
            Fault::Unplugged => self.happened = Some(fault),
            Fault::Locked => self.is_locked = true,
            Fault::FlippedBit { address, bit } => self.flip(address, bit),
            Fault::NoAnswer | Fault::FaultAnswer => self.next_answer = Some(fault),
        }
    }

    fn flip(&mut self, address: u32, bit: u8) {
        let Some(qemu) = &mut self.qemu else { return };
        let runs = self.core.state == State::Running;
        let mut flip = || {
            let mut byte = [0];
            if runs {
                qemu.gdb.halt()?;
            }
            qemu.qtest.read(address, &mut byte)?;
            qemu.gdb.corrupt(address, &[byte[0] ^ 1 << (bit % 8)])?;
            if runs { qemu.gdb.start() } else { Ok(()) }
        };
        // Of an emulator that is gone no bit matters.
        let _ = flip();
        self.is_stale = true;
    }

    fn start_emulator(&self) -> Result<Qemu, ChipError> {
        let mut qemu = Qemu::start(&self.emulation)?;
        let loaded = load(self.profile, &self.flash, &mut qemu);
        loaded.and_then(|()| self.place_watch(&mut qemu)).map_err(ChipError::Lost)?;
        Ok(qemu)
    }

    fn is_watched(&self) -> bool {
        self.trace.is_some() || self.rules.count_changes()
    }

    /// Lets the emulator stop at changes of the flash where that is asked for.
    fn watch_flash(&mut self) {
        if self.is_watched() {
            // Without power there is nothing to watch.
            let _ = self.power_off().and_then(|()| self.power_on());
        }
    }

    fn place_watch(&self, qemu: &mut Qemu) -> io::Result<()> {
        if !self.is_watched() {
            return Ok(());
        }
        for place in watched(self.profile) {
            qemu.gdb.watch_writes(place.start, place.end - place.start)?;
        }
        Ok(())
    }

    fn remember_flash(&mut self) -> io::Result<()> {
        if let Some(qemu) = self.qemu.as_mut().filter(|_| self.is_stale) {
            qemu.qtest.read(self.profile.flash.start, &mut self.flash)?;
            self.is_stale = false;
        }
        Ok(())
    }

    /// After an error of the emulator's: where it ended because its core locked up, a new one stands for that core.
    fn recover(&mut self, error: &io::Error) -> BusFault {
        let ended = self.qemu.as_mut().is_some_and(|qemu| {
            // It closes its sockets a moment before it ends.
            std::thread::sleep(std::time::Duration::from_millis(20));
            qemu.has_ended() && qemu.messages().contains("Lockup")
        });
        self.qemu = None;
        let locked_up = ended && error.kind() != io::ErrorKind::TimedOut;
        if locked_up && let Ok(qemu) = self.start_emulator() {
            self.qemu = Some(qemu);
            self.core = Core::new();
            self.core.state = State::LockedUp;
        }
        BusFault
    }

    fn read_core(&mut self, address: u32) -> io::Result<u32> {
        let is_watched = self.is_watched();
        let Self { profile, qemu: Some(qemu), core, flash, rules, trace, .. } = self else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut fault = None;
        let mut on_write = |qemu: &mut Qemu, at: u32| {
            for change in finish_store(profile, flash, qemu, at)? {
                change.change.apply(flash);
                if let Some(trace) = trace {
                    trace.push(change);
                }
                fault = fault.or(rules.change());
            }
            if trace.is_none() && !rules.count_changes() {
                for place in watched(profile) {
                    qemu.gdb.unwatch_writes(place.start, place.end - place.start)?;
                }
            }
            // Without power the core does not go on; whatever else happens, it does.
            Ok(fault != Some(Fault::PowerCut))
        };
        let on_write: Option<crate::core::OnWrite<'_>> = if is_watched { Some(&mut on_write) } else { None };
        let value = core.read(address, profile, qemu, on_write)?;
        if let Some(fault) = fault {
            self.suffer(fault);
        }
        Ok(value)
    }

    fn write_core(&mut self, address: u32, value: u32) -> io::Result<()> {
        let Self { profile, qemu: Some(qemu), core, .. } = self else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if core.starts_program_by(address, value, profile, qemu)? {
            // What runs then may end the emulator, with all that was written.
            self.remember_flash()?;
        }
        let Self { profile, qemu: Some(qemu), core, .. } = self else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        core.write(address, value, profile, qemu)?;
        self.is_stale |= core.state == State::Running;
        Ok(())
    }
}

/// What is written to when a flash changes.
fn watched(profile: &Profile) -> Vec<Range<u32>> {
    match profile.controller {
        Controller::Nvmc => vec![profile.flash.clone(), NVMC_ERASE],
        Controller::Ram => vec![profile.flash.clone()],
    }
}

fn overlap(a: &Range<u32>, b: &Range<u32>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Lets the core finish the store that a watchpoint stopped it at, and says what that changed, by what the flash was
/// known to hold. An emulator that stops behind a store names its address, `at`.
fn finish_store(profile: &Profile, known: &[u8], qemu: &mut Qemu, at: u32) -> io::Result<Vec<TracedChange>> {
    let program_counter = qemu.gdb.read_register(Register::PROGRAM_COUNTER)?;
    let watched = watched(profile);
    let pending = store::destination(qemu, program_counter)?
        .filter(|place| watched.iter().any(|watched| overlap(watched, place)));
    if pending.is_some() {
        for place in &watched {
            qemu.gdb.unwatch_writes(place.start, place.end - place.start)?;
        }
        qemu.gdb.step()?;
        for place in &watched {
            qemu.gdb.watch_writes(place.start, place.end - place.start)?;
        }
    }
    let place = pending.unwrap_or(at..at + 4);
    if overlap(&NVMC_ERASE, &place) {
        let mut now = vec![0; known.len()];
        qemu.qtest.read(profile.flash.start, &mut now)?;
        let page = NVMC_PAGE_BYTES as usize;
        let pages = (profile.flash.start..).step_by(page).zip(known.chunks(page).zip(now.chunks(page)));
        let erased = pages.filter(|(_, (known, now))| known != now);
        return Ok(erased
            .map(|(address, _)| TracedChange {
                change: Change::Erased { address, length: NVMC_PAGE_BYTES },
                program_counter,
            })
            .collect());
    }
    let mut changed = Vec::new();
    for address in (place.start & !3..place.end).step_by(4) {
        let mut word = [0; 4];
        qemu.qtest.read(address, &mut word)?;
        let place = (address - profile.flash.start) as usize;
        if known.get(place..place + 4).is_some_and(|known| known != word) {
            let change = Change::Written { address, value: u32::from_le_bytes(word) };
            changed.push(TracedChange { change, program_counter });
        }
    }
    Ok(changed)
}

/// What the controller of nRF51's flash may do.
fn configure(qemu: &mut Qemu, value: u32) -> io::Result<()> {
    qemu.qtest.write(NVMC_CONFIG, &value.to_le_bytes())
}

/// Puts `flash` into the fresh emulator's, by what controls it, and resets its core.
fn load(profile: &Profile, flash: &[u8], qemu: &mut Qemu) -> io::Result<()> {
    match profile.controller {
        Controller::Nvmc => {
            configure(qemu, ERASE_ENABLED)?;
            qemu.qtest.write(NVMC_ERASE_ALL, &1u32.to_le_bytes())?;
            configure(qemu, WRITE_ENABLED)?;
            write_what_is_not_erased(profile, flash, qemu)?;
            configure(qemu, READ_ONLY)?;
        }
        Controller::Ram => qemu.qtest.write(profile.flash.start, flash)?,
    }
    qemu.gdb.reset()
}

fn write_what_is_not_erased(profile: &Profile, flash: &[u8], qemu: &mut Qemu) -> io::Result<()> {
    let page = NVMC_PAGE_BYTES as usize;
    let pages = (profile.flash.start..).step_by(page).zip(flash.chunks(page));
    for (address, bytes) in pages.filter(|(_, bytes)| bytes.iter().any(|byte| *byte != ERASED)) {
        qemu.qtest.write(address, bytes)?;
    }
    Ok(())
}

impl Bus for Chip {
    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BusFault> {
        if self.is_locked || !self.profile.is_mapped(address, bytes.len()) {
            return Err(BusFault);
        }
        if bytes.len() == 4 {
            let word = match self.profile.overlay(address) {
                Some(word) => Some(word),
                None if self.core.has(address) => {
                    Some(self.read_core(address).map_err(|error| self.recover(&error))?)
                }
                None => None,
            };
            if let Some(word) = word {
                bytes.copy_from_slice(&word.to_le_bytes());
                return Ok(());
            }
        }
        let qemu = self.qemu.as_mut().ok_or(BusFault)?;
        let read = qemu.qtest.read(address, bytes);
        read.map_err(|error| self.recover(&error))
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BusFault> {
        if self.is_locked || !self.profile.is_mapped(address, bytes.len()) {
            return Err(BusFault);
        }
        if let (true, &[a, b, c, d]) = (self.core.has(address), bytes) {
            let written = self.write_core(address, u32::from_le_bytes([a, b, c, d]));
            return written.map_err(|error| self.recover(&error));
        }
        self.is_stale = true;
        let qemu = self.qemu.as_mut().ok_or(BusFault)?;
        let written = qemu.qtest.write(address, bytes);
        written.map_err(|error| self.recover(&error))
    }
}
