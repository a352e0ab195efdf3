//! The detectors: one file each, from windows to findings. They own no alert's life and write no prose.

pub mod engine;
pub mod finding;
pub mod minute;
