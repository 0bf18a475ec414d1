use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lineman_common::api::{Line, NewLine};
use lineman_common::error::ErrorCode;
use lineman_common::id::ConsentId;
use lineman_common::id::EquipmentId;
use lineman_common::link::Order;
use lineman_common::statement::{Namespace, Refused, Request, sig};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::jump::NoLeg;
use super::{Jump, Lines};
use crate::equipment::{self, Reference};
use crate::store::Db;
use crate::web::{Actor, ApiError, Body};
use crate::{consents, trust};

#[derive(Clone)]
pub struct Handles {
    pub jump: Jump,
    pub lines: Lines,
}

impl From<NoLeg> for ApiError {
    fn from(no: NoLeg) -> Self {
        let code = match no {
            NoLeg::Refused { .. } => ErrorCode::AgentRefused,
            NoLeg::Offline { .. } => ErrorCode::AgentOffline,
            NoLeg::Silent { .. } => ErrorCode::AgentTimeout,
        };
        Self::new(code, no.to_string())
    }
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(open))
}

/// Opens a line: a device's SSH, end to end, on a plain connection to this port.
///
/// The device is asked at once whether the engineer may enter, and its reason is the error's text when not.
#[utoipa::path(post, path = "/api/v1/lines", tag = "sessions", request_body = NewLine, responses((status = 201, body = Line)))]
async fn open(
    actor: Actor,
    State(Handles { jump, lines }): State<Handles>,
    Body(new): Body<NewLine>,
) -> Result<(StatusCode, Json<Line>), ApiError> {
    let engineer = actor.name.clone();
    let device = new.device.clone();
    let scope = actor.scope();
    let known = jump.store.read(move |db| equipment::find(db, &scope, &Reference::Name(device))).await?.id;
    let (key, consent) = entry(&jump, known, engineer.to_string(), new.consent).await?;
    let found = jump.find(&new.device).await.map_err(ApiError::forbidden)?;
    let leg = jump.leg(&found, |leg| Order::Open { key, leg, consent }).await?;
    tracing::info!(%engineer, device = %new.device, "a line is offered");
    Ok((StatusCode::CREATED, Json(Line { ticket: lines.offer(leg) })))
}

/// The key that the engineer comes with, and the consent that was named. Where nothing is live it is a key of the roster: the device then
/// says itself why not.
async fn entry(
    jump: &Jump,
    device: EquipmentId,
    engineer: String,
    named: Option<ConsentId>,
) -> Result<(String, Option<ConsentId>), ApiError> {
    let root = jump.vendor_root.clone();
    let look = move |db: &Db<'_>| -> Result<_, ApiError> {
        let live = consents::live_for_own_key(db, device, &engineer)?;
        if let Some((_, signed)) = live.iter().find(|(id, _)| named.is_none_or(|named| named == *id)) {
            let request = Request::read_unverified(signed).map_err(|error: Refused| ApiError::internal(error))?;
            return Ok((request.engineer_key, named));
        }
        if let Some(named) = named {
            return Err(ApiError::conflict(format!("{named} is no live consent of {engineer} for this device")));
        }
        let roster = trust::roster(db, &root)?;
        let own = roster.list().keys_for(Namespace::Request).find(|line| line.principals.contains(&engineer));
        let own = own.ok_or_else(|| ApiError::forbidden(format!("the roster lists no key of {engineer}: only engineers enter devices")))?;
        Ok((sig::fingerprint(&own.key).to_string(), None))
    };
    jump.store.read(look).await
}
