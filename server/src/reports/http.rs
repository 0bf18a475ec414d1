use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use lineman_common::api::{CountedFault, Event, Figure, FigureDefinition, FigurePart, FiguresReport, List, ReportBy};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Asked, Narrow, Window, csv};
use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Params, Path};

/// A large report keeps a reader of the store busy for seconds. One at a time, so that lists and pages never wait for reports.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

const MOST_ROWS: u32 = 5000;

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(definitions)).routes(routes!(report)).routes(routes!(faults_of)).routes(routes!(events))
}

/// What all questions share.
macro_rules! asked {
    ($params:expr) => {{
        let params = &$params;
        let asked = Asked { from: params.from.clone(), until: params.until.clone(), zone: params.zone.clone(), as_of: params.as_of };
        let narrow = Narrow {
            customer: params.customer.clone(),
            office: params.office.clone(),
            product: params.product.clone(),
            tier: params.tier.clone(),
            severity: params.severity.clone(),
        };
        (asked, narrow)
    }};
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ReportParams {
    /// RFC 3339, or a date of the zone; 30 days before `until` when absent.
    from: Option<String>,
    /// Not included; `as_of` when absent.
    until: Option<String>,
    /// IANA zone in which days begin; UTC when absent.
    zone: Option<String>,
    /// By what was known at that moment; now when absent.
    as_of: Option<Timestamp>,
    /// What the rows stand for, with commas: customer, office, product, tier, severity, and one of day, week, month, quarter.
    #[serde(default)]
    by: String,
    /// These figures only, with commas.
    #[serde(default)]
    figure: String,
    customer: Option<String>,
    /// Empty: faults that no office has.
    office: Option<String>,
    /// Empty: faults without equipment.
    product: Option<String>,
    tier: Option<String>,
    severity: Option<String>,
    /// `json` or `csv`; what `Accept` says when absent.
    #[param(value_type = Option<String>)]
    format: Option<Format>,
}

lineman_common::words! {
    enum Format {
        Json = "json",
        Csv = "csv",
    }
}

fn words_of<T: std::str::FromStr<Err = lineman_common::error::UnknownWord>>(text: &str) -> Result<Vec<T>, ApiError> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|e: lineman_common::error::UnknownWord| ApiError::invalid(e.to_string()))).collect()
}

fn wants_csv(format: Option<Format>, headers: &HeaderMap) -> bool {
    let accept = || headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default().to_owned();
    match format {
        Some(Format::Csv) => true,
        Some(Format::Json) => false,
        None => accept().split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/csv"),
    }
}

/// A file for programs: without the mark that some spreadsheets want, which the console puts before it.
fn file(name: &str, text: String) -> Response {
    let disposition =
        HeaderValue::from_str(&format!("attachment; filename=\"{name}.csv\"")).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, disposition),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, text).into_response()
}

async fn alone() -> Result<tokio::sync::SemaphorePermit<'static>, ApiError> {
    ONE_AT_A_TIME.acquire().await.map_err(ApiError::internal)
}

/// What each figure means: words in Chinese and English, formula, source, unit, reference value, what is left out.
#[utoipa::path(get, path = "/api/v1/reports/figures", tag = "reports", responses((status = 200, body = List<FigureDefinition>)))]
async fn definitions(_actor: Actor) -> Json<List<FigureDefinition>> {
    Json(super::definitions().into())
}

/// The figures of the faults that were reported in `[from, until)`. JSON, or CSV by `Accept` or `format=csv`.
#[utoipa::path(get, path = "/api/v1/reports", tag = "reports", params(ReportParams), responses((status = 200, body = FiguresReport)))]
async fn report(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<ReportParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let by: Vec<ReportBy> = words_of(&params.by)?;
    let figures: Vec<Figure> = words_of(&params.figure)?;
    let (asked, narrow) = asked!(params);
    let permit = alone().await?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        // The question goes on when the one who asked has gone, and its turn with it.
        let _permit = permit;
        let window = Window::of(&asked, db.now())?;
        Ok(super::report(db, &actor.scope(), &window, &by, &narrow)?)
    };
    let mut report = store.read(read).await?;
    super::keep(&mut report, &figures);
    if wants_csv(params.format, &headers) { Ok(file("figures", csv::of_report(&report))) } else { Ok(Json(report).into_response()) }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct CountedParams {
    /// The `from` of the number's row.
    from: Option<String>,
    /// The `until` of the number's row.
    until: Option<String>,
    zone: Option<String>,
    /// The `as_of` of the report.
    as_of: Option<Timestamp>,
    customer: Option<String>,
    /// Empty: faults that no office has.
    office: Option<String>,
    /// Empty: faults without equipment.
    product: Option<String>,
    tier: Option<String>,
    severity: Option<String>,
    /// `numerator` or `denominator`; the denominator when absent.
    part: Option<FigurePart>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 5000; 200 when absent. CSV is the whole list.
    limit: Option<u32>,
    /// `json` or `csv`; what `Accept` says when absent.
    #[param(value_type = Option<String>)]
    format: Option<Format>,
}

/// What a figure counted, in the order of the reports: exactly as many as its numerator or denominator says.
#[utoipa::path(get, path = "/api/v1/reports/figures/{figure}/faults", tag = "reports", params(("figure" = String, Path), CountedParams), responses((status = 200, body = List<CountedFault>)))]
async fn faults_of(
    actor: Actor,
    State(store): State<Store>,
    Path(figure): Path<String>,
    Params(params): Params<CountedParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let figure: Figure = figure.parse().map_err(|e: lineman_common::error::UnknownWord| {
        ApiError::not_found("figure").hint(format!("{e}; what each means: GET /api/v1/reports/figures"))
    })?;
    let part = params.part.unwrap_or(FigurePart::Denominator);
    let (asked, narrow) = asked!(params);
    let begin = match &params.after {
        None => 0,
        Some(after) => after.parse::<usize>().map_err(|_| ApiError::invalid("`after` is not the `next` of a page"))?,
    };
    let limit = params.limit.unwrap_or(200).clamp(1, MOST_ROWS) as usize;
    let permit = alone().await?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let _permit = permit;
        let window = Window::of(&asked, db.now())?;
        Ok(super::counted(db, &actor.scope(), &window, &narrow, figure, part)?)
    };
    let list = store.read(read).await?;
    if wants_csv(params.format, &headers) {
        return Ok(file(figure.as_str(), csv::of_counted(&list)));
    }
    let whole = list.len();
    let items: Vec<_> = list.into_iter().skip(begin).take(limit).collect();
    let end = begin.saturating_add(items.len());
    let next = (end < whole && !items.is_empty()).then(|| end.to_string());
    Ok(Json(List { items, next }).into_response())
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct EventsParams {
    customer: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// So many events of the log are looked at for a page, at most 5000; 1000 when absent.
    limit: Option<u32>,
    /// `json` or `csv`; what `Accept` says when absent.
    #[param(value_type = Option<String>)]
    format: Option<Format>,
}

/// The events that figures are computed from, for whoever wants to compute them again: all that faults have, and when agents came and
/// went. Pages may be empty; the last one has no `next` (in CSV: no header `link`).
#[utoipa::path(get, path = "/api/v1/reports/events", tag = "reports", params(EventsParams), responses((status = 200, body = List<Event>)))]
async fn events(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<EventsParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let seq = match &params.after {
        None => 0,
        Some(after) => after.parse::<u64>().map_err(|_| ApiError::invalid("`after` is not the `next` of a page"))?,
    };
    let limit = params.limit.unwrap_or(1000).clamp(1, MOST_ROWS);
    let customer = params.customer;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> { Ok(super::events_after(db, &actor.scope(), customer.as_deref(), seq, limit)?) };
    let (items, next) = store.read(read).await?;
    let next = next.map(|next| next.to_string());
    if !wants_csv(params.format, &headers) {
        return Ok(Json(List { items, next }).into_response());
    }
    let mut response = file("events", csv::of_events(&items));
    if let Some(link) = next.and_then(|next| HeaderValue::from_str(&format!("</api/v1/reports/events?after={next}>; rel=\"next\"")).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
