//! Cases and open faults that are offered while somebody files a fault, and what came of it.
//!
//! - [`suggest`]: similar cases, and open faults of the same customer that may be the same trouble ([`duplicates`]), each with why.
//! - [`signals`]: what was shown at which place, opened, cited, or fitted not at all. Ranking learns from it later.
//! - [`deflections`]: a case solved it, and no fault was filed.
//! - [`evidence`]: files and stretches of recordings that prove what a case says.
//!
//! What a customer's people are offered depends on what is published for customers and on their own faults, and on nothing else. What they
//! tell of an offer is stored only as far as they could have seen it, and the answer says nothing of the rest.

mod deflections;
mod duplicates;
pub mod evidence;
pub mod http;
mod signals;
mod sql;
mod suggest;
#[cfg(test)]
mod tests;

use lineman_common::name::CustomerCode;

use super as cases;
use crate::equipment;
use crate::events;
use crate::faults;
use crate::store::StoreError;
use crate::web::ApiError;

pub use signals::run;
pub use suggest::for_fault;

/// Characters of a question that are kept.
const LONGEST_QUERY: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no customer {0}")]
    NoCustomer(CustomerCode),
    #[error("name 1 to {0} offers")]
    HowManyOffers(usize),
    #[error("an offer shows {0} cases at most")]
    TooManyShown(usize),
    #[error("signals are kept for 1 to {0} months")]
    Months(u32),
    #[error("say what the question was")]
    NoQuestion,
    #[error("no such deflection")]
    NoDeflection,
    #[error("it was taken back already")]
    Undone,
    #[error("only who recorded it, a duty manager or an administrator takes it back")]
    NotYours,
    #[error(transparent)]
    Cases(#[from] cases::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Equipment(#[from] equipment::Error),
    #[error(transparent)]
    Events(#[from] events::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoDeflection => Self::not_found("deflection"),
            Error::NoCustomer(_) | Error::HowManyOffers(_) | Error::TooManyShown(_) | Error::Months(_) | Error::NoQuestion => {
                Self::invalid(error.to_string())
            }
            Error::Undone => Self::conflict(error.to_string()),
            Error::NotYours => Self::forbidden(error.to_string()),
            Error::Cases(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Equipment(error) => error.into(),
            Error::Events(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}
