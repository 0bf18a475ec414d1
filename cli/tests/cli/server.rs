//! A server that answers from a function and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use lineman_common::api::Event;
use lineman_common::error::{ErrorCode, Problem};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub struct Answer(pub StatusCode, pub &'static str, pub String);

/// The kind of an answer that stays open, for what [`Server::tell`] says; another event stream ends at once.
pub const STREAM: &str = "text/event-stream; open=true";

/// An event stream that stays open.
pub fn stream() -> Answer {
    Answer(StatusCode::OK, STREAM, ": open\n\n".to_owned())
}

/// An answer in JSON.
pub fn json(value: impl Serialize) -> Answer {
    Answer(StatusCode::OK, "application/json", serde_json::to_string(&value).unwrap())
}

pub fn problem(code: ErrorCode, title: &str) -> Answer {
    let problem = Problem { status: code.status(), code, title: title.into(), request_id: Some("req-7".into()), hint: None, details: None };
    Answer(StatusCode::from_u16(code.status()).unwrap(), "application/problem+json", serde_json::to_string(&problem).unwrap())
}

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    told: broadcast::Sender<String>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts on a free port; `answer` gets the method with the path, like `GET /api/v1/faults`, and all of the request.
    pub fn start(answer: impl Fn(&str, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (told, _) = broadcast::channel(64);
        let (all, answer, tell) = (asked.clone(), Arc::new(answer), told.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let app = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                    let (all, answer, tell) = (all.clone(), answer.clone(), tell.clone());
                    async move { reply(&all, &*answer, &tell, method, uri, headers, body) }
                });
                axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { url, asked, told, stop: Some(stop), thread: Some(thread) }
    }

    /// Says that something changed, to every stream that is open.
    pub fn tell(&self, kind: &str) {
        let event = Event {
            seq: 1,
            kind: kind.to_owned(),
            fault: None,
            equipment: None,
            actor: "system".into(),
            occurred_at: jiff::Timestamp::now(),
            recorded_at: jiff::Timestamp::now(),
            text: "something changed".into(),
            data: Value::Null,
            internal: false,
        };
        let _ = self.told.send(format!("id: 1\nevent: {kind}\ndata: {}\n\n", serde_json::to_string(&event).unwrap()));
    }

    /// Ends every stream that is open.
    pub fn cut(&self) {
        let _ = self.told.send(String::new());
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The body of the only request to a route.
    pub fn body(&self, method: &str, path: &str) -> Value {
        let found: Vec<_> = self.asked().into_iter().filter(|asked| asked.method == method && asked.path == path).collect();
        assert_eq!(found.len(), 1, "{method} {path} was asked {} times", found.len());
        found[0].body.clone()
    }
}

fn reply(
    all: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&str, &Asked) -> Answer + ?Sized),
    tell: &broadcast::Sender<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked {
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        method,
        headers,
    };
    all.lock().unwrap().push(asked.clone());
    let Answer(status, kind, text) = answer(&format!("{} {}", asked.method, asked.path), &asked);
    if kind != STREAM {
        return (status, [("content-type", kind)], text).into_response();
    }
    let news = futures_util::stream::unfold(tell.subscribe(), async |mut told| {
        let text = told.recv().await.ok().filter(|text| !text.is_empty())?;
        Some((Ok::<_, std::convert::Infallible>(text), told))
    });
    let first = futures_util::stream::once(async { Ok(text) });
    (status, [("content-type", kind)], Body::from_stream(first.chain(news))).into_response()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.cut();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}
