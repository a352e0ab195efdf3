//! Facts about what a shard counts beside flows and handshakes, told packet by packet.

mod conversation;
mod strays;
