//! What every room's routes share: who asks ([`Actor`]), what they may see ([`Scope`]), and how errors are told.
//!
//! The `api` door authenticates a request and puts the [`Actor`] into its extensions; the extractor here only reads it, so a
//! handler that names an `Actor` can't be reached without one. `Scope` comes from the actor and is a parameter of every
//! domain function that reads or finds things: it ends in `sql.rs`, where a handler can't forget it.

pub mod asked;
mod body;
mod error;
mod pass;
mod precondition;
mod secret;
mod viewer;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use lineman_common::id::{CustomerId, PersonId};
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::people::Role;

pub use body::{Body, Params, Path};
pub use error::ApiError;
pub use pass::Pass;
pub use precondition::{Precondition, Tagged, etag};
pub use secret::{HoldsSecret, ShownOnce};
pub use viewer::{Viewer, Wall, only_the_wall};

/// The person behind a request.
#[derive(Clone, Debug)]
pub struct Actor {
    pub id: PersonId,
    pub name: PersonName,
    pub role: Role,
    pub customer: Option<(CustomerId, CustomerCode)>,
}

/// What a person may see: everything, or one customer's things.
#[derive(Clone, Debug)]
pub enum Scope {
    All,
    Customer(CustomerId),
}

impl Scope {
    /// For SQL: `?n IS NULL OR customer = ?n`.
    pub fn customer(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Customer(id) => Some(id.to_string()),
        }
    }

    /// Internal notes and unpublished cases are for the support centre's people.
    pub fn sees_internal(&self) -> bool {
        matches!(self, Self::All)
    }
}

impl Actor {
    pub fn scope(&self) -> Scope {
        match &self.customer {
            Some((id, _)) => Scope::Customer(*id),
            None => Scope::All,
        }
    }

    /// Refuses unless the actor's role is one of these.
    pub fn must_be(&self, roles: &[Role], what: &str) -> Result<(), ApiError> {
        if roles.contains(&self.role) {
            return Ok(());
        }
        let roles: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
        Err(ApiError::forbidden(format!("{} ({}) may not {what}", self.name, self.role))
            .hint(format!("roles that may: {}", roles.join(", "))))
    }

    /// Refuses unless the actor works on faults at the support centre.
    pub fn must_work_faults(&self, what: &str) -> Result<(), ApiError> {
        self.must_be(&[Role::Engineer, Role::DutyManager, Role::Admin], what)
    }

    /// Refuses auditors: they read.
    pub fn must_write(&self, what: &str) -> Result<(), ApiError> {
        self.must_be(&[Role::Noc, Role::Approver, Role::Engineer, Role::DutyManager, Role::Admin], what)
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name.fmt(f)
    }
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Self>() {
            Some(actor) => Ok(actor.clone()),
            None if parts.extensions.get::<Wall>().is_some() => Err(only_the_wall()),
            None => Err(ApiError::unauthenticated()),
        }
    }
}
