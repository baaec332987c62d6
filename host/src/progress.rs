//! Progress bars: on a terminal only.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws how far long work is, on standard error where that is a terminal and nowhere else. What it drew is
/// gone when it is dropped.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar that does not know yet how much there is to do.
    pub fn new(what: &'static str) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a constant template"));
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Writes a line above the bar; where there is none, to standard error all the same.
    pub fn say(&self, line: &str) {
        match self.bar.is_hidden() {
            true => eprintln!("{line}"),
            false => self.bar.println(line),
        }
    }

    /// Shows that of `total` steps of `what` `done` are done.
    pub fn show(&self, what: &'static str, done: usize, total: usize) {
        self.show_as("{spinner} {msg:<12} {bar:32} {pos}/{len}", what, done as u64, total as u64);
    }

    /// Shows that of `total` bytes of `what` `done` are done.
    pub fn show_bytes(&self, what: &'static str, done: u64, total: u64) {
        self.show_as("{spinner} {msg:<12} {bar:32} {binary_bytes}/{binary_total_bytes}", what, done, total);
    }

    fn show_as(&self, template: &'static str, what: &'static str, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
            self.bar.set_length(total);
        }
        self.bar.set_message(what);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
