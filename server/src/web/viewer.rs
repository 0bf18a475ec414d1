//! Who only looks: a person, or a wall of the monitoring centre.
//!
//! A wall is no [`Actor`]: a token on a screen in a corridor must not be able to do anything. A handler that names an `Actor` can't be
//! reached by a wall, whatever it forgets; one that a wall may reach names a [`Viewer`].

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use lineman_common::Printable;
use lineman_common::id::{CustomerId, WallId};
use lineman_common::name::CustomerCode;

use super::{Actor, ApiError, Scope};

/// A wall behind a request.
#[derive(Clone, Debug)]
pub struct Wall {
    pub id: WallId,
    pub name: Printable,
    /// None: of all customers.
    pub customer: Option<(CustomerId, CustomerCode)>,
}

#[derive(Clone, Debug)]
pub enum Viewer {
    Person(Actor),
    Wall(Wall),
}

impl Viewer {
    pub fn scope(&self) -> Scope {
        match self {
            Self::Person(actor) => actor.scope(),
            Self::Wall(Wall { customer: Some((id, _)), .. }) => Scope::Customer(*id),
            Self::Wall(Wall { customer: None, .. }) => Scope::All,
        }
    }

    /// The customer that it is bound to.
    pub fn customer(&self) -> Option<&CustomerCode> {
        let customer = match self {
            Self::Person(actor) => &actor.customer,
            Self::Wall(wall) => &wall.customer,
        };
        customer.as_ref().map(|(_, code)| code)
    }

    pub fn wall(&self) -> Option<&Wall> {
        match self {
            Self::Person(_) => None,
            Self::Wall(wall) => Some(wall),
        }
    }
}

pub fn only_the_wall() -> ApiError {
    ApiError::forbidden("a wall token opens its wall, and nothing else").hint("GET /api/v1/wall; everything else needs a person: sign in")
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Wall>() {
            Some(wall) => Ok(Self::Wall(wall.clone())),
            None => Actor::from_request_parts(parts, state).await.map(Self::Person),
        }
    }
}
