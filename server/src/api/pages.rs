//! Answers that join several rooms, and the few pages that belong to none.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use axum::http::header;
use axum::response::Html;
use axum::routing::get;
use axum::{Extension, Json, Router};
use lineman_common::api::{FaultPage, Healthz};
use lineman_common::id::ConsentId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agents::Links;
use crate::faults::{self, Reference};
use crate::store::{Db, Store};
use crate::web::{Actor, ApiError, Path, Scope, Tagged};
use crate::{alarms, cases, events};

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub links: Links,
    pub library: cases::library::Library,
    pub finder: cases::find::Finder,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(fault)).routes(routes!(healthz)).route("/", get(index)).route("/consents/{consent}", get(consent))
}

pub fn openapi(document: Arc<String>) -> Router {
    let serve = move || async move { ([(header::CONTENT_TYPE, "application/json")], document.to_string()) };
    Router::new().route("/api/v1/openapi.json", get(serve))
}

/// A fault with its evidence: alarms, clocks, timeline, similar cases.
#[utoipa::path(get, path = "/api/v1/faults/{fault}", tag = "faults", params(("fault" = String, Path)), responses((status = 200, body = FaultPage)))]
async fn fault(
    actor: Actor,
    State(store): State<Store>,
    State(finder): State<cases::find::Finder>,
    Path(fault): Path<String>,
) -> Result<Tagged<FaultPage>, ApiError> {
    let reference: Reference = fault.parse()?;
    let read = move |db: &Db<'_>| -> Result<_, ApiError> {
        let scope = actor.scope();
        let fault = faults::get(db, &scope, &reference)?;
        Ok(Tagged(FaultPage {
            around: faults::around(db, &scope, &fault)?,
            alarms: alarms::of_fault(db, fault.id)?,
            clocks: faults::clocks_of(db, &fault)?,
            timeline: events::of_fault(db, &scope, fault.id)?,
            similar: finder.similar_to_fault(db, &scope, &fault)?,
            fault,
        }))
    };
    store.read(read).await
}

/// Where the link of a notice leads: how to look at the request and answer it. It shows nothing of it, and signs nothing.
async fn consent(Path(consent): Path<String>) -> Result<Html<String>, ApiError> {
    let id: ConsentId = consent.parse().map_err(|_| ApiError::not_found("consent"))?;
    Ok(Html(format!(
        "<!doctype html><meta charset=utf-8><title>{id}</title><style>body{{font:1rem/1.6 system-ui;max-width:44rem;margin:4rem auto;padding:0 1rem}}\
         </style><h1>A request waits for an answer</h1><p>On your own machine, where your key is:<pre>lineman consent show {id}\n\
         lineman consent approve {id}\nlineman approver --page</pre><h1 lang=zh>有一个会话请求等待答复</h1>\
         <p lang=zh>请在保存您密钥的机器上执行上述命令：查看请求、签署同意，或打开本机的审批页面。"
    )))
}

/// Is the server well? No sign-in needed.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = Healthz)), security(()))]
async fn healthz(actor: Option<Extension<Actor>>, State(handles): State<Handles>) -> Result<Json<Healthz>, ApiError> {
    handles.store.read(|db| events::newest(db, &Scope::All).map_err(ApiError::from)).await?;
    let inside = actor.is_some_and(|Extension(actor)| actor.scope().sees_internal());
    let agents_online = inside.then(|| u32::try_from(handles.links.count()).unwrap_or(u32::MAX));
    Ok(Json(Healthz { status: "ok".into(), version: env!("CARGO_PKG_VERSION").into(), agents_online }))
}

async fn index() -> Html<String> {
    Html(include_str!("index.html").replace("{version}", env!("CARGO_PKG_VERSION")))
}
