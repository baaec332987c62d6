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

    /// Shows that of `total` steps of `what` `done` are done.
    pub fn show(&self, what: &'static str, done: usize, total: usize) {
        if self.bar.length() != Some(total as u64) {
            let template = "{spinner} {msg:<12} {bar:32} {pos}/{len}";
            self.bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
            self.bar.set_length(total as u64);
        }
        self.bar.set_message(what);
        self.bar.set_position(done as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
