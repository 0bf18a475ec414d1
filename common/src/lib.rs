//! What the parts of Lineman say to each other.
//!
//! Everything here is data and rules: ids, names, wire types, signed statements, state machines. Nothing here
//! opens a file, a socket or a database, so the agent on a small device and the server at the support centre
//! share the same code for the same meaning.

#![forbid(unsafe_code)]

#[macro_use]
mod words;

pub mod alarm;
#[cfg(feature = "api")]
pub mod api;
pub mod calendar;
pub mod error;
#[cfg(feature = "api")]
pub mod exchange;
pub mod fault;
pub mod health;
pub mod id;
pub mod leg;
pub mod link;
pub mod name;
pub mod notice;
pub mod people;
pub mod printable;
pub mod query;
pub mod recording;
pub mod session;
pub mod statement;
pub mod version;

pub use printable::Printable;
/// For the macros: whoever uses them need not know it.
#[cfg(feature = "api")]
#[doc(hidden)]
pub use utoipa;
