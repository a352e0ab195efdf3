//! What is said in a session, turn by turn.

use crate::scenario::number::{floor_u64, low_u32};
use crate::scenario::random::Random;

/// First bytes of a TLS record (RFC 8446 section 5.1): handshake and application data; the length is left to the reader.
const HELLO: &[u8] = &[0x16, 3, 1];
const RECORD: &[u8] = &[0x17, 3, 3];

/// What one side does when it is its turn.
#[derive(Clone, Copy, Debug)]
pub(in crate::scenario) enum Turn {
    /// Sends so many bytes.
    Data {
        /// Whether the client does.
        by_client: bool,
        /// Bytes.
        bytes: u32,
        /// Seconds of thought before.
        wait: f64,
        /// The first bytes.
        head: &'static [u8],
    },
    /// Acknowledges with a window, or probes a closed one.
    Window {
        /// Whether the client does.
        by_client: bool,
        /// Its window; its usual one if none.
        window: Option<u16>,
        /// It is a probe: one number back.
        probe: bool,
        /// Seconds before.
        wait: f64,
    },
    /// Ends in order.
    Close {
        /// Whether the client does.
        by_client: bool,
        /// Seconds before.
        wait: f64,
    },
    /// Ends by a reset.
    Abort {
        /// Whether the client does.
        by_client: bool,
        /// Seconds before.
        wait: f64,
    },
}

/// A script; its turns follow from their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scenario) enum Script {
    /// A failed SSH log-in of three passwords.
    Ssh,
    /// An SSH session of a person: log-in, then so many commands.
    SshWork(u32),
    /// A failed FTP log-in.
    Ftp,
    /// A failed remote desktop log-in.
    Rdp,
    /// So many documents of a size between these, one after the other.
    Documents(u32, u32, u32),
    /// So many pieces of so many bytes sent to a server.
    Push(u32, u32),
    /// A short call: bytes up, bytes down.
    Call(u32, u32),
    /// A shell that somebody outside types into, through a connection opened from inside; so many commands.
    Shell(u32),
    /// A person fetches so many things from a server outside.
    Browse(u32),
    /// Nothing at all for so many seconds.
    Empty(f64),
    /// A request header that never ends, inside TLS or not.
    Slowloris {
        /// Inside TLS.
        tls: bool,
    },
    /// A request body that never ends.
    SlowPost,
    /// A reply that is never read.
    SlowRead,
}

/// Pieces that a holder sends before the server ends it or he starts anew.
const PIECES: u32 = 12;

impl Script {
    /// Tells whether it occupies a worker of the server while it lasts.
    pub(super) const fn holds(self) -> bool {
        matches!(self, Self::Empty(_) | Self::Slowloris { .. } | Self::SlowPost | Self::SlowRead)
    }

    /// Tells whether the side that just received speaks without a pause, so that its data acknowledges.
    pub(super) fn speaks_at_once(self, step: u32, spoke_client: bool) -> bool {
        // The pause matters here, not the sizes: a stream of chance of its own.
        let mut random = Random::new(u64::from(step));
        match self.turn(step, &mut random) {
            Turn::Data { by_client, wait, .. } => by_client != spoke_client && wait < super::DELAYED_ACK,
            _ => false,
        }
    }

    /// Returns the turn of a step.
    pub(super) fn turn(self, step: u32, random: &mut Random) -> Turn {
        match self {
            Self::Ssh => ssh(step, random, 0),
            Self::SshWork(commands) => ssh(step, random, commands),
            Self::Ftp => ftp(step, random),
            Self::Rdp => match step {
                0 => up(19, 0.002),
                1 => down(19, 0.001),
                2 => hello(517),
                3 => down(1_120, 0.002),
                4 => up(340, 0.004),
                5 => down(91, 0.001),
                6 => up(410 + random.below(3), 0.01),
                7 => down(58, 0.12),
                _ => Turn::Close { by_client: true, wait: 0.002 },
            },
            Self::Documents(count, least, most) => {
                let size = low_u32(floor_u64(random.between(f64::from(least), f64::from(most))));
                after_hello(step, 2 * count, |place| match place % 2 {
                    0 => up(410 + random.below(12), random.between(0.0005, 0.004)),
                    _ => down(size, random.between(0.004, 0.02)),
                })
            }
            Self::Push(count, bytes) => after_hello(step, 2 * count, |place| match place % 2 {
                0 => up(bytes, 0.002),
                _ => down(120, 0.005),
            }),
            Self::Call(sent, received) => after_hello(step, 2, |place| match place {
                0 => up(sent + random.below(5), 0.001),
                _ => down(received + random.below(9), 0.01),
            }),
            Self::Shell(commands) => after_hello(step, 1 + 2 * commands, |place| match place {
                0 => up(95, 0.01),
                place if place % 2 == 1 => down(random.below(160) + 70, random.log_normal(2.5, 0.9).min(25.0)),
                _ => up(low_u32(floor_u64(random.bounded_pareto(120.0, 9_000.0, 1.1))), 0.03),
            }),
            Self::Browse(count) => after_hello(step, 2 * count, |place| match place % 2 {
                0 => up(380 + random.below(300), random.log_normal(0.6, 1.0).min(20.0)),
                _ => down(low_u32(floor_u64(random.bounded_pareto(400.0, 300e3, 1.15))), 0.02),
            }),
            Self::Empty(seconds) => Turn::Abort { by_client: random.chance(0.7), wait: seconds },
            Self::Slowloris { tls } => slowloris(step, tls, random),
            Self::SlowPost => after_hello(step, PIECES + 1, |place| match place {
                0 => up(430, 0.002),
                _ => up(1 + random.below(9) + 22, random.between(8.0, 12.0)),
            }),
            Self::SlowRead => slow_read(step, random),
        }
    }
}

const fn up(bytes: u32, wait: f64) -> Turn {
    Turn::Data { by_client: true, bytes, wait, head: RECORD }
}

const fn down(bytes: u32, wait: f64) -> Turn {
    Turn::Data { by_client: false, bytes, wait, head: RECORD }
}

const fn plain(by_client: bool, bytes: u32, wait: f64) -> Turn {
    Turn::Data { by_client, bytes, wait, head: &[] }
}

const fn hello(bytes: u32) -> Turn {
    Turn::Data { by_client: true, bytes, wait: 0.001, head: HELLO }
}

/// A TLS handshake, then so many turns, then the client closes.
fn after_hello(step: u32, turns: u32, mut turn: impl FnMut(u32) -> Turn) -> Turn {
    match step {
        0 => hello(517),
        1 => Turn::Data { by_client: false, bytes: 2_900, wait: 0.002, head: HELLO },
        step if step - 2 < turns => turn(step - 2),
        _ => Turn::Close { by_client: true, wait: 0.05 },
    }
}

/// RFC 4253: banners, key exchange, and then passwords that are wrong or one that is right and some work.
fn ssh(step: u32, random: &mut Random, commands: u32) -> Turn {
    const OPENING: u32 = 10;
    match step {
        0 => Turn::Data { by_client: false, bytes: 41, wait: 0.004, head: b"SSH-2.0-" },
        1 => Turn::Data { by_client: true, bytes: 23, wait: 0.0005, head: b"SSH-2.0-" },
        2 => plain(false, 1_080, 0.001),
        3 => plain(true, 1_416, 0.002),
        4 => plain(false, 564, 0.006),
        5 => plain(true, 80, 0.003),
        6 => plain(false, 44, 0.0005),
        7 => plain(true, 60, 0.0005),
        8 => plain(false, 76, 0.001),
        9 => plain(true, 148, 0.002),
        step if commands == 0 => match step - OPENING {
            place if place >= 5 => Turn::Close { by_client: place > 4 && random.chance(0.5), wait: 0.02 },
            place if place % 2 == 0 => plain(false, 76, random.between(1.8, 2.2)),
            _ => plain(true, 148, 0.003),
        },
        step => match step - OPENING {
            place if place >= 2 * commands => Turn::Close { by_client: true, wait: 1.0 },
            place if place % 2 == 0 => plain(false, 60 + random.below(2_000), 0.05),
            _ => plain(true, 36 + random.below(80), random.log_normal(3.0, 0.8).min(40.0)),
        },
    }
}

/// RFC 959: greeting, user, password, refusal.
fn ftp(step: u32, random: &mut Random) -> Turn {
    match step {
        0 => Turn::Data { by_client: false, bytes: 20, wait: 0.002, head: b"220 (vsFTPd 3.0.5)\r\n" },
        1 => Turn::Data { by_client: true, bytes: 12, wait: 0.001, head: b"USER admin\r\n" },
        2 => Turn::Data { by_client: false, bytes: 34, wait: 0.001, head: b"331 Please specify the password.\r\n" },
        3 => Turn::Data { by_client: true, bytes: 12 + random.below(5), wait: 0.001, head: b"PASS " },
        4 => Turn::Data {
            by_client: false,
            bytes: 22,
            wait: random.between(2.4, 2.6),
            head: b"530 Login incorrect.\r\n",
        },
        _ => Turn::Close { by_client: true, wait: 0.001 },
    }
}

fn slowloris(step: u32, tls: bool, random: &mut Random) -> Turn {
    let dribble = |place: u32, random: &mut Random, head: &'static [u8], wrapping: u32| match place {
        0 => Turn::Data { by_client: true, bytes: 210 + wrapping, wait: 0.001, head },
        place if place <= PIECES => {
            let bytes = 9 + random.below(6) + wrapping;
            Turn::Data {
                by_client: true,
                bytes,
                wait: random.between(9.0, 15.0),
                head: if wrapping > 0 { head } else { b"X-" },
            }
        }
        _ => Turn::Close { by_client: false, wait: 5.0 },
    };
    match (tls, step) {
        (true, 0) => hello(517),
        (true, 1) => Turn::Data { by_client: false, bytes: 2_900, wait: 0.002, head: HELLO },
        (true, step) => dribble(step - 2, random, RECORD, 22),
        (false, step) => dribble(step, random, b"GET / HTTP/1.1\r\n", 0),
    }
}

/// The server sends what the window holds, is told that it is closed, and probes it ever more seldom (RFC 9293 section
/// 3.8.6.1).
fn slow_read(step: u32, random: &mut Random) -> Turn {
    match step {
        0 => hello(517),
        1 => Turn::Data { by_client: false, bytes: 2_900, wait: 0.002, head: HELLO },
        2 => up(430, 0.001),
        3 => down(11_000 + random.below(3_000), 0.02),
        step if step >= 4 + 16 => Turn::Abort { by_client: false, wait: 5.0 },
        step if step % 2 == 0 => Turn::Window { by_client: true, window: Some(0), probe: false, wait: 0.0 },
        step => {
            let wait = 0.4 * f64::from(1_u32 << ((step - 4) / 2).min(6));
            Turn::Window { by_client: false, window: None, probe: true, wait }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_ends() {
        for script in [
            Script::Ssh,
            Script::SshWork(3),
            Script::Ftp,
            Script::Rdp,
            Script::Documents(4, 1_000, 2_000),
            Script::Push(2, 1_000),
            Script::Call(100, 200),
            Script::Shell(3),
            Script::Browse(2),
            Script::Empty(1.0),
            Script::Slowloris { tls: true },
            Script::Slowloris { tls: false },
            Script::SlowPost,
            Script::SlowRead,
        ] {
            let mut random = Random::new(1);
            let ended =
                (0..60).any(|step| matches!(script.turn(step, &mut random), Turn::Close { .. } | Turn::Abort { .. }));
            assert!(ended, "{script:?}");
        }
    }
}
