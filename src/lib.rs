//! Vigie: a lookout on the mirror port.
//!
//! The modules stand in the packet's way: `source → decode → flow → summary → window → detect → alert → export`.
//! `ARCHITECTURE.md` tells what each owns, what it may not know, and why.

pub mod address;
pub mod alert;
pub mod capture;
pub mod cli;
pub mod config;
pub mod country;
pub mod decode;
pub mod detect;
pub mod doctor;
pub mod eval;
pub mod evidence;
pub mod export;
pub mod flow;
pub mod guard;
pub mod hash;
pub mod kind;
pub mod metrics;
pub mod origin;
pub mod packet;
pub mod pipeline;
pub mod policy;
pub mod report;
pub mod sampling;
pub mod scenario;
pub mod source;
pub mod state;
pub mod summary;
pub mod time;
pub mod window;
