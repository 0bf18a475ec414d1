use axum::Json;
use axum::extract::{FromRef, State};
use lineman_common::api::{List, NewWallToken, Wall as Picture, WallToken, WallTokenReply};
use lineman_common::id::WallId;
use lineman_common::name::CustomerCode;
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Asked, Walls, tokens};
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Path, ShownOnce, Viewer};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub walls: Walls,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(wall)).routes(routes!(list, create)).routes(routes!(revoke))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct WallParams {
    /// One customer's part of it.
    #[param(value_type = Option<String>)]
    customer: Option<CustomerCode>,
    /// IANA zone in which today begins; UTC when absent.
    zone: Option<String>,
}

/// All that a wall of the monitoring centre shows, of one moment. People see their own; a wall token sees its wall.
#[utoipa::path(get, path = "/api/v1/wall", tag = "walls", params(WallParams), responses((status = 200, body = Picture)))]
async fn wall(
    viewer: Viewer,
    State(Handles { store, walls }): State<Handles>,
    Params(params): Params<WallParams>,
) -> Result<Json<Picture>, ApiError> {
    let asked = Asked { customer: params.customer, zone: params.zone };
    Ok(Json(walls.picture(&store, &viewer, asked).await?))
}

fn must_be_admin(actor: &Actor) -> Result<(), ApiError> {
    actor.must_be(&[Role::Admin], "give wall tokens out")
}

/// The wall tokens, with when each was used last (admin).
#[utoipa::path(get, path = "/api/v1/wall-tokens", tag = "walls", responses((status = 200, body = List<WallToken>)))]
async fn list(actor: Actor, State(store): State<Store>) -> Result<Json<List<WallToken>>, ApiError> {
    must_be_admin(&actor)?;
    Ok(Json(store.read(tokens::list).await?.into()))
}

/// Makes a token that opens one wall and nothing else, until it is revoked (admin). It is shown this once.
#[utoipa::path(post, path = "/api/v1/wall-tokens", tag = "walls", request_body = NewWallToken, responses((status = 200, body = WallTokenReply)))]
async fn create(actor: Actor, State(store): State<Store>, Body(new): Body<NewWallToken>) -> Result<ShownOnce<WallTokenReply>, ApiError> {
    must_be_admin(&actor)?;
    store.write(move |tx| Ok(ShownOnce(tokens::create(tx, &actor, new)?))).await
}

/// Revokes a wall token (admin): the wall goes dark at once. The second time it changes nothing.
#[utoipa::path(delete, path = "/api/v1/wall-tokens/{wall}", tag = "walls", params(("wall" = String, Path)), responses((status = 200, body = WallToken)))]
async fn revoke(actor: Actor, State(store): State<Store>, Path(wall): Path<String>) -> Result<Json<WallToken>, ApiError> {
    must_be_admin(&actor)?;
    let id: WallId = wall.parse().map_err(|_| ApiError::not_found("wall token"))?;
    store.write(move |tx| Ok(Json(tokens::revoke(tx, &actor, id)?))).await
}
