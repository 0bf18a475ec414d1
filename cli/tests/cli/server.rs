//! A server that answers from a function and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use lineman_common::error::{ErrorCode, Problem};
use serde::Serialize;
use serde_json::Value;

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

/// An answer in JSON.
pub fn json(value: impl Serialize) -> Answer {
    Answer(StatusCode::OK, "application/json", serde_json::to_string(&value).unwrap())
}

pub fn problem(code: ErrorCode, title: &str) -> Answer {
    let problem = Problem { status: code.status(), code, title: title.into(), request_id: Some("req-7".into()), hint: None };
    Answer(StatusCode::from_u16(code.status()).unwrap(), "application/problem+json", serde_json::to_string(&problem).unwrap())
}

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
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
        let (all, answer) = (asked.clone(), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let app = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                    let (all, answer) = (all.clone(), answer.clone());
                    async move { reply(&all, &*answer, method, uri, headers, body) }
                });
                axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { url, asked, stop: Some(stop), thread: Some(thread) }
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
    (status, [("content-type", kind)], text).into_response()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}
