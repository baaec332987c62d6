//! Bytes to the host and back, over a pipe or a connection.

use edgepkg_runtime::server::Transport;

use crate::system::{self, Descriptor};

const BUFFER_BYTES: usize = 4096;

/// What carries bytes, with buffers, so that not every byte is a call of the system's.
pub struct Port {
    from_host: Descriptor,
    to_host: Descriptor,
    arrived: [u8; BUFFER_BYTES],
    /// Those of `arrived` that were not read yet.
    unread: core::ops::Range<usize>,
    unsent: [u8; BUFFER_BYTES],
    unsent_count: usize,
    ended: bool,
}

impl Port {
    /// A port that nothing is connected to.
    pub const fn new() -> Self {
        Self {
            from_host: Descriptor::INPUT,
            to_host: Descriptor::OUTPUT,
            arrived: [0; BUFFER_BYTES],
            unread: 0..0,
            unsent: [0; BUFFER_BYTES],
            unsent_count: 0,
            ended: false,
        }
    }

    /// Reads from one descriptor and writes to another from now on.
    pub fn connect(&mut self, from_host: Descriptor, to_host: Descriptor) {
        (self.from_host, self.to_host) = (from_host, to_host);
        (self.unread, self.unsent_count, self.ended) = (0..0, 0, false);
    }

    fn flush(&mut self) {
        let unsent = &self.unsent[..self.unsent_count];
        self.ended |= system::write_all(self.to_host, unsent).is_err();
        self.unsent_count = 0;
    }
}

impl Transport for Port {
    fn read(&mut self) -> Option<u8> {
        if self.unread.is_empty() {
            // The host waits for what was not sent before it sends more.
            self.flush();
            let count = system::read(self.from_host, &mut self.arrived).unwrap_or(0);
            self.unread = 0..count;
        }
        let next = if self.ended { None } else { self.unread.next() };
        next.map(|index| self.arrived[index])
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.unsent_count == BUFFER_BYTES {
                self.flush();
            }
            self.unsent[self.unsent_count] = byte;
            self.unsent_count += 1;
        }
    }
}
