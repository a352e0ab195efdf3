//! The detectors: one file each, from windows to findings. They own no alert's life and write no prose.

pub mod amplification;
pub mod behaviour;
pub mod budget;
mod carpet_bombing;
pub mod confidence;
pub mod connect_flood;
pub mod engine;
pub mod exhaustion;
pub mod family;
pub mod finding;
pub mod flood;
pub mod foreign_surge;
pub mod fragment_flood;
pub mod icmp_flood;
pub mod minute;
pub mod outage;
pub mod overload;
pub mod protection;
pub mod rush;
pub mod sensor_blind;
pub mod slow_client;
pub mod slow_read;
pub mod syn_flood;
pub mod tcp_flag_flood;
pub mod udp_flood;
pub mod view;
mod watched;
