use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use lineman_common::Printable;
use lineman_common::api::{Attachment, List, Reason};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::http::Handles;
use super::{About, Error};
use crate::faults::{self, Reference};
use crate::store::{Answer, Arrival, Db, Store, Tx};
use crate::web::{Actor, ApiError, Params, Path};

/// The route whose bodies may be larger than others'.
pub const UPLOAD: &str = "/api/v1/faults/{fault}/attachments";

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(list, upload)).routes(routes!(download)).routes(routes!(delete))
}

impl Answer for Attachment {}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct UploadParams {
    /// The file's name, for people; `file` when absent.
    name: Option<String>,
    /// Only for the support centre's people.
    #[serde(default)]
    internal: bool,
}

/// The fault's files, and those of faults that were merged into it.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/attachments", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = List<Attachment>)))]
async fn list(actor: Actor, State(store): State<Store>, Path(fault): Path<String>) -> Result<Json<List<Attachment>>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = faults::get(db, &scope, &reference)?;
        Ok(Json(super::of_fault(db, &scope, fault.id)?.into()))
    };
    store.read(read).await
}

/// Attaches a file: the body is the file, whatever its `Content-Type` says. At most 20 MiB, and 200 MiB for all of a fault.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/attachments", tag = "faults", params(("fault" = String, Path), UploadParams), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, body = Attachment)))]
async fn upload(
    actor: Actor,
    State(Handles { store, files, .. }): State<Handles>,
    Path(fault): Path<String>,
    Params(params): Params<UploadParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Attachment>, ApiError> {
    actor.must_write("attach files")?;
    let reference: Reference = fault.parse()?;
    let about = About { name: last_part(params.name.as_deref().unwrap_or("file")), internal: params.internal };
    // What would be refused at the end is refused before it is sent.
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let (asker, asked) = (actor.clone(), reference.clone());
    store.read(move |db| -> Result<_, ApiError> { Ok(super::check(db, &asker, &asked, announced)?) }).await?;
    let taken = files.take(body).await?;
    Arrival::set_body_of_current(&taken.sha256);
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(super::add(tx, &actor, &reference, &about, taken)?) };
    Ok(Json(store.answer(job).await?))
}

/// A name without the folders that some clients send with it.
fn last_part(name: &str) -> Printable {
    Printable::new(name.rsplit(['/', '\\']).next().unwrap_or_default().trim())
}

/// A file, as a download: no browser shows it or runs it.
#[utoipa::path(get, path = "/api/v1/faults/{fault}/attachments/{attachment}", tag = "faults", params(("fault" = String, Path), ("attachment" = String, Path)), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
async fn download(
    actor: Actor,
    State(Handles { store, files, .. }): State<Handles>,
    Path((fault, attachment)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> { Ok(super::find(db, &actor.scope(), &reference, &attachment)?) };
    let attachment = store.read(read).await?;
    let file = files.open(&attachment.sha256).await.map_err(Error::File)?;
    let mut response = Body::from_stream(ReaderStream::new(file)).into_response();
    let headers = response.headers_mut();
    let text = |value: &str| HeaderValue::from_str(value).map_err(ApiError::internal);
    headers.insert(header::CONTENT_TYPE, text(&attachment.media_type)?);
    headers.insert(header::CONTENT_LENGTH, attachment.size_bytes.into());
    headers.insert(header::CONTENT_DISPOSITION, text(&disposition(attachment.name.raw()))?);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    Ok(response)
}

/// RFC 6266: an ASCII name for old clients, the real one beside it.
fn disposition(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let ascii: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let encoded: String = name
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_') { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// Deletes a file, with the reason; what happened stays on the timeline.
#[utoipa::path(post, path = "/api/v1/faults/{fault}/attachments/{attachment}/deletion", tag = "faults", params(("fault" = String, Path), ("attachment" = String, Path)), request_body = Reason, responses((status = 200, body = Attachment)))]
async fn delete(
    actor: Actor,
    State(Handles { store, files, .. }): State<Handles>,
    Path((fault, attachment)): Path<(String, String)>,
    crate::web::Body(body): crate::web::Body<Reason>,
) -> Result<Json<Attachment>, ApiError> {
    actor.must_work_faults("delete attachments")?;
    let reference: Reference = fault.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(super::delete(tx, &actor, &reference, &attachment, &body.reason)?) };
    let deleted = store.answer(job).await?;
    let sha256 = deleted.sha256.clone();
    // After the commit: a row that came back would have no bytes. What is left of a kill in between goes at the next start.
    store.write(move |tx| -> Result<_, ApiError> { Ok(super::forget(tx, &files, &sha256)?) }).await?;
    Ok(Json(deleted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_break_out_of_its_header() {
        assert_eq!(last_part("C:\\logs\\a.txt").raw(), "a.txt");
        assert_eq!(last_part("../../etc/passwd").raw(), "passwd");
        let shown = disposition("风 \"x\"\r\nSet-Cookie: a=b.html");
        assert_eq!(
            shown,
            "attachment; filename=\"_ _x___Set-Cookie_ a_b.html\"; filename*=UTF-8''%E9%A3%8E%20%22x%22%0D%0ASet-Cookie%3A%20a%3Db.html"
        );
        assert!(HeaderValue::from_str(&shown).is_ok());
    }
}
