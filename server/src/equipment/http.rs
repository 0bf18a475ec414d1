use axum::Json;
use axum::extract::State;
use lineman_common::api::{Equipment, EquipmentRow, EquipmentSort, Listing, NewEquipment};
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Reference;
use crate::store::Store;
use crate::web::asked::Ask;
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Store> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(get)).merge(super::topology::http::routes())
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ListParams {
    /// A customer's code.
    customer: Option<String>,
    /// Words and filters, like `online:no product:OLT worst:critical`: the keys are `customer`, `site`, `product`, `model`, `software`,
    /// `serial`, `agent`, `equipment`, `parent`, `online`, `vouched`, `worst`, `alarms`, `faults`, `seen`, `tier`, `text`, each in Chinese too.
    q: Option<String>,
    /// By name when absent.
    sort: Option<EquipmentSort>,
    /// An IANA time zone: what a date in `q` means. UTC when absent.
    zone: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most 1000; 200 when absent.
    limit: Option<u32>,
}

/// Equipment with its presence and its worst alarm.
#[utoipa::path(get, path = "/api/v1/equipment", tag = "equipment", params(ListParams), responses((status = 200, body = Listing<EquipmentRow>)))]
async fn list(
    actor: Actor,
    State(store): State<Store>,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<EquipmentRow>>, ApiError> {
    let ask = Ask::read(params.q.as_deref(), params.zone.as_deref(), &super::list::keys(), &actor)?;
    let filter = super::list::Filter {
        customer: params.customer,
        sort: params.sort.unwrap_or(EquipmentSort::Name),
        after: params.after,
        limit: params.limit.unwrap_or(200).clamp(1, 1000),
    };
    store.read(move |db| Ok(Json(super::list::page(db, &actor.scope(), &ask, &filter)?))).await
}

/// Adds equipment (admin).
#[utoipa::path(post, path = "/api/v1/equipment", tag = "equipment", request_body = NewEquipment, responses((status = 200, body = Equipment)))]
async fn add(actor: Actor, State(store): State<Store>, Body(new): Body<NewEquipment>) -> Result<Json<Equipment>, ApiError> {
    actor.must_be(&[Role::Admin], "add equipment")?;
    store.write(move |tx| Ok(Json(super::add(tx, &actor, new)?))).await
}

/// One piece of equipment, by name (`ne-1.jw.ne`) or id.
#[utoipa::path(get, path = "/api/v1/equipment/{equipment}", tag = "equipment", params(("equipment" = String, Path)), responses((status = 200, body = Equipment)))]
async fn get(actor: Actor, State(store): State<Store>, Path(reference): Path<String>) -> Result<Json<Equipment>, ApiError> {
    let reference: Reference = reference.parse()?;
    store.read(move |db| Ok(Json(super::get(db, &actor.scope(), &reference)?))).await
}
