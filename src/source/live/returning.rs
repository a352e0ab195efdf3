//! An interface that goes down or away and comes back: capture goes on when it does.
//!
//! While it is away time moves with the wall clock and no frame comes, so that silence is seen as what it is (the sensor
//! is blind) and alerts close. Only when the interface is there and up, and may all the same not be opened again, time after
//! time, does the source end: then whoever started the program has to start it anew. The sockets of a fan-out group come
//! back together: the first to try opens all of them and leaves the others theirs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::{WallClock, Watermark, longest_hold};
use super::{LiveSource, Settings, interface, open};
use crate::source::{CaptureDrops, Frame, InterfaceId, PacketSource, Progress, SourceError, Strain};

/// Looks without success between two tries to open the interface: a second with the poll bound of 50 ms.
const LOOKS_BETWEEN_TRIES: u32 = 20;

/// Tries in a row that fail at an interface which is up before the source ends. A single one may have met an interface
/// that went away during it and was back right after.
const MOST_REFUSALS: u32 = 3;

/// How the sockets of an interface are opened, the first time and again.
struct Group {
    interface: String,
    id: InterfaceId,
    settings: Settings,
    /// Opened again by another socket's source, and not taken yet.
    waiting: Mutex<Vec<Option<LiveSource>>>,
}

impl Group {
    /// Takes the socket that was opened for this place, or opens all of them.
    fn reopen(&self, place: usize) -> Result<LiveSource, SourceError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting[place].is_none() {
            *waiting = open(&self.interface, self.id, &self.settings)?.into_iter().map(Some).collect();
        }
        waiting[place].take().ok_or_else(|| SourceError::Lost {
            name: self.interface.clone(),
            reason: "fewer sockets were opened than asked for".to_owned(),
        })
    }
}

/// One socket of an interface, and the next one after it has been away.
pub struct Returning {
    group: Arc<Group>,
    place: usize,
    socket: Option<LiveSource>,
    clock: WallClock,
    promised: Watermark,
    /// Looks since the last try to open it.
    looks: u32,
    /// Tries in a row that failed although it is up.
    refusals: u32,
    /// Lost by sockets that are gone.
    lost_before: CaptureDrops,
    /// Lost by the socket at work, as it last said.
    lost: CaptureDrops,
}

/// Opens an interface as [`open`] does, for a run that outlives its absence.
///
/// # Errors
/// As [`open`].
pub fn open_returning(interface: &str, id: InterfaceId, settings: &Settings) -> Result<Vec<Returning>, SourceError> {
    let sockets = open(interface, id, settings)?;
    let group = Arc::new(Group {
        interface: interface.to_owned(),
        id,
        settings: settings.clone(),
        waiting: Mutex::new(sockets.iter().map(|_| None).collect()),
    });
    let returning = |(place, socket)| Returning {
        group: Arc::clone(&group),
        place,
        socket: Some(socket),
        clock: WallClock::new(),
        promised: Watermark::new(longest_hold(settings.block_timeout)),
        looks: 0,
        refusals: 0,
        lost_before: CaptureDrops::default(),
        lost: CaptureDrops::default(),
    };
    Ok(sockets.into_iter().enumerate().map(returning).collect())
}

impl Returning {
    /// Closes the socket of an interface that is gone; what it had lost stays.
    fn leave(&mut self) {
        tracing::error!(
            interface = self.group.interface,
            "the interface is down or gone: capture goes on when it is back"
        );
        // The kernel still knows what the ring could not hold; an interface that is gone says nothing, and is not asked.
        if let Some(mut socket) = self.socket.take() {
            self.lost = socket.drops().unwrap_or(self.lost);
        }
        self.lost_before = self.lost_so_far();
        self.lost = CaptureDrops::default();
        self.looks = 0;
    }

    fn lost_so_far(&self) -> CaptureDrops {
        CaptureDrops {
            kernel: self.lost_before.kernel + self.lost.kernel,
            interface: self.lost_before.interface + self.lost.interface,
        }
    }

    /// Waits for one poll's time, and tries now and then.
    fn look(&mut self) -> Result<(), SourceError> {
        pause(self.group.settings.poll_bound);
        self.looks += 1;
        if self.looks < LOOKS_BETWEEN_TRIES || interface::check_alive(&self.group.interface).is_err() {
            return Ok(());
        }
        self.looks = 0;
        match self.group.reopen(self.place) {
            Ok(socket) => {
                tracing::warn!(interface = self.group.interface, "the interface is back: capture goes on");
                (self.socket, self.refusals) = (Some(socket), 0);
                Ok(())
            }
            Err(error) => self.refused(&error),
        }
    }

    /// Takes a try that failed, and gives up after several.
    fn refused(&mut self, error: &SourceError) -> Result<(), SourceError> {
        let is_up = interface::check_alive(&self.group.interface).is_ok();
        self.refusals = if is_up { self.refusals + 1 } else { 0 };
        if self.refusals < MOST_REFUSALS {
            return Ok(());
        }
        Err(SourceError::Lost {
            name: self.group.interface.clone(),
            reason: format!("the interface is back, but cannot be opened again ({error}): start again"),
        })
    }

    fn watermark(&mut self) -> Progress {
        let looked = self.clock.read();
        if looked.stepped {
            self.promised.restart(looked.now);
        } else {
            self.promised.empty_ring(looked.now);
        }
        Progress::Open { watermark: self.promised.at() }
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no descriptor to wait on while the interface is away; bounded")]
fn pause(bound: Duration) {
    std::thread::sleep(bound);
}

impl PacketSource for Returning {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        let Some(socket) = &mut self.socket else {
            self.look()?;
            return Ok(self.watermark());
        };
        match socket.poll(on_frame) {
            Err(_) if interface::check_alive(&self.group.interface).is_err() => {
                self.leave();
                Ok(self.watermark())
            }
            progress => progress,
        }
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        if let Some(socket) = &mut self.socket {
            // A socket whose interface has just gone is left at the next poll.
            self.lost = socket.drops().unwrap_or(self.lost);
        }
        Ok(self.lost_so_far())
    }

    fn strain(&mut self) -> Option<Strain> {
        // Nobody is pressed by an interface that is away.
        self.socket.as_mut().map_or(Some(Strain { fill: 0.0, idle: 1.0 }), LiveSource::strain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away(interface: &str) -> Returning {
        let settings = Settings::default();
        let hold = longest_hold(settings.block_timeout);
        let (id, waiting) = (InterfaceId::default(), Mutex::new(vec![None]));
        Returning {
            group: Arc::new(Group { interface: interface.to_owned(), id, settings, waiting }),
            place: 0,
            socket: None,
            clock: WallClock::new(),
            promised: Watermark::new(hold),
            looks: 0,
            refusals: 0,
            lost_before: CaptureDrops::default(),
            lost: CaptureDrops::default(),
        }
    }

    /// Found by faults at random: an interface was deleted while it was opened again, and back before that was known.
    #[test]
    fn one_refusal_is_no_end_and_several_in_a_row_are() {
        let error = SourceError::Lost { name: "any".to_owned(), reason: "No such device exists".to_owned() };
        let mut there = away("any");
        let ended: Vec<bool> = (0..MOST_REFUSALS).map(|_| there.refused(&error).is_err()).collect();
        assert_eq!(ended, [false, false, true]);
        let mut gone = away("vigie-none0");
        assert!((0..9).all(|_| gone.refused(&error).is_ok()), "an interface that is away is waited for");
    }
}
