//! What a worker may take: memory and time.
//!
//! On Linux the system holds the worker to both. Elsewhere only the time is limited, by the process that
//! waits for the answer.

use std::io;

/// What reading one file may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Address space beside the file's own size, in MiB.
    pub memory_mib: u64,
    /// Seconds, of the clock and of the processor.
    pub seconds: u64,
}

impl Default for Limits {
    /// 1 GiB and a minute: the largest constants that are read fit three times.
    fn default() -> Self {
        Self { memory_mib: 1024, seconds: 60 }
    }
}

impl Limits {
    /// Bytes of address space for a file of `file_bytes`.
    pub fn memory_bytes(&self, file_bytes: usize) -> u64 {
        (self.memory_mib << 20).saturating_add(file_bytes as u64)
    }
}

/// Limits this process for good: its address space, its processor time, and that it writes no file and
/// leaves no image of its memory when it dies.
///
/// # Errors
///
/// When the system refuses.
#[cfg(target_os = "linux")]
pub fn limit_this_process(memory_bytes: u64, cpu_seconds: u64) -> io::Result<()> {
    use rlimit::Resource;

    let limits = [
        (Resource::AS, memory_bytes),
        (Resource::CPU, cpu_seconds),
        (Resource::FSIZE, 0),
        (Resource::CORE, 0),
    ];
    for (resource, limit) in limits {
        let limit = limit.min(resource.get_hard()?);
        resource.set(limit, limit)?;
    }
    Ok(())
}

/// Does nothing: this system's limits are not known here.
///
/// # Errors
///
/// None.
#[cfg(not(target_os = "linux"))]
pub fn limit_this_process(_memory_bytes: u64, _cpu_seconds: u64) -> io::Result<()> {
    Ok(())
}
