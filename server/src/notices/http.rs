use axum::Json;
use axum::extract::{FromRef, State};
use lineman_common::api::{
    AddedTarget, List, NewNoticeTarget, NoticePage, NoticePreferences, NoticeRepeat, NoticeSettings, NoticeTarget, NoticeView, NoticesView,
    RepeatAcknowledgement, Replay, Replayed,
};
use lineman_common::id::{NoticeId, TargetId};
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::notice::Delivery;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::targets::KEEPERS;
use super::{log, repeats, targets};
use crate::faults::{self, Reference};
use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Body, Params, Path, ShownOnce};

/// Does this server send e-mail?
#[derive(Clone, Copy, Debug)]
pub struct HasMail(pub bool);

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub has_mail: HasMail,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new()
        .routes(routes!(get, set))
        .routes(routes!(test))
        .routes(routes!(preferences, prefer))
        .routes(routes!(list_targets, add_target))
        .routes(routes!(get_target, remove_target))
        .routes(routes!(rotate))
        .routes(routes!(test_target))
        .routes(routes!(list))
        .routes(routes!(replay_all))
        .routes(routes!(get_notice))
        .routes(routes!(replay))
        .routes(routes!(get_repeat))
        .routes(routes!(acknowledge))
}

fn code_of(text: &str) -> Result<CustomerCode, ApiError> {
    text.parse().map_err(|_| super::Error::NoCustomer.into())
}

fn target_of(text: &str) -> Result<TargetId, ApiError> {
    text.parse().map_err(|_| super::Error::NoTarget.into())
}

fn notice_of(text: &str) -> Result<NoticeId, ApiError> {
    text.parse().map_err(|_| super::Error::NoNotice.into())
}

// ---- A customer's shared targets ------------------------------------------------------------------------------------

/// Where a customer's people are told together, and the newest notices there (the customer's NOC and approvers, admin).
#[utoipa::path(get, path = "/api/v1/customers/{customer}/notices", tag = "notices", params(("customer" = String, Path)), responses((status = 200, body = NoticesView)))]
async fn get(actor: Actor, State(store): State<Store>, Path(customer): Path<String>) -> Result<Json<NoticesView>, ApiError> {
    actor.must_be(KEEPERS, "see who is told")?;
    let code = code_of(&customer)?;
    store.read(move |db| Ok(Json(targets::get(db, &actor, &code)?))).await
}

/// Says who is told, in the place of what was set before (the customer's NOC and approvers, admin). The secrets of new webhooks are in the
/// reply, and nowhere else.
#[utoipa::path(put, path = "/api/v1/customers/{customer}/notices", tag = "notices", params(("customer" = String, Path)), request_body = NoticeSettings, responses((status = 200, body = NoticesView)))]
async fn set(
    actor: Actor,
    State(store): State<Store>,
    State(HasMail(has_mail)): State<HasMail>,
    Path(customer): Path<String>,
    Body(settings): Body<NoticeSettings>,
) -> Result<Json<NoticesView>, ApiError> {
    actor.must_be(KEEPERS, "say who is told")?;
    let code = code_of(&customer)?;
    store.write(move |tx| Ok(Json(targets::set(tx, &actor, &code, settings, has_mail)?))).await
}

/// Sends a test to everybody who is named; how it went is in the list of notices a moment later.
#[utoipa::path(post, path = "/api/v1/customers/{customer}/notices/test", tag = "notices", params(("customer" = String, Path)), responses((status = 200, body = NoticesView)))]
async fn test(actor: Actor, State(store): State<Store>, Path(customer): Path<String>) -> Result<Json<NoticesView>, ApiError> {
    actor.must_be(KEEPERS, "send a test notice")?;
    let code = code_of(&customer)?;
    store.write(move |tx| Ok(Json(targets::test(tx, &actor, &code)?))).await
}

// ---- One's own ------------------------------------------------------------------------------------------------------

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct WhoseParams {
    /// Somebody else's: for the administrator.
    person: Option<String>,
}

impl WhoseParams {
    fn name(&self) -> Result<Option<PersonName>, ApiError> {
        let parse = |name: &String| name.parse().map_err(|_| super::Error::NoPerson.into());
        self.person.as_ref().map(parse).transpose()
    }
}

/// How the caller is told.
#[utoipa::path(get, path = "/api/v1/notices/preferences", tag = "notices", params(WhoseParams), responses((status = 200, body = NoticePreferences)))]
async fn preferences(
    actor: Actor,
    State(store): State<Store>,
    Params(whose): Params<WhoseParams>,
) -> Result<Json<NoticePreferences>, ApiError> {
    let name = whose.name()?;
    store.read(move |db| Ok(Json(targets::preferences(db, &actor, name.as_ref())?))).await
}

/// Sets how the caller is told, in the place of what was set before.
#[utoipa::path(put, path = "/api/v1/notices/preferences", tag = "notices", params(WhoseParams), request_body = NoticePreferences, responses((status = 200, body = NoticePreferences)))]
async fn prefer(
    actor: Actor,
    State(store): State<Store>,
    Params(whose): Params<WhoseParams>,
    Body(wanted): Body<NoticePreferences>,
) -> Result<Json<NoticePreferences>, ApiError> {
    let name = whose.name()?;
    store.write(move |tx| Ok(Json(targets::prefer(tx, &actor, name.as_ref(), wanted)?))).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct PageParams {
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

fn limit_of(limit: Option<u32>) -> u32 {
    limit.unwrap_or(200).clamp(1, 1000)
}

/// A page that is full may have another after it.
fn page<T>(items: Vec<T>, limit: u32, id: impl Fn(&T) -> String) -> Json<List<T>> {
    let is_full = items.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = items.last().filter(|_| is_full).map(id);
    Json(List { items, next })
}

/// Where notices arrive: one's own targets; with them the customer's shared ones for its NOC and approvers; all for admin.
#[utoipa::path(get, path = "/api/v1/notices/targets", tag = "notices", params(PageParams), responses((status = 200, body = List<NoticeTarget>)))]
async fn list_targets(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<PageParams>,
) -> Result<Json<List<NoticeTarget>>, ApiError> {
    let after = params.after.as_deref().map(target_of).transpose()?;
    let limit = limit_of(params.limit);
    store.read(move |db| Ok(page(log::targets(db, &actor, after, limit)?, limit, |target| target.id.to_string()))).await
}

/// Adds a target of one's own. A webhook's secret is in the reply, and nowhere else.
#[utoipa::path(post, path = "/api/v1/notices/targets", tag = "notices", request_body = NewNoticeTarget, responses((status = 200, body = AddedTarget)))]
async fn add_target(
    actor: Actor,
    State(store): State<Store>,
    State(HasMail(has_mail)): State<HasMail>,
    Body(new): Body<NewNoticeTarget>,
) -> Result<ShownOnce<AddedTarget>, ApiError> {
    store.write(move |tx| Ok(ShownOnce(targets::add(tx, &actor, &new, has_mail)?))).await
}

/// One target, and how it does.
#[utoipa::path(get, path = "/api/v1/notices/targets/{target}", tag = "notices", params(("target" = String, Path)), responses((status = 200, body = NoticeTarget)))]
async fn get_target(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<Json<NoticeTarget>, ApiError> {
    let id = target_of(&id)?;
    store.read(move |db| Ok(Json(log::target(db, &actor, id)?))).await
}

/// Takes a target away; what waits for it is not sent.
#[utoipa::path(delete, path = "/api/v1/notices/targets/{target}", tag = "notices", params(("target" = String, Path)), responses((status = 200, body = NoticeTarget)))]
async fn remove_target(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<Json<NoticeTarget>, ApiError> {
    let id = target_of(&id)?;
    store.write(move |tx| Ok(Json(targets::remove(tx, &actor, id)?))).await
}

/// Makes a new secret for a webhook, shown this once; for a day the one before signs too.
#[utoipa::path(post, path = "/api/v1/notices/targets/{target}/secret", tag = "notices", params(("target" = String, Path)), responses((status = 200, body = AddedTarget)))]
async fn rotate(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<ShownOnce<AddedTarget>, ApiError> {
    let id = target_of(&id)?;
    store.write(move |tx| Ok(ShownOnce(targets::rotate(tx, &actor, id)?))).await
}

/// Sends a test to one target; how it went is in the log a moment later.
#[utoipa::path(post, path = "/api/v1/notices/targets/{target}/test", tag = "notices", params(("target" = String, Path)), responses((status = 200, body = NoticeTarget)))]
async fn test_target(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<Json<NoticeTarget>, ApiError> {
    let id = target_of(&id)?;
    store.write(move |tx| Ok(Json(targets::try_out(tx, &actor, id)?))).await
}

// ---- The log --------------------------------------------------------------------------------------------------------

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct LogParams {
    target: Option<String>,
    /// A number (`F-JW-42`) or id.
    fault: Option<String>,
    /// `waiting`, `delivered`, `folded` or `given_up`; all when absent.
    state: Option<Delivery>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The delivery log, newest first: of one's own targets; with them the customer's shared ones for its NOC and approvers; all for admin.
#[utoipa::path(get, path = "/api/v1/notices", tag = "notices", params(LogParams), responses((status = 200, body = List<NoticeView>)))]
async fn list(actor: Actor, State(store): State<Store>, Params(params): Params<LogParams>) -> Result<Json<List<NoticeView>>, ApiError> {
    let reference = params.fault.as_deref().map(str::parse::<Reference>).transpose()?;
    let target = params.target.as_deref().map(target_of).transpose()?;
    let after = params.after.as_deref().map(notice_of).transpose()?;
    let limit = limit_of(params.limit);
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let fault = reference.map(|reference| faults::get(db, &actor.scope(), &reference)).transpose()?.map(|fault| fault.id);
        let query = log::Query { target, fault, state: params.state, after, limit };
        Ok(page(log::list(db, &actor, &query)?, limit, |notice| notice.id.to_string()))
    };
    store.read(read).await
}

/// Sends again what went to one target in a time, under the same ids, oldest first; 1000 at a time.
#[utoipa::path(post, path = "/api/v1/notices/replay", tag = "notices", request_body = Replay, responses((status = 200, body = Replayed)))]
async fn replay_all(actor: Actor, State(store): State<Store>, Body(wanted): Body<Replay>) -> Result<Json<Replayed>, ApiError> {
    store.write(move |tx| Ok(Json(log::replay_all(tx, &actor, &wanted)?))).await
}

/// One notice, with every attempt to deliver it.
#[utoipa::path(get, path = "/api/v1/notices/{notice}", tag = "notices", params(("notice" = String, Path)), responses((status = 200, body = NoticePage)))]
async fn get_notice(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<Json<NoticePage>, ApiError> {
    let id = notice_of(&id)?;
    store.read(move |db| Ok(Json(log::get(db, &actor, id)?))).await
}

/// Sends one notice again: the same text under the same id.
#[utoipa::path(post, path = "/api/v1/notices/{notice}/replay", tag = "notices", params(("notice" = String, Path)), responses((status = 200, body = NoticePage)))]
async fn replay(actor: Actor, State(store): State<Store>, Path(id): Path<String>) -> Result<Json<NoticePage>, ApiError> {
    let id = notice_of(&id)?;
    store.write(move |tx| Ok(Json(log::replay(tx, &actor, id)?))).await
}

// ---- What is told again ---------------------------------------------------------------------------------------------

/// How often a critical fault that nobody accepted was told again.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/notices", tag = "notices", params(("fault" = String, Path)), responses((status = 200, body = NoticeRepeat)))]
async fn get_repeat(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<NoticeRepeat>, ApiError> {
    actor.must_work_faults("see who is called")?;
    let reference: Reference = fault.parse()?;
    store.read(move |db| Ok(Json(repeats::of_fault(db, &actor, &reference)?))).await
}

/// Says, with a reason, that a critical fault need not be told again though nobody has accepted it.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/notices/acknowledgement", tag = "notices", params(("fault" = String, Path)), request_body = RepeatAcknowledgement, responses((status = 200, body = NoticeRepeat)))]
async fn acknowledge(
    actor: Actor,
    State(store): State<Store>,
    Path(fault): Path<String>,
    Body(body): Body<RepeatAcknowledgement>,
) -> Result<Json<NoticeRepeat>, ApiError> {
    actor.must_work_faults("say that nobody has to be called")?;
    let reference: Reference = fault.parse()?;
    store.write(move |tx| Ok(Json(repeats::acknowledge(tx, &actor, &reference, &body.why)?))).await
}
