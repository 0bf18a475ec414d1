//! Routes of a case's life. What concerns the library as a whole comes first, then one case's steps.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use lineman_common::api::{
    Case, CaseDiff, CaseHealth, CaseLink, CaseSettings, CaseVersion, Confirm, ConfirmTranslation, Feedback, Flag, Gap, GapState, HandOver,
    HandOverMany, HandedOver, HandleGap, HealthBy, HealthFigure, HealthItem, Language, List, NewFeedback, NewLink, Reason, Restoration,
    ReviewItem, SameAs, TranslateItem, Unlink,
};
use lineman_common::name::{CaseNumber, PersonName};
use lineman_common::people::Role;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Reference;
use super::super::http::{Desk, Reply, check, step};
use super::{feedback, flags, gaps, health, links, merge, owners, review, states, translate, versions};
use crate::store::{Answer, Db, Store, Tx};
use crate::web::{Actor, ApiError, Body, Params, Path, Precondition, Tagged};

/// A view of a large library's health keeps a reader of the store busy. One at a time, so that lists and pages never wait for it.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

const PAGE: u32 = 200;
const MOST: u32 = 1000;

pub fn routes() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(review_queue))
        .routes(routes!(claim, release))
        .routes(routes!(send_back))
        .routes(routes!(unarchive))
        .routes(routes!(list_versions))
        .routes(routes!(one_version))
        .routes(routes!(restore))
        .routes(routes!(compare))
        .routes(routes!(hand_over))
        .routes(routes!(hand_over_many))
        .routes(routes!(list_flags, doubt))
        .routes(routes!(confirm))
        .routes(routes!(get_settings, set_settings))
        .routes(routes!(merge_into))
        .routes(routes!(unmerge))
        .routes(routes!(list_links, link))
        .routes(routes!(unlink))
        .routes(routes!(list_feedback, give_feedback))
        .routes(routes!(to_translate))
        .routes(routes!(translated))
        .routes(routes!(list_gaps))
        .routes(routes!(handle_gap))
        .routes(routes!(show_health))
        .routes(routes!(behind_health))
}

impl Answer for Feedback {}
impl Answer for Gap {}
impl Answer for HandedOver {}

fn not_a_page<E>(_: E) -> ApiError {
    ApiError::invalid("`after` is not the `next` of a page")
}

/// Where the page begins, of lists that count lines.
fn line(after: Option<&String>) -> Result<u32, ApiError> {
    after.map_or(Ok(0), |after| after.parse().map_err(not_a_page))
}

/// Where the page begins, of lists in the order of a time and a number: `MICROSECONDS.NUMBER`.
fn moment(after: Option<&String>) -> Result<Option<(Timestamp, CaseNumber)>, ApiError> {
    let parse = |after: &String| {
        let (at, number) = after.split_once('.')?;
        Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, CaseNumber(number.parse().ok()?)))
    };
    after.map(|after| parse(after).ok_or_else(|| not_a_page(()))).transpose()
}

fn next_moment(at: Timestamp, number: CaseNumber) -> String {
    format!("{}.{}", at.as_microsecond(), number.0)
}

fn lines<T>(items: Vec<T>, begin: u32, limit: u32) -> List<T> {
    let is_full = items.len() == limit as usize;
    List { items, next: is_full.then(|| begin.saturating_add(limit).to_string()) }
}

fn limit(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE).clamp(1, MOST)
}

/// `me` is the asker.
pub fn person(actor: &Actor, name: Option<String>) -> Result<Option<PersonName>, ApiError> {
    let name = name.map(|name| if name == "me" { actor.name.to_string() } else { name });
    name.map(|name| name.parse().map_err(|e: lineman_common::name::BadName| ApiError::invalid(e.to_string()))).transpose()
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct PageParams {
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

// ---- Review ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ReviewParams {
    /// Only what the asker may review: written by somebody else, and claimed by nobody else.
    #[serde(default)]
    mine: bool,
    product: Option<String>,
    /// A person's name, or `me`.
    owner: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// What waits for review, the longest first, with who may review it. Empty for a carrier's people.
#[utoipa::path(get, path = "/api/v1/cases/reviews", tag = "cases", params(ReviewParams), responses((status = 200, body = List<ReviewItem>)))]
async fn review_queue(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<ReviewParams>,
) -> Result<Json<List<ReviewItem>>, ApiError> {
    let (after, limit) = (moment(params.after.as_ref())?, limit(params.limit));
    let filter = review::Filter { mine: params.mine, product: params.product, owner: person(&actor, params.owner)?, after, limit };
    let read = move |db: &Db<'_>| -> Result<_, ApiError> { Ok(review::queue(db, &actor, &filter)?) };
    let items = store.read(read).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| next_moment(last.review.since, last.number));
    Ok(Json(List { items, next }))
}

/// Takes a case on for review; a claim lapses after three days.
#[utoipa::path(post, path = "/api/v1/cases/{case}/claim", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn claim(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "review cases", review::claim).await
}

/// Gives a claimed case back into the queue; duty managers and administrators give back what others hold.
#[utoipa::path(delete, path = "/api/v1/cases/{case}/claim", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn release(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "review cases", review::release).await
}

/// Sends a case that waits for review back to its author; the reason is needed.
#[utoipa::path(post, path = "/api/v1/cases/{case}/return", tag = "cases", params(("case" = String, Path)), request_body = Reason, responses((status = 200, body = Case)))]
async fn send_back(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<Reason>) -> Reply {
    step(store, actor, case, "review cases", move |tx, actor, case| states::send_back(tx, actor, case, &body.reason)).await
}

/// Takes a case out of the archive; what was published before waits for review again.
#[utoipa::path(post, path = "/api/v1/cases/{case}/unarchival", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn unarchive(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "take cases out of the archive", states::unarchive).await
}

// ---- Versions -------------------------------------------------------------------------------------------------------

/// A case's versions, the newest first: who wrote them, and when. For the support centre's people.
#[utoipa::path(get, path = "/api/v1/cases/{case}/versions", tag = "cases", params(("case" = String, Path), PageParams), responses((status = 200, body = List<CaseVersion>)))]
async fn list_versions(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Params(params): Params<PageParams>,
) -> Result<Json<List<CaseVersion>>, ApiError> {
    let reference: Reference = case.parse()?;
    let before = params.after.map(|after| after.parse().map_err(not_a_page)).transpose()?;
    let limit = limit(params.limit);
    let read = move |db: &Db<'_>| -> Result<_, ApiError> { Ok(versions::list(db, &actor.scope(), &reference, before, limit)?) };
    let items = store.read(read).await?;
    let next = items.last().filter(|last| items.len() == limit as usize && last.version > 1).map(|last| last.version.to_string());
    Ok(Json(List { items, next }))
}

/// One version with its text.
#[utoipa::path(get, path = "/api/v1/cases/{case}/versions/{version}", tag = "cases", params(("case" = String, Path), ("version" = u32, Path)), responses((status = 200, body = CaseVersion)))]
async fn one_version(
    actor: Actor,
    State(store): State<Store>,
    Path((case, version)): Path<(String, u32)>,
) -> Result<Json<CaseVersion>, ApiError> {
    let reference: Reference = case.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> { Ok(Json(versions::one(db, &actor.scope(), &reference, version)?)) };
    store.read(read).await
}

/// Brings an older version back as a new one: the undo of an edit. Takes `If-Match`.
#[utoipa::path(post, path = "/api/v1/cases/{case}/versions/{version}/restoration", tag = "cases", params(("case" = String, Path), ("version" = u32, Path)), request_body = Restoration, responses((status = 200, body = Case)))]
async fn restore(
    actor: Actor,
    State(store): State<Store>,
    Path((case, version)): Path<(String, u32)>,
    precondition: Precondition,
    Body(body): Body<Restoration>,
) -> Reply {
    step(store, actor, case, "edit cases", move |tx, actor, case| -> Result<_, ApiError> {
        check(tx, actor, case, &precondition, &body)?;
        Ok(versions::restore(tx, actor, case, version, &body)?)
    })
    .await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct DiffParams {
    /// The version before `to` when absent.
    from: Option<u32>,
    /// The newest when absent.
    to: Option<u32>,
}

/// What changed between two versions, per field and language: word by word, in Chinese character by character.
#[utoipa::path(get, path = "/api/v1/cases/{case}/diff", tag = "cases", params(("case" = String, Path), DiffParams), responses((status = 200, body = CaseDiff)))]
async fn compare(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Params(params): Params<DiffParams>,
) -> Result<Json<CaseDiff>, ApiError> {
    let reference: Reference = case.parse()?;
    let read =
        move |db: &Db<'_>| -> Result<_, ApiError> { Ok(Json(versions::compare(db, &actor.scope(), &reference, params.from, params.to)?)) };
    store.read(read).await
}

// ---- Owners ---------------------------------------------------------------------------------------------------------

/// Hands a case over to another owner.
#[utoipa::path(post, path = "/api/v1/cases/{case}/owner", tag = "cases", params(("case" = String, Path)), request_body = HandOver, responses((status = 200, body = Case)))]
async fn hand_over(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<HandOver>) -> Reply {
    step(store, actor, case, "hand cases over", move |tx, actor, case| owners::hand_over(tx, actor, case, &body)).await
}

/// Hands over all cases in use of a product line, of an owner, or both (duty manager, admin).
#[utoipa::path(post, path = "/api/v1/cases/handover", tag = "cases", request_body = HandOverMany, responses((status = 200, body = HandedOver)))]
async fn hand_over_many(actor: Actor, State(store): State<Store>, Body(body): Body<HandOverMany>) -> Result<Json<HandedOver>, ApiError> {
    actor.must_be(&[Role::DutyManager, Role::Admin], "hand over many cases")?;
    Ok(Json(store.answer(move |tx| -> Result<_, ApiError> { Ok(owners::hand_over_many(tx, &actor, &body)?) }).await?))
}

// ---- Doubts ---------------------------------------------------------------------------------------------------------

/// All doubts about a case, the newest first, with what was answered. Empty for a carrier's people.
#[utoipa::path(get, path = "/api/v1/cases/{case}/flags", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = List<Flag>)))]
async fn list_flags(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Result<Json<List<Flag>>, ApiError> {
    let reference: Reference = case.parse()?;
    store.read(move |db| -> Result<_, ApiError> { Ok(Json(flags::list(db, &actor.scope(), &reference)?.into())) }).await
}

/// Says that a case is wrong or outdated, and why: any reader may.
#[utoipa::path(post, path = "/api/v1/cases/{case}/flags", tag = "cases", params(("case" = String, Path)), request_body = Reason, responses((status = 200, body = Case)))]
async fn doubt(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<Reason>) -> Reply {
    actor.must_write("doubt cases")?;
    let reference: Reference = case.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(flags::doubt(tx, &actor, &reference, &body.reason)?) };
    Ok(Tagged(store.answer(job).await?))
}

/// Says that a published case is still true: answers all its doubts.
#[utoipa::path(post, path = "/api/v1/cases/{case}/confirmation", tag = "cases", params(("case" = String, Path)), request_body = Confirm, responses((status = 200, body = Case)))]
async fn confirm(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<Confirm>) -> Reply {
    step(store, actor, case, "confirm cases", move |tx, actor, case| flags::confirm(tx, actor, case, &body)).await
}

/// After how many months without a confirmation a case is stale.
#[utoipa::path(get, path = "/api/v1/case-settings", tag = "cases", responses((status = 200, body = CaseSettings)))]
async fn get_settings(_: Actor, State(store): State<Store>) -> Result<Json<CaseSettings>, ApiError> {
    Ok(Json(store.read(flags::settings).await?))
}

/// Sets it (admin); the library is looked through at once.
#[utoipa::path(put, path = "/api/v1/case-settings", tag = "cases", request_body = CaseSettings, responses((status = 200, body = CaseSettings)))]
async fn set_settings(actor: Actor, State(store): State<Store>, Body(body): Body<CaseSettings>) -> Result<Json<CaseSettings>, ApiError> {
    actor.must_be(&[Role::Admin], "set when cases are stale")?;
    let settings = store.write(move |tx| -> Result<_, ApiError> { Ok(flags::set(tx, &actor, &body)?) }).await?;
    flags::look_now();
    Ok(Json(settings))
}

// ---- Duplicates -----------------------------------------------------------------------------------------------------

/// Says that a case is the same as another: its number answers with that one from now on. Answers with that one.
#[utoipa::path(post, path = "/api/v1/cases/{case}/merge", tag = "cases", params(("case" = String, Path)), request_body = SameAs, responses((status = 200, body = Case)))]
async fn merge_into(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<SameAs>) -> Reply {
    step(store, actor, case, "merge cases", move |tx, actor, case| -> Result<_, ApiError> {
        let into: Reference = body.into.parse().map_err(|_| ApiError::invalid("`into` is the case to merge into, like C-0042"))?;
        Ok(merge::merge(tx, actor, case, &into)?)
    })
    .await
}

/// The way back from a merge.
#[utoipa::path(post, path = "/api/v1/cases/{case}/unmerge", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = Case)))]
async fn unmerge(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Reply {
    step(store, actor, case, "merge cases", merge::unmerge).await
}

// ---- Links and feedback ---------------------------------------------------------------------------------------------

/// The faults that a case was linked to, the newest first; a carrier's people see their own.
#[utoipa::path(get, path = "/api/v1/cases/{case}/links", tag = "cases", params(("case" = String, Path), PageParams), responses((status = 200, body = List<CaseLink>)))]
async fn list_links(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Params(params): Params<PageParams>,
) -> Result<Json<List<CaseLink>>, ApiError> {
    let reference: Reference = case.parse()?;
    let (begin, limit) = (line(params.after.as_ref())?, limit(params.limit));
    let read = move |db: &Db<'_>| -> Result<_, ApiError> { Ok(links::list(db, &actor.scope(), &reference, begin, limit)?) };
    Ok(Json(lines(store.read(read).await?, begin, limit)))
}

/// Says what a case was to a fault: `solved`, `helped`, or `wrong` with the reason. One verdict each: a new one takes the old one's place.
#[utoipa::path(post, path = "/api/v1/cases/{case}/links", tag = "cases", params(("case" = String, Path)), request_body = NewLink, responses((status = 200, body = Case)))]
async fn link(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<NewLink>) -> Reply {
    step(store, actor, case, "link cases", move |tx, actor, case| links::link(tx, actor, case, &body)).await
}

/// Takes a link away that should not be there; the reason stays on the fault's timeline.
#[utoipa::path(post, path = "/api/v1/cases/{case}/unlink", tag = "cases", params(("case" = String, Path)), request_body = Unlink, responses((status = 200, body = Case)))]
async fn unlink(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<Unlink>) -> Reply {
    step(store, actor, case, "link cases", move |tx, actor, case| links::unlink(tx, actor, case, &body)).await
}

/// What readers said of a case, the newest first; a carrier's people read their own company's.
#[utoipa::path(get, path = "/api/v1/cases/{case}/feedback", tag = "cases", params(("case" = String, Path), PageParams), responses((status = 200, body = List<Feedback>)))]
async fn list_feedback(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Params(params): Params<PageParams>,
) -> Result<Json<List<Feedback>>, ApiError> {
    let reference: Reference = case.parse()?;
    let (begin, limit) = (line(params.after.as_ref())?, limit(params.limit));
    let read = move |db: &Db<'_>| -> Result<_, ApiError> { Ok(feedback::list(db, &actor.scope(), &reference, begin, limit)?) };
    Ok(Json(lines(store.read(read).await?, begin, limit)))
}

/// Says whether a published case helped; once for each version, changed by saying it again.
#[utoipa::path(put, path = "/api/v1/cases/{case}/feedback", tag = "cases", params(("case" = String, Path)), request_body = NewFeedback, responses((status = 200, body = Feedback)))]
async fn give_feedback(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Body(body): Body<NewFeedback>,
) -> Result<Json<Feedback>, ApiError> {
    actor.must_write("judge cases")?;
    let reference: Reference = case.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(feedback::give(tx, &actor, &reference, &body)?) };
    Ok(Json(store.answer(job).await?))
}

// ---- Translation ----------------------------------------------------------------------------------------------------

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct TranslateParams {
    /// `zh` or `en`: what is to be written. Both when absent.
    language: Option<Language>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Cases that lack something in one language, or where one may be older than the other. Empty for a carrier's people.
#[utoipa::path(get, path = "/api/v1/cases/to-translate", tag = "cases", params(TranslateParams), responses((status = 200, body = List<TranslateItem>)))]
async fn to_translate(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<TranslateParams>,
) -> Result<Json<List<TranslateItem>>, ApiError> {
    let (after, limit) = (moment(params.after.as_ref())?, limit(params.limit));
    if !actor.scope().sees_internal() {
        return Ok(Json(Vec::new().into()));
    }
    let items = store.read(move |db| translate::queue(db, params.language, after, limit)).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| next_moment(last.updated_at, last.number));
    Ok(Json(List { items, next }))
}

/// Says that one language was read beside the other, and says the same.
#[utoipa::path(post, path = "/api/v1/cases/{case}/translation", tag = "cases", params(("case" = String, Path)), request_body = ConfirmTranslation, responses((status = 200, body = Case)))]
async fn translated(actor: Actor, State(store): State<Store>, Path(case): Path<String>, Body(body): Body<ConfirmTranslation>) -> Reply {
    step(store, actor, case, "edit cases", move |tx, actor, case| translate::confirm(tx, actor, case, &body)).await
}

// ---- Unanswered questions -------------------------------------------------------------------------------------------

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct GapParams {
    /// `open` (the default), `written` or `not_worth`.
    state: Option<GapState>,
    language: Option<Language>,
    product: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Questions that the library did not answer, the most asked first; masked. Empty for a carrier's people.
#[utoipa::path(get, path = "/api/v1/case-gaps", tag = "cases", params(GapParams), responses((status = 200, body = List<Gap>)))]
async fn list_gaps(actor: Actor, State(store): State<Store>, Params(params): Params<GapParams>) -> Result<Json<List<Gap>>, ApiError> {
    let parse = |after: &String| after.split_once('.').and_then(|(count, id)| Some((count.parse().ok()?, id.parse().ok()?)));
    let after = params.after.map(|after| parse(&after).ok_or_else(|| not_a_page(()))).transpose()?;
    let limit = limit(params.limit);
    if !actor.scope().sees_internal() {
        return Ok(Json(Vec::new().into()));
    }
    let filter = gaps::Filter { state: params.state, language: params.language, product: params.product, after, limit };
    let items = store.read(move |db| gaps::list(db, &filter)).await?;
    let next = items.last().filter(|_| items.len() == limit as usize).map(|last| format!("{}.{}", last.count, last.id));
    Ok(Json(List { items, next }))
}

/// Says what becomes of a question: a case was written, none is worth it, or it is open again.
#[utoipa::path(post, path = "/api/v1/case-gaps/{gap}/handling", tag = "cases", params(("gap" = u32, Path)), request_body = HandleGap, responses((status = 200, body = Gap)))]
async fn handle_gap(
    actor: Actor,
    State(store): State<Store>,
    Path(gap): Path<u32>,
    Body(body): Body<HandleGap>,
) -> Result<Json<Gap>, ApiError> {
    actor.must_work_faults("handle unanswered questions")?;
    Ok(Json(store.answer(move |tx| -> Result<_, ApiError> { Ok(gaps::handle(tx, &actor, gap, &body)?) }).await?))
}

// ---- Health ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct HealthParams {
    /// 90 days before `until` when absent.
    from: Option<Timestamp>,
    /// Not included; now when absent.
    until: Option<Timestamp>,
    /// One row for each `product` or `owner`; one for all when absent.
    by: Option<HealthBy>,
    /// Empty: about no product.
    product: Option<String>,
    /// A person's name, or `me`.
    owner: Option<String>,
}

/// The library's health, with what each figure means. No rows for a carrier's people.
#[utoipa::path(get, path = "/api/v1/cases/health", tag = "cases", params(HealthParams), responses((status = 200, body = CaseHealth)))]
async fn show_health(actor: Actor, State(store): State<Store>, Params(params): Params<HealthParams>) -> Result<Json<CaseHealth>, ApiError> {
    let narrow = health::Narrow { product: params.product, owner: person(&actor, params.owner)? };
    let permit = ONE_AT_A_TIME.acquire().await.map_err(ApiError::internal)?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let _permit = permit;
        let period = health::period(db, params.from, params.until)?;
        Ok(Json(health::view(db, &actor.scope(), period, params.by, &narrow)?))
    };
    store.read(read).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct BehindParams {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Empty: about no product.
    product: Option<String>,
    /// A person's name, or `me`.
    owner: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// The cases, faults or questions behind a figure, the largest value first: as many as its `behind` says.
#[utoipa::path(get, path = "/api/v1/cases/health/{figure}", tag = "cases", params(("figure" = String, Path), BehindParams), responses((status = 200, body = List<HealthItem>)))]
async fn behind_health(
    actor: Actor,
    State(store): State<Store>,
    Path(figure): Path<String>,
    Params(params): Params<BehindParams>,
) -> Result<Json<List<HealthItem>>, ApiError> {
    let figure: HealthFigure = figure
        .parse()
        .map_err(|e: lineman_common::error::UnknownWord| ApiError::not_found("figure").hint(format!("{e}; GET /api/v1/cases/health")))?;
    let narrow = health::Narrow { product: params.product, owner: person(&actor, params.owner)? };
    let (begin, limit) = (line(params.after.as_ref())?, limit(params.limit));
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let period = health::period(db, params.from, params.until)?;
        Ok(health::behind(db, &actor.scope(), figure, period, &narrow, begin, limit)?)
    };
    Ok(Json(lines(store.read(read).await?, begin, limit)))
}
