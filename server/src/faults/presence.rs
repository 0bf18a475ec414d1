//! Who looks at a fault or types in it just now. Kept in memory only, and forgotten after half a minute without a word: it helps people
//! not to write over one another, and is no record of anybody's work.
//!
//! A carrier's people see each other by name, and all of the support centre's as one `support`: who works when is not theirs to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{Beat, List, Present};
use lineman_common::fault::Doing;
use lineman_common::id::{CustomerId, FaultId};
use lineman_common::name::PersonName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Reference;
use super::http::Handles;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Path, Scope};

/// Without a beat for so long, somebody is gone.
const GONE_AFTER: SignedDuration = SignedDuration::from_secs(30);

struct Seen {
    customer: Option<CustomerId>,
    doing: Doing,
    at: Timestamp,
}

/// Clones share it.
#[derive(Clone, Default)]
pub struct Presence(Arc<Mutex<HashMap<FaultId, HashMap<PersonName, Seen>>>>);

impl Presence {
    fn beat(&self, fault: FaultId, actor: &Actor, doing: Doing, now: Timestamp) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if doing == Doing::Gone {
            faults.entry(fault).or_default().remove(&actor.name);
        } else {
            let customer = actor.customer.as_ref().map(|(id, _)| *id);
            faults.entry(fault).or_default().insert(actor.name.clone(), Seen { customer, doing, at: now });
        }
        faults.retain(|_, people| {
            people.retain(|_, seen| now.duration_since(seen.at) < GONE_AFTER);
            !people.is_empty()
        });
    }

    /// As the scope may see it, by name.
    fn of(&self, fault: FaultId, scope: &Scope, now: Timestamp) -> Vec<Present> {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = faults.get(&fault).into_iter().flatten().filter(|(_, seen)| now.duration_since(seen.at) < GONE_AFTER);
        let mut present: Vec<Present> = Vec::new();
        for (name, seen) in here {
            let hidden = !scope.sees_internal() && seen.customer.is_none();
            let who = if hidden { "support".to_owned() } else { name.to_string() };
            match present.iter_mut().find(|known| hidden && known.who == who) {
                // Of many, what the busiest does and when the last was seen.
                Some(support) => {
                    support.doing = support.doing.max(seen.doing);
                    support.seen_at = support.seen_at.max(seen.at);
                }
                None => present.push(Present { who, doing: seen.doing, seen_at: seen.at }),
            }
        }
        present.sort_by(|a, b| a.who.cmp(&b.who));
        present
    }
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(list, beat))
}

type Reply = Result<Json<List<Present>>, ApiError>;

async fn found(store: &Store, actor: &Actor, fault: &str) -> Result<FaultId, ApiError> {
    let reference: Reference = fault.parse()?;
    let scope = actor.scope();
    store.read(move |db| -> Result<_, ApiError> { Ok(super::get(db, &scope, &reference)?.id) }).await
}

/// Who looks at the fault, or types in it.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/presence", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = List<Present>)))]
async fn list(actor: Actor, State(Handles { store, presence, .. }): State<Handles>, Path(fault): Path<String>) -> Reply {
    let id = found(&store, &actor, &fault).await?;
    Ok(Json(presence.of(id, &actor.scope(), Timestamp::now()).into()))
}

/// I am here; again every ten seconds or so, forgotten after thirty. Answers who else is.
#[utoipa::path(put, path = "/api/v1/faults/{fault}/presence", tag = "faults", params(("fault" = String, Path)), request_body = Beat, responses((status = 200, body = List<Present>)))]
async fn beat(
    actor: Actor,
    State(Handles { store, presence, .. }): State<Handles>,
    Path(fault): Path<String>,
    Body(beat): Body<Beat>,
) -> Reply {
    let id = found(&store, &actor, &fault).await?;
    let now = Timestamp::now();
    presence.beat(id, &actor, beat.doing, now);
    Ok(Json(presence.of(id, &actor.scope(), now).into()))
}

#[cfg(test)]
mod tests {
    use lineman_common::id::PersonId;
    use lineman_common::people::Role;

    use super::*;

    fn person(name: &str, customer: Option<CustomerId>) -> Actor {
        let customer = customer.map(|id| (id, "JW".parse().unwrap()));
        let role = if customer.is_some() { Role::Noc } else { Role::Engineer };
        Actor { id: PersonId::new(), name: name.parse().unwrap(), role, customer }
    }

    #[test]
    fn carriers_see_their_own_people_and_support_as_one() {
        let (presence, fault, own) = (Presence::default(), FaultId::new(), CustomerId::new());
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        presence.beat(fault, &person("engineer-a", None), Doing::Looking, now);
        presence.beat(fault, &person("engineer-b", None), Doing::Typing, now);
        presence.beat(fault, &person("noc-c", Some(own)), Doing::Looking, now);
        let who = |scope: &Scope, now| presence.of(fault, scope, now).into_iter().map(|p| (p.who, p.doing)).collect::<Vec<_>>();
        assert_eq!(who(&Scope::Customer(own), now), [("noc-c".to_owned(), Doing::Looking), ("support".to_owned(), Doing::Typing)]);
        assert_eq!(who(&Scope::All, now).len(), 3);
        assert_eq!(who(&Scope::All, now + GONE_AFTER), []);
        presence.beat(fault, &person("noc-c", Some(own)), Doing::Gone, now);
        assert_eq!(who(&Scope::All, now).len(), 2);
        // What is over is not kept in memory.
        presence.beat(FaultId::new(), &person("noc-c", Some(own)), Doing::Looking, now + GONE_AFTER);
        assert_eq!(presence.0.lock().unwrap().len(), 1);
    }
}
