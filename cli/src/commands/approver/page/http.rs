//! The page's routes, and who is let through to them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use futures_util::stream::Stream;
use jiff::Timestamp;
use lineman_common::id::ConsentId;
use lineman_common::session::Doors;
use lineman_common::statement::sha256_hex;

use super::super::screen::answered;
use super::html::{self, Reader};
use super::words::language;
use super::{Page, lock};
use crate::consents::Narrow;
use crate::exit::Failure;
use crate::output::duration_s;

/// A form holds a number, an id and a reason.
const LARGEST_FORM_BYTES: usize = 16 * 1024;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

type Pairs = Vec<(String, String)>;

pub fn routes(page: Arc<Page>) -> Router {
    let inside = Router::new()
        .route("/", get(list))
        .route("/live", get(live))
        .route("/style.css", get(async || ([(header::CONTENT_TYPE, "text/css")], include_str!("style.css"))))
        .route("/live.js", get(async || ([(header::CONTENT_TYPE, "text/javascript")], include_str!("live.js"))))
        .route("/{what}", get(one))
        .route("/approve", post(approve))
        .route("/refuse", post(refuse))
        .with_state(page.clone());
    Router::new()
        .nest(&format!("/{}/", page.room), inside)
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(DefaultBodyLimit::max(LARGEST_FORM_BYTES))
        .layer(from_fn_with_state(page, guard))
}

// ---- Who is let through ---------------------------------------------------------------------------------------------

async fn guard(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let mut response = match admitted(&page, &request) {
        Ok(()) => next.run(request).await,
        Err(response) => *response,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // `no-referrer` would also take the origin from the page's own forms.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn admitted(page: &Page, request: &Request) -> Result<(), Box<Response>> {
    let headers = request.headers();
    let own = [format!("127.0.0.1:{}", page.port), format!("localhost:{}", page.port)];
    let host = text(headers, header::HOST).unwrap_or_default();
    if !own.iter().any(|own| own == host) {
        return refused(StatusCode::MISDIRECTED_REQUEST, headers);
    }
    if request.method() != Method::GET {
        let origin = text(headers, header::ORIGIN).unwrap_or_default();
        if request.method() != Method::POST || origin != format!("http://{host}") {
            return refused(StatusCode::FORBIDDEN, headers);
        }
    }
    if !request.uri().path().starts_with(&format!("/{}/", page.room)) {
        return refused(StatusCode::NOT_FOUND, headers);
    }
    if knows_cookie(page, headers) {
        return Ok(());
    }
    let token = request.uri().query().and_then(|query| query.strip_prefix("token="));
    if token.is_some_and(|token| use_token(page, token)) {
        let cookie = format!("lineman={}; Path=/{}/; HttpOnly; SameSite=Strict", page.cookie, page.room);
        return Err(Box::new(([(header::SET_COOKIE, cookie)], Redirect::to(&format!("/{}/", page.room))).into_response()));
    }
    refused(StatusCode::FORBIDDEN, headers)
}

fn refused(status: StatusCode, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let lang = language(text(headers, header::ACCEPT_LANGUAGE));
    Err(Box::new((status, Html(html::stranger(lang))).into_response()))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Compares secrets without telling by its time how far they agree.
fn same(secret: &str, shown: &str) -> bool {
    sha256_hex(secret) == sha256_hex(shown)
}

fn knows_cookie(page: &Page, headers: &HeaderMap) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    cookies.filter_map(|cookie| cookie.trim().strip_prefix("lineman=")).any(|shown| same(&page.cookie, shown))
}

/// The link's token, once.
fn use_token(page: &Page, shown: &str) -> bool {
    let mut entry = lock(&page.entry);
    let right = entry.as_ref().is_some_and(|entry| same(entry, shown));
    if right {
        *entry = None;
    }
    right
}

// ---- Pages ----------------------------------------------------------------------------------------------------------

/// Calls `show` with who reads.
fn shown(page: &Page, headers: &HeaderMap, status: StatusCode, show: impl FnOnce(&Reader<'_>) -> String) -> Response {
    let moment = |time| page.out.moment(time);
    let reader = Reader {
        lang: language(text(headers, header::ACCEPT_LANGUAGE)),
        who: page.desk.person.name.to_string(),
        server: page.desk.client.host(),
        now: Timestamp::now(),
        moment: &moment,
    };
    (status, Html(show(&reader))).into_response()
}

fn sorry(page: &Page, headers: &HeaderMap, failure: &Failure) -> Response {
    let why = [Some(failure.what.as_str()), failure.hint.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" - ");
    shown(page, headers, StatusCode::CONFLICT, |reader| html::sorry(reader, &why))
}

async fn list(State(page): State<Arc<Page>>, headers: HeaderMap) -> Response {
    let snapshot = page.told.borrow().clone();
    let answered = lock(&page.answered).clone();
    shown(&page, &headers, StatusCode::OK, |reader| html::list(reader, &snapshot, &|request| answered.contains(&request.id)))
}

/// Tells the list's script which version of the list is the newest.
async fn live(State(page): State<Arc<Page>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = futures_util::stream::unfold((page.told.clone(), true), async |(mut told, first)| {
        if !first {
            told.changed().await.ok()?;
        }
        let data = html::stamp(&told.borrow_and_update());
        Some((Ok(Event::default().data(data)), (told, false)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// `request-ID` shows what would be signed, `consent-ID` what became of it.
async fn one(State(page): State<Arc<Page>>, Path(what): Path<String>, Query(pairs): Query<Pairs>, headers: HeaderMap) -> Response {
    let id = |prefix: &str| what.strip_prefix(prefix).and_then(|id| id.parse::<ConsentId>().ok());
    if let Some(id) = id("request-") {
        return statement(&page, id, &pairs, &headers).await;
    }
    let Some(id) = id("consent-") else { return StatusCode::NOT_FOUND.into_response() };
    match page.desk.client.consent(&id.to_string()).await {
        Ok(view) => shown(&page, &headers, StatusCode::OK, |reader| html::answered(reader, &view)),
        Err(error) => sorry(&page, &headers, &error.into()),
    }
}

async fn statement(page: &Page, id: ConsentId, pairs: &Pairs, headers: &HeaderMap) -> Response {
    let text = id.to_string();
    let (narrow, problem) = match narrow(pairs) {
        Ok(narrow) => (narrow, None),
        Err(problem) => (Narrow::default(), Some(problem)),
    };
    let (draft, problem) = match page.desk.draft(&text, &narrow).await {
        // What is wrong with the narrowing is said beside the statement as it was asked for.
        Err(failure) if failure.exit == crate::exit::Exit::Usage => (page.desk.draft(&text, &Narrow::default()).await, Some(failure.what)),
        draft => (draft, problem),
    };
    let kept = draft.and_then(|draft| Ok((page.keep(draft.clone())?, draft)));
    match kept {
        Ok((number, draft)) => {
            shown(page, headers, StatusCode::OK, |reader| html::statement(reader, &draft, &number, &page.form, problem.as_deref()))
        }
        Err(failure) => {
            let why: Vec<String> = std::iter::once(failure.what).chain(failure.hint).collect();
            shown(page, headers, StatusCode::CONFLICT, |reader| html::broken(reader, &text, &why, &page.form))
        }
    }
}

/// The boxes that are ticked and the time; nothing at all means as it was asked for.
fn narrow(pairs: &Pairs) -> Result<Narrow, String> {
    let doors: Vec<_> = pairs.iter().filter(|(key, _)| key == "door").map(|(_, door)| door.as_str()).collect();
    let time = pairs.iter().find(|(key, _)| key == "for").map(|(_, time)| time.as_str());
    if doors.is_empty() && time.is_none() {
        return Ok(Narrow::default());
    }
    let doors = doors.join(",").parse::<Doors>().map_err(|e| e.to_string())?;
    let duration_s = time.map(duration_s).transpose().map_err(|e| e.to_string())?;
    Ok(Narrow { doors: Some(doors), duration_s })
}

// ---- Answers --------------------------------------------------------------------------------------------------------

/// Fields of a form that this server's own page sent.
fn own_form(page: &Page, pairs: Pairs) -> Result<BTreeMap<String, String>, Failure> {
    let fields: BTreeMap<_, _> = pairs.into_iter().collect();
    match fields.get("form").filter(|form| same(&page.form, form)) {
        Some(_) => Ok(fields),
        None => Err(Failure::usage("this form does not come from this page: open the request again")),
    }
}

async fn approve(State(page): State<Arc<Page>>, headers: HeaderMap, Form(pairs): Form<Pairs>) -> Response {
    match approved(&page, pairs).await {
        Ok(id) => Redirect::to(&format!("consent-{id}")).into_response(),
        Err(failure) => sorry(&page, &headers, &failure),
    }
}

async fn approved(page: &Arc<Page>, pairs: Pairs) -> Result<ConsentId, Failure> {
    let fields = own_form(page, pairs)?;
    let draft = fields.get("draft").and_then(|number| page.take(number));
    let draft = draft.ok_or_else(|| Failure::usage("this statement was signed already, or is too old: open the request again"))?;
    let id = draft.view.id;
    // A key on a token waits for a touch: the page goes on meanwhile.
    let signing = page.clone();
    let signed = tokio::task::spawn_blocking(move || signing.desk.sign(&draft));
    let signed = signed.await.map_err(|e| Failure::failed(format!("signing was interrupted: {e}")))??;
    let view = page.desk.client.approve(&id.to_string(), signed).await?;
    lock(&page.answered).insert(id);
    // The device's word, if it comes soon; its absence is no failure of the approval.
    let _ = answered(&page.desk, view).await;
    Ok(id)
}

async fn refuse(State(page): State<Arc<Page>>, headers: HeaderMap, Form(pairs): Form<Pairs>) -> Response {
    match refused_by_person(&page, pairs).await {
        Ok(id) => Redirect::to(&format!("consent-{id}")).into_response(),
        Err(failure) => sorry(&page, &headers, &failure),
    }
}

async fn refused_by_person(page: &Page, pairs: Pairs) -> Result<ConsentId, Failure> {
    let fields = own_form(page, pairs)?;
    let id: ConsentId = fields
        .get("id")
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Failure::usage("this form names no request: open the request again"))?;
    let reason = fields.get("reason").map(|reason| reason.trim()).filter(|reason| !reason.is_empty());
    let reason = reason.ok_or_else(|| Failure::usage("say why: the engineer reads it"))?;
    page.desk.refuse(&id.to_string(), reason).await?;
    lock(&page.answered).insert(id);
    Ok(id)
}
