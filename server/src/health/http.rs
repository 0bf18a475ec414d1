use axum::Json;
use axum::extract::{FromRef, State};
use jiff::{Timestamp, ToSpan};
use lineman_common::api::HealthHistory;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Samples;
use crate::equipment::{self, Reference};
use crate::store::Store;
use crate::web::{Actor, ApiError, Params, Path};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub samples: Samples,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(history))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct Span {
    /// An hour before `to` when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// At most 10,000; 500 when absent. Of more, the newest.
    limit: Option<u32>,
    /// For plots of long times, in place of `limit`: at most so many reports (2 to 4000). The span is cut into half as many equal pieces; of
    /// each come the smallest and then the largest value of every metric in it, so that no peak is lost.
    points: Option<u32>,
}

/// What a device measured, oldest first.
#[utoipa::path(get, path = "/api/v1/equipment/{equipment}/health", tag = "equipment", params(("equipment" = String, Path), Span), responses((status = 200, body = HealthHistory)))]
async fn history(
    actor: Actor,
    State(handles): State<Handles>,
    Path(reference): Path<String>,
    Params(span): Params<Span>,
) -> Result<Json<HealthHistory>, ApiError> {
    let reference: Reference = reference.parse()?;
    let device = handles.store.read(move |db| equipment::find(db, &actor.scope(), &reference).map_err(ApiError::from)).await?;
    let to = span.to.unwrap_or_else(Timestamp::now);
    let from = span.from.unwrap_or_else(|| to.saturating_sub(1.hour()).unwrap_or(to));
    let reports = match span.points {
        Some(points) => handles.samples.thinned(device.id, from, to, points.clamp(2, 4000)).await?,
        None => handles.samples.of(device.id, from, to, span.limit.unwrap_or(500).clamp(1, 10_000)).await?,
    };
    Ok(Json(HealthHistory { device: device.name, reports }))
}
