//! A debug port as Arm's specification has it ("ADIv5", Arm IHI 0031): what answers the wire's transfers.

/// Registers of an access port, behind the debug port.
pub trait AccessPorts {
    /// Reads the register at `address` of access port `port`.
    ///
    /// # Errors
    ///
    /// Where the bus behind it refuses.
    fn read(&mut self, port: u8, address: u8) -> Result<u32, BusFault>;

    /// Writes the register at `address` of access port `port`.
    ///
    /// # Errors
    ///
    /// Where the bus behind it refuses.
    fn write(&mut self, port: u8, address: u8, value: u32) -> Result<(), BusFault>;
}

/// A bus access that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bus refuses the access")]
pub struct BusFault;

/// An answer that is not OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// Which registers a transfer goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The debug port's own.
    Debug,
    /// Those of the access port that SELECT names.
    Access,
}

/// Revision 0, minimal no, version 1, designed by Arm: what Cortex-M0's debug port says.
const IDENTIFICATION: u32 = 0x0BB1_1477;

// Registers of the debug port (B2.2).
const DPIDR: u8 = 0x0;
const ABORT: u8 = 0x0;
const CONTROL: u8 = 0x4;
const RESEND: u8 = 0x8;
const SELECT: u8 = 0x8;
const READ_BUFFER: u8 = 0xC;

// CTRL/STAT (B2.2.2).
const STICKY_ERROR: u32 = 1 << 5;
const POWER_UP_REQUESTS: u32 = 1 << 28 | 1 << 30;
const WRITABLE: u32 = POWER_UP_REQUESTS | 1 << 26 | 0x003F_FF0D;
// ABORT (B2.2.1): the bit that clears the sticky error.
const CLEAR_STICKY_ERROR: u32 = 1 << 2;

/// The port: its state between transfers.
#[derive(Debug, Default)]
pub struct DebugPort {
    select: u32,
    control: u32,
    sticky_error: bool,
    /// The result of the last read of an access port, which the next one gives.
    read_buffer: u32,
}

impl DebugPort {
    /// A port after power-on.
    pub fn new() -> Self {
        Self::default()
    }

    /// A transfer that reads. A read of an access port gives the result of the read before it; the last result is in
    /// RDBUFF.
    ///
    /// # Errors
    ///
    /// The answer FAULT: after an error of the bus, until ABORT clears it.
    pub fn read(&mut self, port: Port, address: u8, ports: &mut impl AccessPorts) -> Result<u32, Fault> {
        match (port, address) {
            (Port::Debug, DPIDR) => Ok(IDENTIFICATION),
            // Other banks of this register belong to later versions.
            (Port::Debug, CONTROL) if self.select & 0xF == 0 => Ok(self.status()),
            (Port::Debug, CONTROL) => Ok(0),
            _ if self.sticky_error => Err(Fault),
            (Port::Debug, RESEND | READ_BUFFER) => Ok(self.read_buffer),
            (Port::Debug, _) => Ok(0),
            (Port::Access, _) => {
                let before = self.read_buffer;
                let (selected, address) = self.selected(address);
                match self.powered().and_then(|()| ports.read(selected, address)) {
                    Ok(value) => self.read_buffer = value,
                    Err(BusFault) => self.sticky_error = true,
                }
                Ok(before)
            }
        }
    }

    /// A transfer that writes.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn write(
        &mut self,
        port: Port,
        address: u8,
        value: u32,
        ports: &mut impl AccessPorts,
    ) -> Result<(), Fault> {
        match (port, address) {
            (Port::Debug, ABORT) => {
                if value & CLEAR_STICKY_ERROR != 0 {
                    self.sticky_error = false;
                }
                Ok(())
            }
            _ if self.sticky_error => Err(Fault),
            (Port::Debug, CONTROL) => {
                if self.select & 0xF == 0 {
                    self.control = value & WRITABLE;
                }
                Ok(())
            }
            (Port::Debug, SELECT) => {
                self.select = value;
                Ok(())
            }
            (Port::Debug, _) => Ok(()),
            (Port::Access, _) => {
                let (selected, address) = self.selected(address);
                let written = self.powered().and_then(|()| ports.write(selected, address, value));
                self.sticky_error = written.is_err();
                Ok(())
            }
        }
    }

    /// The access port and the register that SELECT makes of `address`, or of a transfer to a block of them.
    pub fn selected(&self, address: u8) -> (u8, u8) {
        ((self.select >> 24) as u8, (self.select & 0xF0) as u8 | address & 0xC)
    }

    /// What a block of transfers to an access port ended in.
    pub fn end_block(&mut self, outcome: Result<(), BusFault>) {
        self.sticky_error |= outcome.is_err();
    }

    /// Whether an error of the bus waits to be cleared.
    pub fn has_sticky_error(&self) -> bool {
        self.sticky_error
    }

    /// Access ports answer once debugging and the system are powered (B2.4).
    fn powered(&self) -> Result<(), BusFault> {
        if self.control & POWER_UP_REQUESTS == POWER_UP_REQUESTS { Ok(()) } else { Err(BusFault) }
    }

    /// CTRL/STAT: power is there as soon as it is asked for.
    fn status(&self) -> u32 {
        let acknowledged = (self.control & POWER_UP_REQUESTS) << 1;
        self.control | acknowledged | if self.sticky_error { STICKY_ERROR } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Access port 1 has registers; others are not there.
    struct Registers([u32; 64]);

    impl AccessPorts for Registers {
        fn read(&mut self, port: u8, address: u8) -> Result<u32, BusFault> {
            if port == 1 { Ok(self.0[usize::from(address / 4)]) } else { Err(BusFault) }
        }

        fn write(&mut self, port: u8, address: u8, value: u32) -> Result<(), BusFault> {
            if port != 1 {
                return Err(BusFault);
            }
            self.0[usize::from(address / 4)] = value;
            Ok(())
        }
    }

    fn powered() -> (DebugPort, Registers) {
        let (mut port, mut registers) = (DebugPort::new(), Registers([0; 64]));
        port.write(Port::Debug, CONTROL, POWER_UP_REQUESTS, &mut registers).unwrap();
        (port, registers)
    }

    #[test]
    fn power_is_acknowledged_when_it_is_asked_for() {
        let (mut port, mut registers) = (DebugPort::new(), Registers([0; 64]));
        assert_eq!(port.read(Port::Debug, DPIDR, &mut registers), Ok(0x0BB1_1477));
        assert_eq!(port.read(Port::Debug, CONTROL, &mut registers), Ok(0));
        port.write(Port::Debug, CONTROL, 1 << 28, &mut registers).unwrap();
        assert_eq!(port.read(Port::Debug, CONTROL, &mut registers), Ok(1 << 28 | 1 << 29));
        port.write(Port::Debug, CONTROL, POWER_UP_REQUESTS, &mut registers).unwrap();
        assert_eq!(port.read(Port::Debug, CONTROL, &mut registers), Ok(0xF000_0000));
    }

    #[test]
    fn access_ports_do_not_answer_without_power() {
        let (mut port, mut registers) = (DebugPort::new(), Registers([0; 64]));
        port.write(Port::Debug, SELECT, 1 << 24, &mut registers).unwrap();
        port.write(Port::Access, 4, 7, &mut registers).unwrap();
        assert!(port.has_sticky_error());
        assert_eq!(registers.0[1], 0);
    }

    #[test]
    fn reads_of_access_ports_give_the_result_of_the_one_before() {
        let (mut port, mut registers) = powered();
        port.write(Port::Debug, SELECT, 1 << 24, &mut registers).unwrap();
        port.write(Port::Access, 0, 11, &mut registers).unwrap();
        port.write(Port::Access, 4, 22, &mut registers).unwrap();
        assert_eq!(port.read(Port::Access, 0, &mut registers), Ok(0));
        assert_eq!(port.read(Port::Access, 4, &mut registers), Ok(11));
        assert_eq!(port.read(Port::Debug, READ_BUFFER, &mut registers), Ok(22));
    }

    #[test]
    fn select_chooses_port_and_bank() {
        let (mut port, mut registers) = powered();
        port.write(Port::Debug, SELECT, 1 << 24 | 0xF0, &mut registers).unwrap();
        port.write(Port::Access, 0xC, 5, &mut registers).unwrap();
        assert_eq!(registers.0[0xFC / 4], 5);
    }

    #[test]
    fn an_error_of_the_bus_sticks_until_it_is_cleared() {
        let (mut port, mut registers) = powered();
        port.write(Port::Debug, SELECT, 2 << 24, &mut registers).unwrap();
        port.read(Port::Access, 0, &mut registers).unwrap();
        assert_eq!(port.read(Port::Debug, READ_BUFFER, &mut registers), Err(Fault));
        assert_eq!(port.write(Port::Debug, SELECT, 0, &mut registers), Err(Fault));
        assert_eq!(port.read(Port::Debug, CONTROL, &mut registers), Ok(0xF000_0000 | STICKY_ERROR));
        assert_eq!(port.read(Port::Debug, DPIDR, &mut registers), Ok(IDENTIFICATION));
        port.write(Port::Debug, ABORT, CLEAR_STICKY_ERROR, &mut registers).unwrap();
        assert_eq!(port.read(Port::Debug, READ_BUFFER, &mut registers), Ok(0));
    }
}
