//! Facts about what a shard counts beside flows and handshakes, told packet by packet.

mod connections;
mod contacts;
mod conversation;
mod handshakes;
mod probes;
mod quic;
mod sampled;
mod strays;
