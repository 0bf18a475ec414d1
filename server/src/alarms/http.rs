use axum::Json;
use axum::extract::State;
use lineman_common::alarm::{OperatorState, Relation, ResourceState, Severity};
use lineman_common::api::{Acknowledgement, Alarm, AlarmAction, AlarmActionReply, AlarmPage, AlarmSummary, Listing, Why};
use lineman_common::id::{AlarmId, FaultId};
use lineman_common::name::{CustomerCode, FaultNumber};
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Cursor, Filter, asked, customer_for};
use crate::equipment::{self, Reference, topology};
use crate::store::{Db, Store};
use crate::web::asked::Ask;
use crate::web::{Actor, ApiError, Body, Params, Path, Scope};

/// What can't be undone is for few.
const PURGERS: &[Role] = &[Role::DutyManager, Role::Admin];

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(summary))
        .routes(routes!(purge))
        .routes(routes!(compress))
        .routes(routes!(get))
        .routes(routes!(acknowledge))
        .routes(routes!(close))
        .routes(routes!(unmark))
        .merge(super::shelves::http::routes())
        .merge(super::windows::http::routes())
        .merge(super::profiles::http::routes())
        .merge(super::rules::http::routes())
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// `raised` or `cleared`; both when absent.
    state: Option<ResourceState>,
    /// Severities, separated by commas.
    severity: Option<String>,
    operator_state: Option<OperatorState>,
    /// On a shelf, or not.
    shelved: Option<bool>,
    /// Explained by a root cause, or not.
    suppressed: Option<bool>,
    flapping: Option<bool>,
    /// Covered by a maintenance window, or not.
    maintenance: Option<bool>,
    /// A name (`ne-1.jw.ne`) or id.
    equipment: Option<String>,
    /// A name or id: the equipment and everything that hangs on it.
    under: Option<String>,
    /// A customer's code.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerCode>,
    /// A fault's number or id.
    fault: Option<String>,
    /// An alarm's id: what it explains.
    #[param(value_type = Option<String>)]
    root: Option<AlarmId>,
    /// What text, type or qualifier contain.
    text: Option<String>,
    /// Words and filters, like `sev:critical state:raised site:成都`: the keys are `severity`, `state`, `operator`, `customer`, `site`,
    /// `product`, `model`, `equipment`, `code`, `cause`, `fault`, `shelved`, `suppressed`, `flapping`, `maintenance`, `changed`, `age`,
    /// `text`, each in Chinese too.
    q: Option<String>,
    /// An IANA time zone: what a date in `q` means. UTC when absent.
    zone: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

fn known(db: &Db<'_>, scope: &Scope, text: &str) -> Result<equipment::Known, ApiError> {
    Ok(equipment::find(db, scope, &text.parse::<Reference>()?)?)
}

fn filter(db: &Db<'_>, scope: &Scope, ask: &Ask, params: ListParams) -> Result<Filter, ApiError> {
    let severities = params.severity.iter().flat_map(|text| text.split(',')).map(|word| word.trim().parse::<Severity>());
    let under = params.under.map(|text| known(db, scope, &text)).transpose()?;
    let customer = match params.customer {
        Some(code) => match customer_for(db, scope, Some(&code)) {
            // Another's customer has no alarms, as far as this one may know.
            Err(super::Error::NoCustomer(_)) => return Ok(Filter { limit: 0, ..Filter::default() }),
            found => Some(found?.0),
        },
        None => None,
    };
    Ok(Filter {
        state: params.state.or_else(|| asked::state(ask)),
        asked: asked::conditions(db, ask)?,
        severities: severities.collect::<Result<_, _>>().map_err(|e| ApiError::invalid(e.to_string()))?,
        operator_state: params.operator_state,
        shelved: params.shelved,
        suppressed: params.suppressed,
        flapping: params.flapping,
        maintenance: params.maintenance,
        equipment: params.equipment.map(|text| known(db, scope, &text)).transpose()?.map(|known| known.id),
        under: under.map(|top| topology::below(db, top.id, Relation::ALL)).transpose()?,
        customer,
        fault: params.fault.map(|text| fault(db, &text)).transpose()?,
        root: params.root,
        text: params.text.filter(|text| !text.is_empty()),
        after: params.after.map(|text| text.parse::<Cursor>()).transpose().map_err(|e| ApiError::invalid(e.to_string()))?,
        limit: params.limit.unwrap_or(200).clamp(1, 1000),
    })
}

/// A fault by its number or id; what the asker may not know of has no alarms that they may see.
fn fault(db: &Db<'_>, text: &str) -> Result<FaultId, ApiError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let number: FaultNumber = text.parse().map_err(|_| ApiError::not_found("fault"))?;
    super::sql::fault_of(db, &number)?.ok_or_else(|| ApiError::not_found("fault"))
}

/// The alarm list: raised ones first, the newest change first. A page looks at 20,000 entries at most: it may hold fewer than `limit`,
/// or none, and have a `next` all the same.
#[utoipa::path(get, path = "/api/v1/alarms", tag = "alarms", params(ListParams), responses((status = 200, body = Listing<Alarm>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<Listing<Alarm>>, ApiError> {
    let ask = Ask::read(params.q.as_deref(), params.zone.as_deref(), &asked::keys(), &actor)?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let mut listing = Listing::empty(db.now());
        listing.searched = asked::SEARCHED.iter().map(|(name, _)| (*name).to_owned()).collect();
        let filter = filter(db, &scope, &ask, params)?;
        if filter.limit > 0 {
            let page = super::list(db, &scope, &filter)?;
            listing.total = Some(page.items.len() as u64).filter(|_| filter.after.is_none() && page.next.is_none());
            listing.total_at_least = Some(page.items.len() as u64).filter(|_| filter.after.is_none() && page.next.is_some());
            (listing.items, listing.next) = (page.items, page.next);
        }
        Ok(Json(listing))
    };
    store.read(read).await
}

/// Counts by state, severity, operator state and shelving.
#[utoipa::path(get, path = "/api/v1/alarms/summary", tag = "alarms", responses((status = 200, body = AlarmSummary)))]
async fn summary(actor: Actor, State(store): State<Store>) -> Result<Json<AlarmSummary>, ApiError> {
    store.read(move |db| super::summary(db, &actor.scope()).map(Json).map_err(ApiError::from)).await
}

/// One alarm, with its last 32 status changes and what operators said.
#[utoipa::path(get, path = "/api/v1/alarms/{alarm}", tag = "alarms", params(("alarm" = String, Path)), responses((status = 200, body = AlarmPage)))]
async fn get(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<Json<AlarmPage>, ApiError> {
    let id = alarm(&id)?;
    store.read(move |db| Ok(Json(super::page(db, &actor.scope(), id)?))).await
}

fn alarm(text: &str) -> Result<AlarmId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("alarm"))
}

async fn mark(actor: Actor, store: Store, id: &str, state: OperatorState, why: lineman_common::Printable) -> Result<Json<Alarm>, ApiError> {
    let id = alarm(id)?;
    store.write(move |tx| Ok(Json(super::mark(tx, &actor, id, state, &why)?))).await
}

/// Acknowledges an alarm: seen by the caller, now, with a note that says why.
#[utoipa::path(post, path = "/api/v1/alarms/{alarm}/acknowledgement", tag = "alarms", params(("alarm" = String, Path)), request_body = Acknowledgement, responses((status = 200, body = Alarm)))]
async fn acknowledge(
    actor: Actor,
    State(store): State<Store>,
    Path(id): Path<String>,
    Body(body): Body<Acknowledgement>,
) -> Result<Json<Alarm>, ApiError> {
    actor.must_write("acknowledge alarms")?;
    mark(actor, store, &id, OperatorState::Acknowledged, body.note).await
}

/// Closes an alarm: nothing is left to do about it.
#[utoipa::path(post, path = "/api/v1/alarms/{alarm}/closure", tag = "alarms", params(("alarm" = String, Path)), request_body = Why, responses((status = 200, body = Alarm)))]
async fn close(actor: Actor, State(store): State<Store>, Path(id): Path<String>, Body(body): Body<Why>) -> Result<Json<Alarm>, ApiError> {
    actor.must_write("close alarms")?;
    mark(actor, store, &id, OperatorState::Closed, body.why).await
}

/// Takes the operator's mark off an alarm.
#[utoipa::path(post, path = "/api/v1/alarms/{alarm}/unmarking", tag = "alarms", params(("alarm" = String, Path)), request_body = Why, responses((status = 200, body = Alarm)))]
async fn unmark(actor: Actor, State(store): State<Store>, Path(id): Path<String>, Body(body): Body<Why>) -> Result<Json<Alarm>, ApiError> {
    actor.must_write("mark alarms")?;
    mark(actor, store, &id, OperatorState::None, body.why).await
}

/// Deletes entries that have cleared or were closed, with their history; none of an open fault; 20,000 at most (duty manager, admin).
#[utoipa::path(post, path = "/api/v1/alarms/purge", tag = "alarms", request_body = AlarmAction, responses((status = 200, body = AlarmActionReply)))]
async fn purge(actor: Actor, State(store): State<Store>, Body(action): Body<AlarmAction>) -> Result<Json<AlarmActionReply>, ApiError> {
    actor.must_be(PURGERS, "purge alarms")?;
    store.write(move |tx| Ok(Json(super::purge(tx, &actor, &action)?))).await
}

/// Keeps only the newest change of entries that have cleared or were closed; 20,000 at most (duty manager, admin).
#[utoipa::path(post, path = "/api/v1/alarms/compression", tag = "alarms", request_body = AlarmAction, responses((status = 200, body = AlarmActionReply)))]
async fn compress(actor: Actor, State(store): State<Store>, Body(action): Body<AlarmAction>) -> Result<Json<AlarmActionReply>, ApiError> {
    actor.must_be(PURGERS, "compress alarms")?;
    store.write(move |tx| Ok(Json(super::compress(tx, &actor, &action)?))).await
}
