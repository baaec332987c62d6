//! Our lines in config.txt, between two lines of comment. All others are the user's.

use std::fmt::Write as _;

use edgepkg_boards::Memory;

const BEGIN: &str = "# >>> edgepkg: these lines are written by `edgepkg flash`";
const END: &str = "# <<< edgepkg";

/// `existing` with our lines in it: where they were, else at its end. Its own lines stay as they are,
/// byte for byte; line ends are those of its first line.
///
/// The firmware is told to start the runner in 64-bit mode at the start of the code region, to put
/// `model_file` at the start of the model slot, and to give GPIO 14 and 15 to the PL011, clocked at
/// 48 MHz. `[all]` ends any filter such as `[pi4]`.
pub fn merged(existing: &[u8], model_file: &str, memory: &Memory) -> Vec<u8> {
    let mut settings = String::new();
    for line in [BEGIN, "[all]", "arm_64bit=1", "kernel=kernel8.img", "auto_initramfs=0"] {
        let _ = writeln!(settings, "{line}");
    }
    let _ = writeln!(settings, "kernel_address={:#010x}", memory.code.start);
    let _ = writeln!(settings, "initramfs {model_file} {:#010x}", memory.model_slot.start);
    for line in ["enable_uart=1", "init_uart_clock=48000000", "dtoverlay=disable-bt", END] {
        let _ = writeln!(settings, "{line}");
    }
    let first_line = existing.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
    if first_line.ends_with(b"\r\n") {
        settings = settings.replace('\n', "\r\n");
    }

    let lines: Vec<&[u8]> = existing.split_inclusive(|&byte| byte == b'\n').collect();
    let place = |mark: &str| lines.iter().position(|line| line.trim_ascii() == mark.as_bytes());
    let own = match (place(BEGIN), place(END)) {
        (Some(begin), Some(end)) if begin < end => begin..end + 1,
        _ => lines.len()..lines.len(),
    };
    let mut merged = users_lines(&lines[..own.start]);
    if merged.last().is_some_and(|&byte| byte != b'\n') {
        merged.extend_from_slice(if first_line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" });
    }
    merged.extend_from_slice(settings.as_bytes());
    merged.extend(users_lines(&lines[own.end..]));
    merged
}

/// `lines` without marks that have no partner: they would make the user's lines look like ours the next
/// time.
fn users_lines(lines: &[&[u8]]) -> Vec<u8> {
    let is_mark = |line: &[u8]| [BEGIN, END].iter().any(|mark| line.trim_ascii() == mark.as_bytes());
    lines.iter().filter(|line| !is_mark(line)).copied().collect::<Vec<_>>().concat()
}
