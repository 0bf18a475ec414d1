use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use lineman_common::api::{ArriveAs, CaseExport, CaseImport, ExchangeForm, ImportPlan};
use lineman_common::name::CaseNumber;
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Filter;
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params};

const PAGE: u32 = 200;
const LARGEST_PAGE: u32 = 1000;

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(export)).routes(routes!(file)).routes(routes!(import))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ExportParams {
    /// `state:validated audience:customer product:OLT fan`: filters, and words that a case says. What is archived only with `state:archived`.
    #[serde(default)]
    q: String,
    /// Also cases that show what belongs to a customer.
    #[serde(default)]
    as_is: bool,
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
    /// Of the file: `csv`, `json`, `jsonl`, or `markdown` (for one case: `limit=1`).
    #[param(value_type = Option<String>)]
    form: Option<ExchangeForm>,
}

async fn page(actor: Actor, store: Store, params: &ExportParams) -> Result<CaseExport, ApiError> {
    let filter = Filter::parse(&params.q)?;
    let as_is = params.as_is;
    if as_is && !actor.scope().sees_internal() {
        return Err(ApiError::forbidden("only the support centre exports cases as they are"));
    }
    let not_a_page = |_| ApiError::invalid("`after` is the number of a case, like `C-0042`");
    let after = params.after.as_deref().map(str::parse).transpose().map_err(not_a_page)?.unwrap_or(CaseNumber(0));
    let limit = params.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE) as usize;
    Ok(store.read(move |db| super::export(db, &actor.scope(), &filter, as_is, after, limit)).await?)
}

/// The library, by number. Cases that show what belongs to a customer are named and left out, unless `as_is` is set.
#[utoipa::path(get, path = "/api/v1/cases/export", tag = "cases", params(ExportParams), responses((status = 200, body = CaseExport)))]
async fn export(actor: Actor, State(store): State<Store>, Params(params): Params<ExportParams>) -> Result<Json<CaseExport>, ApiError> {
    if params.form.is_some() {
        return Err(ApiError::invalid("`form` is for /api/v1/cases/export/file: this answer is JSON"));
    }
    Ok(Json(page(actor, store, &params).await?))
}

/// The same as a file. The `Link` header names the next page, `x-held-back` how many cases were left out.
#[utoipa::path(get, path = "/api/v1/cases/export/file", tag = "cases", params(ExportParams), responses((status = 200, body = String, content_type = "text/csv")))]
async fn file(actor: Actor, State(store): State<Store>, Params(params): Params<ExportParams>) -> Result<Response, ApiError> {
    let form = params.form.unwrap_or(ExchangeForm::Csv);
    let params = if form == ExchangeForm::Markdown { ExportParams { limit: Some(1), ..params } } else { params };
    let export = page(actor, store, &params).await?;
    let kind = match form {
        ExchangeForm::Markdown => "text/markdown; charset=utf-8",
        ExchangeForm::Csv => "text/csv; charset=utf-8; header=present",
        ExchangeForm::Json => "application/json",
        ExchangeForm::Jsonl => "application/jsonl",
    };
    let mut response = ([(header::CONTENT_TYPE, kind)], super::text(form, &export.items)).into_response();
    let headers = response.headers_mut();
    headers.insert("x-held-back", HeaderValue::from(export.held_back.len()));
    let next = export.next.map(|after| next_page(form, &params, after));
    if let Some(value) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        headers.insert(header::LINK, value);
    }
    Ok(response)
}

/// RFC 8288.
fn next_page(form: ExchangeForm, params: &ExportParams, after: CaseNumber) -> String {
    let query: String =
        params.q.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    let limit = params.limit.unwrap_or(PAGE);
    format!("</api/v1/cases/export/file?form={form}&q={query}&as_is={}&limit={limit}&after={after}>; rel=\"next\"", params.as_is)
}

/// Brings cases in. Without `plan` nothing is written: the answer says what would become of each case, and names that plan; with it, it
/// is carried out if it still is the same.
#[utoipa::path(post, path = "/api/v1/cases/import", tag = "cases", request_body = CaseImport, responses((status = 200, body = ImportPlan)))]
async fn import(actor: Actor, State(store): State<Store>, Body(import): Body<CaseImport>) -> Result<Json<ImportPlan>, ApiError> {
    actor.must_work_faults("import cases")?;
    if import.arrive_as == ArriveAs::Validated {
        actor.must_be(&[Role::Admin], "publish cases by import")?;
    }
    let plan = match import.plan.clone() {
        None => store.read(move |db| super::dry_run(db, &import)).await?,
        Some(named) => store.write(move |tx| super::apply(tx, &actor, &import, &named)).await?,
    };
    Ok(Json(plan))
}
