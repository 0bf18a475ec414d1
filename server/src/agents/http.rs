use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use lineman_common::link::Order;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Links;
use crate::equipment::{self, Reference};
use crate::store::Store;
use crate::web::{Actor, ApiError, Path};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub links: Links,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(report_now))
}

/// Asks a device to measure and report now.
#[utoipa::path(post, path = "/api/v1/equipment/{equipment}/report-now", tag = "equipment", params(("equipment" = String, Path)), responses((status = 204)))]
async fn report_now(actor: Actor, State(handles): State<Handles>, Path(reference): Path<String>) -> Result<StatusCode, ApiError> {
    actor.must_write("ask devices to report")?;
    let reference: Reference = reference.parse()?;
    let device = handles.store.read(move |db| equipment::find(db, &actor.scope(), &reference).map_err(ApiError::from)).await?;
    handles.links.ask(device.id, Order::ReportNow).await?;
    Ok(StatusCode::NO_CONTENT)
}
