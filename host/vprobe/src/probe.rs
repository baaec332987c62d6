//! The probe: what probe-rs drives, in place of a CMSIS-DAP probe's driver.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use probe_rs::CoreStatus;
use probe_rs::architecture::arm::sequences::ArmDebugSequence;
use probe_rs::architecture::arm::{
    ArmCommunicationInterface, ArmDebugInterface, ArmError, DapError, DapProbe, RawDapAccess, RegisterAddress,
};
use probe_rs::probe::{DebugProbe, DebugProbeError, Probe, WireProtocol};

use crate::chip::Chip;
use crate::debug_port::{self, DebugPort, Port};
use crate::fault::Fault;
use crate::memory_port::{MemoryPort, OnBus};

/// A chip that probes share: one after the other, as on a desk.
pub type SharedChip = Arc<Mutex<Chip>>;

// Registers (ADIv5, B2.2).
const ABORT: u8 = 0x0;
const READ_BUFFER: u8 = 0xC;
const DATA: u8 = 0xC;
const CLEAR_ERRORS: u32 = 0x1E;

const NAME: &str = "virtual probe";
const SPEED_KHZ: u32 = 10_000;

/// A probe whose wire ends at a chip that is stood in for.
pub struct VirtualProbe {
    chip: SharedChip,
    debug_port: DebugPort,
    memory_port: MemoryPort,
    speed_khz: u32,
}

impl fmt::Debug for VirtualProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualProbe").field("debug_port", &self.debug_port).finish_non_exhaustive()
    }
}

/// A transfer that was not answered as it should be.
enum Wire {
    Fault,
    NoAnswer,
    Unplugged,
}

impl From<debug_port::Fault> for Wire {
    fn from(_: debug_port::Fault) -> Self {
        Wire::Fault
    }
}

impl From<Wire> for ArmError {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Fault => DapError::FaultResponse.into(),
            Wire::NoAnswer => DapError::NoAcknowledge.into(),
            Wire::Unplugged => unplugged().into(),
        }
    }
}

fn unplugged() -> DebugProbeError {
    DebugProbeError::Usb(io::Error::new(io::ErrorKind::NotConnected, "the probe is not plugged in"))
}

impl VirtualProbe {
    /// A probe at `chip`.
    pub fn new(chip: SharedChip) -> Self {
        let components = lock(&chip).profile().components;
        Self {
            chip,
            debug_port: DebugPort::new(),
            memory_port: MemoryPort::new(components),
            speed_khz: SPEED_KHZ,
        }
    }

    /// It, as probe-rs takes probes.
    pub fn into_probe(self) -> Probe {
        Probe::new(self)
    }

    /// Counts `transfers` and lets what is to happen to one of them happen.
    fn wire(&mut self, transfers: usize) -> Result<(), Wire> {
        let mut chip = lock(&self.chip);
        if chip.fault() == Some(Fault::Unplugged) {
            return Err(Wire::Unplugged);
        }
        if chip.fault() == Some(Fault::PowerCut) {
            return Err(Wire::NoAnswer);
        }
        match chip.transfer(transfers as u64) {
            Some(Fault::FaultAnswer) => Err(Wire::Fault),
            Some(Fault::NoAnswer | Fault::PowerCut) => Err(Wire::NoAnswer),
            Some(Fault::Unplugged) => Err(Wire::Unplugged),
            Some(Fault::Locked | Fault::FlippedBit { .. }) | None => Ok(()),
        }
    }

    fn read(&mut self, port: Port, address: u8) -> Result<u32, Wire> {
        self.wire(1)?;
        let Self { chip, debug_port, memory_port, .. } = self;
        let mut chip = lock(chip);
        let mut ports = OnBus { port: memory_port, bus: &mut *chip };
        Ok(debug_port.read(port, address, &mut ports)?)
    }

    fn write(&mut self, port: Port, address: u8, value: u32) -> Result<(), Wire> {
        self.wire(1)?;
        let Self { chip, debug_port, memory_port, .. } = self;
        let mut chip = lock(chip);
        let mut ports = OnBus { port: memory_port, bus: &mut *chip };
        Ok(debug_port.write(port, address, value, &mut ports)?)
    }

    /// Whether `address` is the data register of the memory port, whose transfers make blocks.
    fn is_data(&self, address: RegisterAddress) -> bool {
        address.is_ap()
            && self.debug_port.selected(address.lsb()) == (0, DATA)
            && !self.debug_port.has_sticky_error()
    }

    /// What a probe's firmware does after FAULT: clears the error, so that the next transfer is answered.
    fn report(&mut self, wire: Wire) -> ArmError {
        if matches!(wire, Wire::Fault) {
            // Where the chip has stopped answering too, the first error says more.
            let _ = self.write(Port::Debug, ABORT, CLEAR_ERRORS);
        }
        wire.into()
    }

    /// A fault of the last write of an access port is told by the next transfer: a read that has no other effect.
    fn settle(&mut self) -> Result<u32, Wire> {
        self.read(Port::Debug, READ_BUFFER)
    }
}

fn lock(chip: &SharedChip) -> MutexGuard<'_, Chip> {
    // A test that panicked leaves a chip as it was.
    chip.lock().unwrap_or_else(PoisonError::into_inner)
}

fn port_of(address: RegisterAddress) -> (Port, u8) {
    (if address.is_ap() { Port::Access } else { Port::Debug }, address.lsb() & 0xC)
}

impl RawDapAccess for VirtualProbe {
    fn raw_read_register(&mut self, address: RegisterAddress) -> Result<u32, ArmError> {
        let (port, register) = port_of(address);
        let read = self.read(port, register).and_then(|value| match port {
            Port::Debug => Ok(value),
            Port::Access => self.settle(),
        });
        read.map_err(|wire| self.report(wire))
    }

    fn raw_read_block(&mut self, address: RegisterAddress, values: &mut [u32]) -> Result<(), ArmError> {
        if !self.is_data(address) {
            for value in values {
                *value = self.raw_read_register(address)?;
            }
            return Ok(());
        }
        let read = self.wire(values.len()).and_then(|()| {
            let outcome = self.memory_port.read_block(values, &mut *lock(&self.chip));
            self.debug_port.end_block(outcome);
            self.settle()
        });
        read.map(drop).map_err(|wire| self.report(wire))
    }

    fn raw_write_register(&mut self, address: RegisterAddress, value: u32) -> Result<(), ArmError> {
        let (port, register) = port_of(address);
        let written = self.write(port, register, value).and_then(|()| match port {
            Port::Debug => Ok(()),
            Port::Access => self.settle().map(drop),
        });
        written.map_err(|wire| self.report(wire))
    }

    fn raw_write_block(&mut self, address: RegisterAddress, values: &[u32]) -> Result<(), ArmError> {
        if !self.is_data(address) {
            for &value in values {
                self.raw_write_register(address, value)?;
            }
            return Ok(());
        }
        let written = self.wire(values.len()).and_then(|()| {
            let outcome = self.memory_port.write_block(values, &mut *lock(&self.chip));
            self.debug_port.end_block(outcome);
            self.settle()
        });
        written.map(drop).map_err(|wire| self.report(wire))
    }

    fn jtag_sequence(&mut self, _cycles: u8, _tms: bool, _tdi: u64) -> Result<(), DebugProbeError> {
        Err(DebugProbeError::UnsupportedProtocol(WireProtocol::Jtag))
    }

    fn swj_sequence(&mut self, _bit_len: u8, _bits: u64) -> Result<(), DebugProbeError> {
        // Resets of the line and what selects the protocol: the port is always ready.
        match self.wire(0) {
            Err(Wire::Unplugged) => Err(unplugged()),
            _ => Ok(()),
        }
    }

    fn swj_pins(&mut self, pin_out: u32, _pin_select: u32, _pin_wait: u32) -> Result<u32, DebugProbeError> {
        Ok(pin_out)
    }

    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }

    fn core_status_notification(&mut self, _state: CoreStatus) -> Result<(), DebugProbeError> {
        Ok(())
    }
}

impl DapProbe for VirtualProbe {}

impl DebugProbe for VirtualProbe {
    fn get_name(&self) -> &str {
        NAME
    }

    fn speed_khz(&self) -> u32 {
        self.speed_khz
    }

    fn set_speed(&mut self, speed_khz: u32) -> Result<u32, DebugProbeError> {
        self.speed_khz = speed_khz;
        Ok(speed_khz)
    }

    fn attach(&mut self) -> Result<(), DebugProbeError> {
        match self.wire(0) {
            Err(Wire::Unplugged) => Err(unplugged()),
            _ => Ok(()),
        }
    }

    fn detach(&mut self) -> Result<(), probe_rs::Error> {
        Ok(())
    }

    fn target_reset(&mut self) -> Result<(), DebugProbeError> {
        Err(DebugProbeError::CommandNotSupportedByProbe { command_name: "target_reset" })
    }

    fn target_reset_assert(&mut self) -> Result<(), DebugProbeError> {
        Err(DebugProbeError::CommandNotSupportedByProbe { command_name: "target_reset_assert" })
    }

    fn target_reset_deassert(&mut self) -> Result<(), DebugProbeError> {
        Err(DebugProbeError::CommandNotSupportedByProbe { command_name: "target_reset_deassert" })
    }

    fn select_protocol(&mut self, protocol: WireProtocol) -> Result<(), DebugProbeError> {
        match protocol {
            WireProtocol::Swd => Ok(()),
            WireProtocol::Jtag => Err(DebugProbeError::UnsupportedProtocol(protocol)),
        }
    }

    fn active_protocol(&self) -> Option<WireProtocol> {
        Some(WireProtocol::Swd)
    }

    fn has_arm_interface(&self) -> bool {
        true
    }

    fn try_get_arm_debug_interface<'probe>(
        self: Box<Self>,
        sequence: Arc<dyn ArmDebugSequence>,
    ) -> Result<Box<dyn ArmDebugInterface + 'probe>, (Box<dyn DebugProbe>, ArmError)> {
        Ok(ArmCommunicationInterface::create(self, sequence, false))
    }

    fn into_probe(self: Box<Self>) -> Box<dyn DebugProbe> {
        self
    }

    fn try_as_dap_probe(&mut self) -> Option<&mut dyn DapProbe> {
        Some(self)
    }
}
