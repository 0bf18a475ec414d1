//! A centre whose stream stays open: what a test sends, arrives then.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{oneshot, watch};

use super::recorded::Story;

pub struct Live {
    pub url: String,
    pub story: Story,
    /// Everything that was sent so far: whoever comes later gets it as well.
    sent: watch::Sender<String>,
    killed: Arc<Mutex<Option<String>>>,
    stop: Option<oneshot::Sender<()>>,
}

/// What the server answers from.
#[derive(Clone)]
struct Centre {
    session: String,
    answers: Arc<Vec<(String, String)>>,
    sent: watch::Receiver<String>,
    killed: Arc<Mutex<Option<String>>>,
}

impl Live {
    pub fn start(story: &Story) -> Self {
        let copy = Story {
            request: story.request.clone(),
            consents: story.consents.clone(),
            session: story.session,
            started: story.started,
            end: story.end,
            state: story.state,
            ..Story::new(&story.world, story.chunks)
        };
        let answers = vec![
            (format!("GET /api/v1/sessions/{}", story.session), serde_json::to_string(&story.shown(story.chunks)).unwrap()),
            (format!("GET /api/v1/consents/{}", story.world.id), serde_json::to_string(&story.view()).unwrap()),
            ("GET /api/v1/trust/JW".to_owned(), serde_json::to_string(&story.world.bundle()).unwrap()),
        ];
        let (sent, receiver) = watch::channel(String::new());
        let killed = Arc::new(Mutex::new(None));
        let centre = Centre { session: story.session.to_string(), answers: Arc::new(answers), sent: receiver, killed: killed.clone() };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let app = Router::new().fallback(move |method: Method, uri: Uri, body: Bytes| {
                    let centre = centre.clone();
                    async move { centre.answer(&method, &uri, &body) }
                });
                tokio::select! {
                    ended = axum::serve(listener, app) => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { url, story: copy, sent, killed, stop: Some(stop) }
    }

    pub fn send(&self, frames: &str) {
        self.sent.send_modify(|all| all.push_str(frames));
    }

    /// The reason that somebody gave for ending the session.
    pub fn killed(&self) -> Option<String> {
        self.killed.lock().unwrap().clone()
    }
}

impl Centre {
    fn answer(&self, method: &Method, uri: &Uri, body: &[u8]) -> Response {
        let route = format!("{method} {}", uri.path());
        if route == format!("GET /api/v1/sessions/{}/watch", self.session) {
            return ([("content-type", "text/event-stream")], Body::from_stream(stream_of(self.sent.clone()))).into_response();
        }
        if route == format!("POST /api/v1/sessions/{}/kill", self.session) {
            let reason: serde_json::Value = serde_json::from_slice(body).unwrap();
            *self.killed.lock().unwrap() = reason["reason"].as_str().map(str::to_owned);
            return ([("content-type", "application/json")], self.answers[0].1.clone()).into_response();
        }
        match self.answers.iter().find(|(known, _)| *known == route) {
            Some((_, text)) => ([("content-type", "application/json")], text.clone()).into_response(),
            None => (axum::http::StatusCode::NOT_FOUND, route).into_response(),
        }
    }
}

/// What was sent, then what is sent.
fn stream_of(sent: watch::Receiver<String>) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((sent, 0), |(mut sent, at)| async move {
        loop {
            let more = sent.borrow_and_update()[at..].to_owned();
            if !more.is_empty() {
                let at = at + more.len();
                return Some((Ok(Bytes::from(more)), (sent, at)));
            }
            sent.changed().await.ok()?;
        }
    })
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}
