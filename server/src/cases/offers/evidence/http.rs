use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use lineman_common::api::{Evidence, List, NewEvidence, NewFile, Reason};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::super::Reference;
use super::super::super::http::Desk;
use super::Content;
use crate::faults::attachments::{self, Files};
use crate::faults::{self};
use crate::store::{Answer, Db, Store, Tx};
use crate::web::{Actor, ApiError, Body, Params, Path};

pub fn routes() -> OpenApiRouter<Desk> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(content)).routes(routes!(release)).routes(routes!(remove))
}

impl Answer for Evidence {}

/// What proves a case: files of faults and stretches of recordings.
#[utoipa::path(get, path = "/api/v1/cases/{case}/evidence", tag = "cases", params(("case" = String, Path)), responses((status = 200, body = List<Evidence>)))]
async fn list(actor: Actor, State(store): State<Store>, Path(case): Path<String>) -> Result<Json<List<Evidence>>, ApiError> {
    let reference: Reference = case.parse()?;
    store.read(move |db| Ok(Json(super::list(db, &actor.scope(), &reference)?.into()))).await
}

/// Puts a file of a fault (its content is copied) or a stretch of a recording on a case. For the support centre's people until it is released.
#[utoipa::path(post, path = "/api/v1/cases/{case}/evidence", tag = "cases", params(("case" = String, Path)), request_body = NewEvidence, responses((status = 200, body = Evidence)))]
async fn add(
    actor: Actor,
    State(store): State<Store>,
    Path(case): Path<String>,
    Body(new): Body<NewEvidence>,
) -> Result<Json<Evidence>, ApiError> {
    actor.must_work_faults("put evidence on cases")?;
    let reference: Reference = case.parse()?;
    let evidence = match new {
        NewEvidence::Clip(new) => {
            let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(super::add_clip(tx, &actor, &reference, &new)?) };
            store.answer(job).await?
        }
        NewEvidence::Attachment(new) => add_file(store, actor, reference, new).await?,
    };
    Ok(Json(evidence))
}

async fn add_file(store: Store, actor: Actor, reference: Reference, new: NewFile) -> Result<Evidence, ApiError> {
    let (scope, of, id) = (actor.scope(), faults::Reference::Number(new.fault.clone()), new.attachment.to_string());
    let attachment = store.read(move |db: &Db<'_>| -> Result<_, ApiError> { Ok(attachments::find(db, &scope, &of, &id)?) }).await?;
    let file = Files::of(&store).open(&attachment.sha256).await.map_err(attachments::Error::File)?;
    let mut content = Vec::new();
    file.take(attachments::LARGEST_BYTES).read_to_end(&mut content).await.map_err(attachments::Error::File)?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(super::add_file(tx, &actor, &reference, &new, &attachment, &content)?) };
    store.answer(job).await
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
struct ContentParams {
    /// Of a clip: the version of asciicast, 2 or 3; 3 when absent.
    version: Option<u8>,
}

/// The content: a file as a download, a clip as an asciicast file of its stretch. Looking at a clip is an event that others see.
#[utoipa::path(get, path = "/api/v1/cases/{case}/evidence/{evidence}/content", tag = "cases", params(("case" = String, Path), ("evidence" = String, Path), ContentParams), responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
async fn content(
    actor: Actor,
    State(store): State<Store>,
    Path((case, evidence)): Path<(String, String)>,
    Params(params): Params<ContentParams>,
) -> Result<Response, ApiError> {
    let reference: Reference = case.parse()?;
    let version = params.version.unwrap_or(3);
    if !matches!(version, 2 | 3) {
        return Err(ApiError::invalid("`version` is 2 or 3"));
    }
    let look = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(super::look(tx, &actor, &reference, &evidence)?) };
    let evidence = store.write(look).await?;
    let content = store.read(move |db| -> Result<_, ApiError> { Ok(super::content(db, evidence)?) }).await?;
    let (bytes, media_type) = match content {
        Content::File(file, bytes) => (bytes, file.media_type),
        Content::Clip(clip, recording) => {
            let cast = if version == 2 { recording.asciicast_v2(clip.channel) } else { recording.asciicast_v3(clip.channel) };
            (cast.into_bytes(), "application/x-asciicast".to_owned())
        }
    };
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&media_type).map_err(ApiError::internal)?);
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    Ok(response)
}

/// Releases evidence, after somebody else than who put it there has looked at it. A file shows to all who see the case then, a clip to
/// its own customer only.
#[utoipa::path(post, path = "/api/v1/cases/{case}/evidence/{evidence}/release", tag = "cases", params(("case" = String, Path), ("evidence" = String, Path)), request_body = Reason, responses((status = 200, body = Evidence)))]
async fn release(
    actor: Actor,
    State(store): State<Store>,
    Path((case, evidence)): Path<(String, String)>,
    Body(body): Body<Reason>,
) -> Result<Json<Evidence>, ApiError> {
    actor.must_work_faults("release evidence")?;
    let reference: Reference = case.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(super::release(tx, &actor, &reference, &evidence, &body.reason)?) };
    Ok(Json(store.answer(job).await?))
}

/// Takes evidence off a case, with the reason. The fault's own file or recording stays as it is.
#[utoipa::path(post, path = "/api/v1/cases/{case}/evidence/{evidence}/removal", tag = "cases", params(("case" = String, Path), ("evidence" = String, Path)), request_body = Reason, responses((status = 200, body = Evidence)))]
async fn remove(
    actor: Actor,
    State(store): State<Store>,
    Path((case, evidence)): Path<(String, String)>,
    Body(body): Body<Reason>,
) -> Result<Json<Evidence>, ApiError> {
    actor.must_work_faults("remove evidence")?;
    let reference: Reference = case.parse()?;
    let job = move |tx: &mut Tx<'_>| -> Result<_, ApiError> { Ok(super::remove(tx, &actor, &reference, &evidence, &body.reason)?) };
    Ok(Json(store.answer(job).await?))
}
