//! What happens to a case beside its text: review, versions, owners, doubts, duplicates, links, feedback, translations, questions that
//! nobody found an answer to, and the view of the library's health (KCS v6).

mod diff;
pub mod feedback;
pub mod flags;
pub mod gaps;
pub mod health;
pub mod http;
pub mod links;
pub mod merge;
pub mod owners;
pub mod review;
mod sql;
pub mod states;
#[cfg(test)]
mod tests;
pub mod translate;
pub mod versions;

use lineman_common::Printable;

use super::{Error, LONGEST_REASON};

pub use gaps::{Unanswered, nothing_found};
pub use translate::Marks;

/// A reason that somebody has to give.
fn reason_of(reason: &Printable) -> Result<Printable, Error> {
    let text = reason.raw().trim();
    if (1..=LONGEST_REASON).contains(&text.chars().count()) { Ok(Printable::new(text)) } else { Err(Error::NoReason) }
}

/// A text that may be absent.
fn short(text: &Printable, what: &'static str) -> Result<(), Error> {
    if text.raw().chars().count() > LONGEST_REASON { Err(Error::TooLong { what, most: LONGEST_REASON }) } else { Ok(()) }
}
