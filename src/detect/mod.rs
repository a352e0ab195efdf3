//! The detectors: one file each, from windows to findings. They own no alert's life and write no prose.

pub mod behaviour;
pub mod budget;
pub mod confidence;
pub mod connect_flood;
pub mod engine;
pub mod exhaustion;
pub mod family;
pub mod finding;
pub mod foreign_surge;
pub mod minute;
pub mod outage;
pub mod overload;
pub mod protection;
pub mod rush;
pub mod sensor_blind;
pub mod slow_client;
pub mod slow_read;
pub mod syn_flood;
pub mod view;
mod watched;
