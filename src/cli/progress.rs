//! A progress bar on the terminal, fed by how much of the files was read.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::source::{CaptureDrops, FileSource, Frame, PacketSource, Progress, SourceError};

/// A file source that shows how far it has come.
pub(super) struct Watched {
    source: FileSource,
    bar: ProgressBar,
}

impl Watched {
    /// Shows a bar if standard error is a terminal and `wanted`.
    pub(super) fn new(source: FileSource, wanted: bool) -> Self {
        let shown = wanted && std::io::stderr().is_terminal();
        let bar = match source.bytes_total() {
            _ if !shown => ProgressBar::hidden(),
            Some(total) => ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
                .with_style(style("{wide_bar} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left")),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
                .with_style(style("{spinner} {bytes} read  {bytes_per_sec}")),
        };
        Self { source, bar }
    }
}

impl PacketSource for Watched {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        let progress = self.source.poll(on_frame);
        if !self.bar.is_hidden() {
            self.bar.set_position(self.source.bytes_read());
        }
        progress
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        self.source.drops()
    }
}

impl Drop for Watched {
    /// What is printed next must not stand beside a bar.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Shows seconds that pass, if standard error is a terminal and `wanted`.
pub(super) fn seconds(total: u64, wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
        .with_style(style("{wide_bar} {pos} of {len} s"))
}

/// Shows how many of several things are done, if standard error is a terminal and `wanted`.
pub(super) fn counted(total: u64, of_what: &str, wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
        .with_style(style(&format!("{{wide_bar}} {{pos}} of {{len}} {of_what}  {{eta}} left")))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
