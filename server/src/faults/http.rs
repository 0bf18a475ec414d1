use axum::Json;
use axum::extract::{FromRef, State};
use jiff::Timestamp;
use lineman_common::alarm::Severity;
use lineman_common::api::{
    Assign, Clock, Closed, Diagnosis, Duplicate, EditFault, Event, Fault, FaultPage, FaultRow, FaultSort, List, Listing, Merge, NewFault,
    Note, Pend, Reason, Resolution, Restore,
};
use lineman_common::fault::{FaultKind, FaultStatus};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attachments::Files;
use super::presence::Presence;
use super::{Error, Filter, Reference, activities, attachments, closing, links, presence, problems};
use crate::equipment;
use crate::events;
use crate::store::{Answer, Db, Store, Tx};
use crate::web::asked::Ask;
use crate::web::{Actor, ApiError, Body, Params, Path, Precondition, Tagged, etag};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub files: Files,
    pub presence: Presence,
}

impl Handles {
    pub fn new(store: Store) -> Self {
        Self { files: Files::of(&store), store, presence: Presence::default() }
    }
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new()
        .routes(routes!(list, report))
        .routes(routes!(edit))
        .routes(routes!(accept))
        .routes(routes!(assign))
        .routes(routes!(note))
        .routes(routes!(pend))
        .routes(routes!(resume))
        .routes(routes!(diagnose))
        .routes(routes!(restore))
        .routes(routes!(resolve))
        .routes(routes!(reopen))
        .routes(routes!(reject))
        .routes(routes!(cancel))
        .routes(routes!(mark_duplicate))
        .routes(routes!(merge))
        .routes(routes!(unmerge))
        .routes(routes!(clocks))
        .routes(routes!(timeline))
        .merge(activities::http::routes())
        .merge(attachments::http::routes())
        .merge(closing::http::routes())
        .merge(links::http::routes())
        .merge(presence::routes())
        .merge(problems::http::routes())
}

type Reply = Result<Tagged<Fault>, ApiError>;

impl Answer for Fault {
    fn etag(&self) -> Option<String> {
        Some(etag(self.version))
    }
}

impl Answer for FaultPage {
    fn etag(&self) -> Option<String> {
        self.fault.etag()
    }
}

impl Answer for Closed {
    fn etag(&self) -> Option<String> {
        self.fault.etag()
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// `open` (the default), `all`, or one status.
    status: Option<String>,
    /// A customer's code.
    customer: Option<String>,
    /// A name (`ne-1.jw.ne`) or id.
    equipment: Option<String>,
    /// A person's name, or `me`.
    owner: Option<String>,
    /// `fault`, `consulting`, `upgrade` or `maintenance`.
    kind: Option<String>,
    severity: Option<String>,
    /// Somewhere in title, description, number or the customer's reference.
    text: Option<String>,
    /// The customer's own ticket number, exactly.
    customer_reference: Option<String>,
    /// Reported then or later.
    since: Option<Timestamp>,
    /// For the support centre's people: attached to this problem (`P-7`).
    problem: Option<String>,
    /// Words and filters, like `sev:critical,major owner:me due:<10m 板卡 "rx power"`: the keys are `severity`, `status`, `customer`,
    /// `tier`, `site`, `product`, `model`, `software`, `equipment`, `owner`, `reporter`, `kind`, `impact`, `pending`, `due`, `breached`,
    /// `age`, `opened`, `updated`, `resolved`, `code`, `consent`, `reference`, `number`, `problem`, `text`, each in Chinese too. With
    /// `status:` in it, the parameter `status` counts only when it is given.
    q: Option<String>,
    /// The newest first when absent.
    sort: Option<FaultSort>,
    /// An IANA time zone: what a date in `q` means. UTC when absent.
    zone: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

fn word<T: std::str::FromStr>(text: Option<String>) -> Result<Option<T>, ApiError>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| text.parse().map_err(|e: T::Err| ApiError::invalid(e.to_string()))).transpose()
}

/// Faults, with what lists show of them.
#[utoipa::path(get, path = "/api/v1/faults", tag = "faults", params(ListParams), responses((status = 200, body = Listing<FaultRow>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<ListParams>) -> Result<Json<Listing<FaultRow>>, ApiError> {
    let ask = Ask::read(params.q.as_deref(), params.zone.as_deref(), &super::list::keys(), &actor)?;
    let owner = params.owner.map(|owner| if owner == "me" { actor.name.to_string() } else { owner });
    let mut filter = Filter {
        customer: params.customer,
        owner: word(owner)?,
        kind: word::<FaultKind>(params.kind)?,
        severity: word::<Severity>(params.severity)?,
        text: params.text.filter(|text| !text.trim().is_empty()),
        customer_reference: params.customer_reference,
        since: params.since,
        problem: word(params.problem)?,
        ..Filter::default()
    };
    match params.status.as_deref() {
        None if ask.has("status") => {}
        None | Some("open") => filter.open = true,
        Some("all") => {}
        Some(word) => filter.status = Some(word.parse::<FaultStatus>().map_err(|e| ApiError::invalid(format!("{e}; or open, all")))?),
    }
    let page = super::list::Page {
        sort: params.sort.unwrap_or(FaultSort::Newest),
        after: params.after.as_deref().map(str::parse::<super::list::Cursor>).transpose()?,
        limit: params.limit.unwrap_or(200).clamp(1, 1000),
    };
    let reference = params.equipment.map(|text| text.parse::<equipment::Reference>()).transpose()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        filter.equipment = reference.map(|reference| equipment::find(db, &scope, &reference)).transpose()?.map(|known| known.id);
        Ok(Json(super::list::page(db, &scope, &ask, &filter, &page)?))
    };
    store.read(read).await
}

/// Files a fault. Three things are needed: what (equipment, or customer), the symptom, the impact.
#[utoipa::path(post, path = "/api/v1/faults", tag = "faults", request_body = NewFault, responses((status = 200, body = Fault)))]
async fn report(actor: Actor, State(store): State<Store>, Body(new): Body<NewFault>) -> Reply {
    actor.must_write("file faults")?;
    Ok(Tagged(store.answer(move |tx| -> Result<_, ApiError> { Ok(super::report(tx, &actor, new)?) }).await?))
}

/// Refuses a change that is meant for another version than the one that is there; with both texts.
pub fn check(
    db: &Db<'_>,
    actor: &Actor,
    reference: &Reference,
    precondition: &Precondition,
    yours: &impl Serialize,
) -> Result<(), ApiError> {
    if *precondition == Precondition::None {
        return Ok(());
    }
    let current = super::get(db, &actor.scope(), reference)?;
    precondition.check(current.version, &json!(yours), &json!(current))
}

/// Changes what the fault says of itself; `If-Match` is needed. A conflict answers 412 with both texts.
#[utoipa::path(patch, path = "/api/v1/faults/{fault}", tag = "faults", params(("fault" = String, Path), ("If-Match" = String, Header)), request_body = EditFault, responses((status = 200, body = Fault), (status = 412, description = "changed since: both texts are in `details`")))]
async fn edit(
    actor: Actor,
    State(store): State<Store>,
    Path(fault): Path<String>,
    precondition: Precondition,
    Body(body): Body<EditFault>,
) -> Reply {
    actor.must_write("edit faults")?;
    let reference: Reference = fault.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> {
        super::get(tx, &actor.scope(), &reference)?;
        precondition.must_be_there()?;
        check(tx, &actor, &reference, &precondition, &body)?;
        Ok(super::edit(tx, &actor, &reference, &body)?)
    };
    Ok(Tagged(store.answer(job).await?))
}

/// Who asks for a step of which fault, and on what condition.
struct Asked {
    store: Store,
    actor: Actor,
    fault: String,
    precondition: Precondition,
}

/// What every step's route does: check who asks, find the fault, see that it is the version that was meant, take the step.
async fn step<B, F>(asked: Asked, what: Who, body: B, job: F) -> Reply
where
    B: Serialize + Send + 'static,
    F: FnOnce(&mut Tx<'_>, &Actor, &Reference, B) -> Result<Fault, Error> + Send + 'static,
{
    let Asked { store, actor, fault, precondition } = asked;
    match what {
        Who::Support(what) => actor.must_work_faults(what)?,
        Who::Anyone(what) => actor.must_write(what)?,
    }
    let reference: Reference = fault.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> {
        check(tx, &actor, &reference, &precondition, &body)?;
        Ok(job(tx, &actor, &reference, body)?)
    };
    Ok(Tagged(store.answer(job).await?))
}

impl<S> axum::extract::FromRequestParts<S> for Asked
where
    S: Send + Sync,
    Store: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let actor = Actor::from_request_parts(parts, state).await?;
        let Path(fault) = Path::from_request_parts(parts, state).await?;
        let precondition = Precondition::from_request_parts(parts, state).await?;
        Ok(Self { store: Store::from_ref(state), actor, fault, precondition })
    }
}

enum Who {
    Support(&'static str),
    /// The customer's people too.
    Anyone(&'static str),
}

/// Accepts a fault: the caller becomes the first responsible person.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/accept", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = Fault)))]
async fn accept(asked: Asked) -> Reply {
    step(asked, Who::Support("accept faults"), (), |tx, actor, fault, ()| super::accept(tx, actor, fault)).await
}

/// Hands a fault over, with what the next person should know.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/assign", tag = "faults", params(("fault" = String, Path)), request_body = Assign, responses((status = 200, body = Fault)))]
async fn assign(asked: Asked, Body(body): Body<Assign>) -> Reply {
    step(asked, Who::Support("hand faults over"), body, |tx, actor, fault, body| super::assign(tx, actor, fault, &body)).await
}

/// Adds a note: a reply that the customer sees, or an internal one.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/notes", tag = "faults", params(("fault" = String, Path)), request_body = Note, responses((status = 200, body = Fault)))]
async fn note(asked: Asked, Body(body): Body<Note>) -> Reply {
    step(asked, Who::Anyone("write notes"), body, |tx, actor, fault, body| super::note(tx, actor, fault, &body)).await
}

/// The fault waits, and for what.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/pending", tag = "faults", params(("fault" = String, Path)), request_body = Pend, responses((status = 200, body = Fault)))]
async fn pend(asked: Asked, Body(body): Body<Pend>) -> Reply {
    step(asked, Who::Support("let faults wait"), body, |tx, actor, fault, body| super::pend(tx, actor, fault, &body)).await
}

/// Work goes on.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/resume", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = Fault)))]
async fn resume(asked: Asked) -> Reply {
    step(asked, Who::Support("resume faults"), (), |tx, actor, fault, ()| super::resume(tx, actor, fault)).await
}

/// Records cause and plan: stops clock K5.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/diagnosis", tag = "faults", params(("fault" = String, Path)), request_body = Diagnosis, responses((status = 200, body = Fault)))]
async fn diagnose(asked: Asked, Body(body): Body<Diagnosis>) -> Reply {
    step(asked, Who::Support("record diagnoses"), body, |tx, actor, fault, body| super::diagnose(tx, actor, fault, &body)).await
}

/// Service is back: alarms cleared, or a waiver.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/restoration", tag = "faults", params(("fault" = String, Path)), request_body = Restore, responses((status = 200, body = Fault)))]
async fn restore(asked: Asked, Body(body): Body<Restore>) -> Reply {
    step(asked, Who::Support("declare service restored"), body, |tx, actor, fault, body| {
        super::restore(tx, actor, fault, body.waiver.as_ref())
    })
    .await
}

/// Resolves: cause, channel, note. Nothing may be under way, and nothing that blocks it open.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/resolution", tag = "faults", params(("fault" = String, Path)), request_body = Resolution, responses((status = 200, body = Fault)))]
async fn resolve(asked: Asked, Body(body): Body<Resolution>) -> Reply {
    step(asked, Who::Support("resolve faults"), body, super::resolve).await
}

/// Reopens under the same number.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/reopening", tag = "faults", params(("fault" = String, Path)), request_body = Reason, responses((status = 200, body = Fault)))]
async fn reopen(asked: Asked, Body(body): Body<Reason>) -> Reply {
    step(asked, Who::Anyone("reopen faults"), body, |tx, actor, fault, body| super::reopen(tx, actor, fault, &body.reason)).await
}

/// Rejects what is no fault of the vendor's equipment, with a reason.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/rejection", tag = "faults", params(("fault" = String, Path)), request_body = Reason, responses((status = 200, body = Fault)))]
async fn reject(asked: Asked, Body(body): Body<Reason>) -> Reply {
    step(asked, Who::Support("reject faults"), body, |tx, actor, fault, body| super::reject(tx, actor, fault, &body.reason)).await
}

/// Takes a report back.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/cancellation", tag = "faults", params(("fault" = String, Path)), request_body = Reason, responses((status = 200, body = Fault)))]
async fn cancel(asked: Asked, Body(body): Body<Reason>) -> Reply {
    step(asked, Who::Anyone("cancel faults"), body, |tx, actor, fault, body| super::cancel(tx, actor, fault, &body.reason)).await
}

/// The fault is another's duplicate.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/duplicate", tag = "faults", params(("fault" = String, Path)), request_body = Duplicate, responses((status = 200, body = Fault)))]
async fn mark_duplicate(asked: Asked, Body(body): Body<Duplicate>) -> Reply {
    step(asked, Who::Support("mark duplicates"), body, |tx, actor, fault, body| super::mark_duplicate(tx, actor, fault, &body.of)).await
}

/// Merges others into this fault: they become its duplicates, and their alarms move here.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/merge", tag = "faults", params(("fault" = String, Path)), request_body = Merge, responses((status = 200, body = Fault)))]
async fn merge(asked: Asked, Body(body): Body<Merge>) -> Reply {
    step(asked, Who::Support("merge faults"), body, |tx, actor, fault, body| super::merge(tx, actor, fault, &body)).await
}

/// The way back from a merge: the fault goes on where it stood.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/unmerge", tag = "faults", params(("fault" = String, Path)), request_body = Reason, responses((status = 200, body = Fault)))]
async fn unmerge(asked: Asked, Body(body): Body<Reason>) -> Reply {
    step(asked, Who::Support("merge faults"), body, |tx, actor, fault, body| super::unmerge(tx, actor, fault, &body.reason)).await
}

/// The clocks K1 to K7, every interval explained.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/clocks", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = List<Clock>)))]
async fn clocks(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<List<Clock>>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let fault = super::get(db, &actor.scope(), &reference)?;
        Ok(Json(super::clocks_of(db, &fault)?.into()))
    };
    store.read(read).await
}

/// What happened, oldest first.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/timeline", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = List<Event>)))]
async fn timeline(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<List<Event>>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let fault = super::get(db, &actor.scope(), &reference)?;
        Ok(Json(events::of_fault(db, &actor.scope(), fault.id)?.into()))
    };
    store.read(read).await
}
