//! The agent: what runs on the equipment.
//!
//! It dials out and listens on nothing. It measures, raises alarms, keeps what it has to say until the centre has stored
//! it, and lets a named engineer in when the carrier's own key signed for it. Its rooms, lower ones first:
//!
//! | room | is |
//! |---|---|
//! | `durable`, `identity`, `config` | files: how they are written, who this device is, what its owner allows |
//! | `dial`, `tls`, `https` | the way to the centre |
//! | `spool`, `outbox` | reports on disk until they are acknowledged |
//! | `journal`, `sink` | what happened here, in a log that the centre can't touch, and its way to the carrier |
//! | `checks` | measures and alarms |
//! | `consents` | who may enter, until when |
//! | `session` | SSH on a dialled stream, children, recording |
//! | `agent`, `orders` | what the centre and the local administrator may ask for |
//! | `link`, `control` | the two doors: the standing connection, and the Unix socket |

#![forbid(unsafe_code)]

pub mod agent;
pub mod checks;
pub mod commands;
pub mod config;
pub mod consents;
pub mod control;
pub mod dial;
pub mod doctor;
pub mod durable;
pub mod enrol;
pub mod https;
pub mod identity;
pub mod journal;
pub mod link;
pub mod log;
pub mod orders;
pub mod outbox;
pub mod session;
pub mod sink;
pub mod spool;
pub mod start;
pub mod tls;
pub mod watch;
