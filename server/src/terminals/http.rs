use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use lineman_common::api::{
    List, NewTerminal, OpenedTerminal, TERMINAL_PROTOCOL, TERMINAL_TICKET, Terminal, TerminalEvent, TerminalRequest, TerminalTicket,
};
use lineman_common::error::ErrorCode;
use lineman_common::id::TerminalId;
use lineman_common::people::Role;
use serde::Deserialize;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Error, Terminals};
use crate::equipment::{self, Reference};
use crate::store::Store;
use crate::web::{Actor, ApiError, Body, Params, Pass, Path};

/// A message of a browser: what is pasted comes as one.
const MOST_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// What a connection holds of it that was not written yet: a picture of a large screen is the largest.
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub terminals: Terminals,
}

/// What goes over the WebSocket belongs to no route's answer.
#[derive(OpenApi)]
#[openapi(components(schemas(TerminalEvent, TerminalRequest)))]
struct Messages;

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::with_openapi(Messages::openapi())
        .routes(routes!(list, open))
        .routes(routes!(close))
        .routes(routes!(ticket))
        .routes(routes!(stream))
}

fn id_of(text: &str) -> Result<TerminalId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("terminal"))
}

/// One's own terminals, oldest first.
#[utoipa::path(get, path = "/api/v1/terminals", tag = "terminals", responses((status = 200, body = List<Terminal>)))]
async fn list(actor: Actor, State(terminals): State<Terminals>) -> Json<List<Terminal>> {
    Json(terminals.list(actor.id).into())
}

/// Opens a terminal on a device, under a live consent of grade `gateway` with the door `shell`. The answer comes when the device has
/// agreed, with a ticket for the WebSocket.
#[utoipa::path(post, path = "/api/v1/terminals", tag = "terminals", request_body = NewTerminal, responses((status = 201, body = OpenedTerminal)))]
async fn open(
    actor: Actor,
    pass: Pass,
    State(store): State<Store>,
    State(terminals): State<Terminals>,
    Body(new): Body<NewTerminal>,
) -> Result<(StatusCode, Json<OpenedTerminal>), ApiError> {
    actor.must_be(&[Role::Engineer, Role::DutyManager, Role::Admin], "open terminals")?;
    let (scope, reference) = (actor.scope(), Reference::Name(new.device.clone()));
    let device = store.read(move |db| equipment::find(db, &scope, &reference).map_err(ApiError::from)).await?;
    Ok((StatusCode::CREATED, Json(terminals.open(&actor, pass, device, new).await?)))
}

/// Ends a terminal of one's own; one that is over already is forgotten.
#[utoipa::path(delete, path = "/api/v1/terminals/{terminal}", tag = "terminals", params(("terminal" = String, Path)), responses((status = 204)))]
async fn close(actor: Actor, State(terminals): State<Terminals>, Path(terminal): Path<String>) -> Result<StatusCode, ApiError> {
    terminals.close(&actor, id_of(&terminal)?)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A ticket for the terminal's WebSocket: for one connection, soon. Whether one still may is asked again; where not, the terminal ends.
/// The connection ends when the token that the ticket was asked for with counts no longer.
#[utoipa::path(post, path = "/api/v1/terminals/{terminal}/tickets", tag = "terminals", params(("terminal" = String, Path)), responses((status = 201, body = TerminalTicket)))]
async fn ticket(
    actor: Actor,
    pass: Pass,
    State(terminals): State<Terminals>,
    Path(terminal): Path<String>,
) -> Result<(StatusCode, Json<TerminalTicket>), ApiError> {
    Ok((StatusCode::CREATED, Json(terminals.ticket(&actor, pass, id_of(&terminal)?).await?)))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct StreamParams {
    /// The offset of the first byte wanted: as many bytes as the client has got so far.
    #[serde(default)]
    from: u64,
}

/// The terminal's WebSocket. The client offers two subprotocols, `lineman-terminal.1` and `ticket.` with a ticket after it. Binary messages
/// are the terminal's bytes, both ways; text messages are `TerminalRequest` from the client and `TerminalEvent` from the server.
#[utoipa::path(get, path = "/api/v1/terminals/{terminal}/stream", tag = "terminals", params(("terminal" = String, Path), StreamParams), responses((status = 101)), security(()))]
async fn stream(
    State(terminals): State<Terminals>,
    Path(terminal): Path<String>,
    Params(params): Params<StreamParams>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    check_origin(&headers)?;
    let ticket = ticket_of(&headers).ok_or_else(|| ApiError::from(Error::BadTicket))?;
    let upgrade = upgrade.map_err(|rejection| ApiError::new(ErrorCode::BadRequest, rejection.body_text()))?;
    let id = terminal.parse().map_err(|_| Error::BadTicket)?;
    let (terminal, pass) = terminals.redeem(id, ticket)?;
    terminal.check_offset(params.from)?;
    let upgrade = upgrade.protocols([TERMINAL_PROTOCOL]).max_frame_size(MOST_MESSAGE_BYTES).max_message_size(MOST_MESSAGE_BYTES);
    let upgrade = upgrade.read_buffer_size(16 * 1024).write_buffer_size(0).max_write_buffer_size(MOST_WAITING_BYTES);
    Ok(upgrade.on_upgrade(move |socket| terminals.serve(terminal, pass, socket, params.from)))
}

fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Out of the subprotocols, where the first must be among them.
fn ticket_of(headers: &HeaderMap) -> Option<&str> {
    subprotocols(headers).find(|offered| *offered == TERMINAL_PROTOCOL)?;
    subprotocols(headers).find_map(|offered| offered.strip_prefix(TERMINAL_TICKET))
}

/// A page may connect to the server that it came from, and to no other. Programs that are no browsers send no `Origin`.
fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = text(header::HOST).unwrap_or_default();
    if !host.is_empty() && origin.strip_prefix("https://").is_some_and(|origin| origin.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(ApiError::forbidden("a page of another site may not use terminals here"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(given: &[(HeaderName, &'static str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_pages_of_this_server_get_in() {
        let host = (header::HOST, "centre.example:7443");
        assert!(check_origin(&headers(std::slice::from_ref(&host))).is_ok());
        let from = |origin| check_origin(&headers(&[host.clone(), (header::ORIGIN, origin)]));
        assert!(from("https://centre.example:7443").is_ok() && from("https://CENTRE.example:7443").is_ok());
        for other in [
            "http://centre.example:7443",
            "https://centre.example",
            "https://evil.example",
            "null",
            "",
            "https://centre.example:7443.evil.example",
        ] {
            assert!(from(other).is_err(), "{other}");
        }
        assert!(check_origin(&headers(&[(header::ORIGIN, "https://")])).is_err(), "no host either");
    }

    #[test]
    fn the_ticket_comes_beside_the_protocol() {
        let offered = |value| headers(&[(header::SEC_WEBSOCKET_PROTOCOL, value)]);
        assert_eq!(ticket_of(&offered("lineman-terminal.1, ticket.abc")), Some("abc"));
        assert_eq!(ticket_of(&offered("ticket.abc,lineman-terminal.1")), Some("abc"));
        assert_eq!(ticket_of(&offered("ticket.abc")), None);
        assert_eq!(ticket_of(&offered("lineman-terminal.1")), None);
        assert_eq!(ticket_of(&HeaderMap::new()), None);
    }
}
