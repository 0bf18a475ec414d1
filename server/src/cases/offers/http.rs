use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Deflection, List, NewDeflection, NewSignals, OfferRecord, SignalRetention, SignalsStored, Suggestions, Typed};
use lineman_common::id::{DeflectionId, OfferId};
use lineman_common::name::CustomerCode;
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Reference;
use super::super::find::Finder;
use super::super::http::Desk;
use super::{deflections, evidence, signals, suggest};
use crate::faults;
use crate::store::{Answer, Db, Store, Tx};
use crate::web::{Actor, ApiError, Body, Params, Path};

const USUAL_PAGE: u32 = 200;
const MOST_PAGE: u32 = 1_000;

pub fn routes() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(suggestions, suggestions_for_text))
        .routes(routes!(similar))
        .routes(routes!(signal_list, store_signals))
        .routes(routes!(retention, set_retention))
        .routes(routes!(deflection_list))
        .routes(routes!(deflect))
        .routes(routes!(undo))
        .merge(evidence::http::routes())
}

impl Answer for SignalsStored {}
impl Answer for Deflection {}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct SuggestParams {
    /// What was typed so far.
    #[serde(default)]
    text: String,
    /// A name (`ne-1.jw.ne`) or id.
    equipment: Option<String>,
    /// Whose fault it is, when no equipment is known; one's own when absent.
    customer: Option<String>,
    /// At most 20; 5 when absent.
    limit: Option<u32>,
}

/// What fits a fault while it is being filed: similar cases, and open faults of the same customer that may be the same.
#[utoipa::path(get, path = "/api/v1/cases/suggest", tag = "cases", params(SuggestParams), responses((status = 200, body = Suggestions)))]
async fn suggestions(
    actor: Actor,
    State(store): State<Store>,
    State(finder): State<Finder>,
    Params(params): Params<SuggestParams>,
) -> Result<Json<Suggestions>, ApiError> {
    let customer = params.customer.map(|code| code.parse::<CustomerCode>()).transpose().map_err(|e| ApiError::invalid(e.to_string()))?;
    let typed = Typed { text: Printable::new(params.text), equipment: params.equipment, customer, limit: params.limit };
    store.read(move |db| Ok(Json(suggest::typed(db, &finder, &actor, &typed)?))).await
}

/// The same, for texts of any length.
#[utoipa::path(post, path = "/api/v1/cases/suggest", tag = "cases", request_body = Typed, responses((status = 200, body = Suggestions)))]
async fn suggestions_for_text(
    actor: Actor,
    State(store): State<Store>,
    State(finder): State<Finder>,
    Body(typed): Body<Typed>,
) -> Result<Json<Suggestions>, ApiError> {
    store.read(move |db| Ok(Json(suggest::typed(db, &finder, &actor, &typed)?))).await
}

/// What fits a fault: similar cases by its words, its alarms and its equipment, and open faults that may be the same.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/similar", tag = "cases", params(("fault" = String, Path)), responses((status = 200, body = Suggestions)))]
async fn similar(
    actor: Actor,
    State(store): State<Store>,
    State(finder): State<Finder>,
    Path(fault): Path<String>,
) -> Result<Json<Suggestions>, ApiError> {
    let reference: faults::Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = faults::get(db, &scope, &reference)?;
        Ok(Json(suggest::for_fault(db, &finder, &scope, &fault)?))
    };
    store.read(read).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct PageParams {
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

impl PageParams {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(USUAL_PAGE).clamp(1, MOST_PAGE)
    }
}

fn not_a_page() -> ApiError {
    ApiError::invalid("`after` is not the `next` of a page")
}

/// What was offered and what came of it (admin), oldest first: what ranking is fitted with. Questions are masked.
#[utoipa::path(get, path = "/api/v1/cases/signals", tag = "cases", params(PageParams), responses((status = 200, body = List<OfferRecord>)))]
async fn signal_list(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<PageParams>,
) -> Result<Json<List<OfferRecord>>, ApiError> {
    actor.must_be(&[Role::Admin], "read signals")?;
    let limit = params.limit();
    let after = params.after.as_deref().map(|text| place_of(text).ok_or_else(not_a_page)).transpose()?;
    store.read(move |db| Ok(Json(signals::list(db, after, limit)?))).await
}

/// `MICROSECONDS.OFFER`.
fn place_of(text: &str) -> Option<(Timestamp, OfferId)> {
    let (at, offer) = text.split_once('.')?;
    Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, offer.parse().ok()?))
}

/// Tells what cases were shown, opened and cited, or that none fits. An offer that is sent again is added to.
#[utoipa::path(post, path = "/api/v1/cases/signals", tag = "cases", request_body = NewSignals, responses((status = 200, body = SignalsStored)))]
async fn store_signals(actor: Actor, State(store): State<Store>, Body(new): Body<NewSignals>) -> Result<Json<SignalsStored>, ApiError> {
    actor.must_write("tell what became of an offer")?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(signals::store(tx, &actor, &new)?) };
    Ok(Json(store.answer(job).await?))
}

/// For how many months signals are kept.
#[utoipa::path(get, path = "/api/v1/cases/signals/retention", tag = "cases", responses((status = 200, body = SignalRetention)))]
async fn retention(_: Actor, State(store): State<Store>) -> Result<Json<SignalRetention>, ApiError> {
    store.read(|db| Ok(Json(signals::retention(db)?))).await
}

/// Sets for how many months signals are kept (admin).
#[utoipa::path(put, path = "/api/v1/cases/signals/retention", tag = "cases", request_body = SignalRetention, responses((status = 200, body = SignalRetention)))]
async fn set_retention(
    actor: Actor,
    State(store): State<Store>,
    Body(new): Body<SignalRetention>,
) -> Result<Json<SignalRetention>, ApiError> {
    actor.must_be(&[Role::Admin], "set how long signals are kept")?;
    store.write(move |tx| Ok(Json(signals::set_retention(tx, new)?))).await
}

/// Faults that were not filed, since a case solved them; newest first. A carrier's people see their own.
#[utoipa::path(get, path = "/api/v1/cases/deflections", tag = "cases", params(PageParams), responses((status = 200, body = List<Deflection>)))]
async fn deflection_list(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<PageParams>,
) -> Result<Json<List<Deflection>>, ApiError> {
    let limit = params.limit();
    let after = params.after.map(|text| text.parse::<DeflectionId>().map_err(|_| not_a_page())).transpose()?;
    let items = store.read(move |db| deflections::list(db, &actor.scope(), after, limit)).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| last.id.to_string());
    Ok(Json(List { items, next }))
}

/// Records that this case solved it, and no fault is filed.
#[utoipa::path(post, path = "/api/v1/cases/{case}/deflections", tag = "cases", params(("case" = String, Path)), request_body = NewDeflection, responses((status = 200, body = Deflection)))]
async fn deflect(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Body(new): Body<NewDeflection>,
) -> Result<Json<Deflection>, ApiError> {
    actor.must_write("record that a case solved it")?;
    let reference: Reference = case.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(deflections::record(tx, &actor, &reference, &new)?) };
    Ok(Json(store.answer(job).await?))
}

/// Takes it back: the case did not solve it after all.
#[utoipa::path(post, path = "/api/v1/cases/{case}/deflections/{deflection}/undo", tag = "cases", params(("case" = String, Path), ("deflection" = String, Path)), responses((status = 200, body = Deflection)))]
async fn undo(
    actor: Actor,
    State(store): State<Store>,
    Path((case, deflection)): Path<(String, String)>,
) -> Result<Json<Deflection>, ApiError> {
    actor.must_write("record that a case solved it")?;
    let reference: Reference = case.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(deflections::undo(tx, &actor, &reference, &deflection)?) };
    Ok(Json(store.answer(job).await?))
}
