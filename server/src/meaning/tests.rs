//! The worker with a real store, a model as small as can be, and an endpoint of the test's own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use lineman_common::api::{CaseBody, CaseText};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::component::{Folder, KNOWN};
use super::model::tiny;
use super::{Meaning, Shelf, Vector, sql, worker};
use crate::config::{EmbeddingsEndpoint, Semantics};
use crate::store::{Store, StoreError};

const LONG: Duration = Duration::from_secs(30);

struct Library {
    dir: tempfile::TempDir,
    store: Store,
}

impl Library {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("lineman.db"), &[]).unwrap();
        Self { dir, store }
    }

    fn folder(&self) -> Folder {
        Folder::in_dir(self.dir.path())
    }

    async fn put(&self, number: u32, state: &'static str, audience: &'static str, title: &str) {
        let body = CaseBody { en: Some(CaseText { title: title.into(), ..CaseText::default() }), ..CaseBody::default() };
        let put = move |tx: &mut crate::store::Tx<'_>| -> Result<(), StoreError> {
            sql::testing::put_case(tx, number, state, audience, &body);
            tx.nudge(crate::store::Nudge::Events);
            Ok(())
        };
        self.store.write(put).await.unwrap();
    }

    async fn vectors(&self) -> Vec<(u32, String, Vec<u8>)> {
        self.store.read(|db| -> Result<_, StoreError> { Ok(sql::testing::vectors(db.sql())) }).await.unwrap()
    }

    async fn due(&self) -> u32 {
        self.store.read(|db| -> Result<_, StoreError> { Ok(sql::testing::due(db.sql())) }).await.unwrap()
    }

    /// Starts the worker; it ends with what is given back.
    fn work(&self, semantics: Semantics) -> Work {
        let meaning = Meaning::open(&semantics, self.dir.path());
        let stop = CancellationToken::new();
        let run = worker::run_every(Duration::from_millis(20), self.store.clone(), meaning.clone(), passage, stop.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(run);
        Work { meaning, stop, tasks }
    }

    /// Waits until there is a model and nothing is due.
    async fn settled(&self, work: &Work) {
        until("every case has its vector", async || work.meaning.is_on() && self.due().await == 0).await;
        // Memory follows the commit: the worker was answered, and woken, before this is.
        self.store.write(|_| -> Result<(), StoreError> { Ok(()) }).await.unwrap();
    }
}

struct Work {
    meaning: Meaning,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Work {
    fn nearest(&self, shelf: Shelf, text: &str) -> Vec<u32> {
        let question = self.meaning.ask(text, LONG).unwrap();
        self.meaning.nearest(shelf, &question, 99).into_iter().map(|(number, _)| number).collect()
    }

    async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

fn passage(body: &CaseBody) -> String {
    [&body.zh, &body.en].into_iter().flatten().map(|text| text.title.raw()).collect()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so().await {
        assert!(Instant::now() < end, "not within {LONG:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn without_a_model_nothing_is_answered_and_nothing_fails() {
    let library = Library::new();
    library.put(1, "validated", "customer", "fan stopped").await;
    let work = library.work(Semantics::default());
    library.put(2, "wip", "internal", "power lost").await;
    assert!(!work.meaning.is_on());
    assert_eq!(work.meaning.ask("fan", LONG), None);
    let vector = Vector(Box::new([1.0; 64]));
    assert_eq!((work.meaning.nearest(Shelf::All, &vector, 9), work.meaning.similarity(1, &vector)), (vec![], None));
    assert_eq!(library.due().await, 2, "they wait for a model");
    assert!(!Meaning::off().is_on());
    work.end().await;
}

#[tokio::test]
async fn what_is_saved_is_found_by_meaning_and_what_is_withdrawn_is_not() {
    let library = Library::new();
    library.put(1, "validated", "customer", "fan stopped on board: hot").await;
    library.put(2, "validated", "internal", "no light on board, power lost").await;
    let work = library.work(Semantics::default());
    let first = library.folder().put(&KNOWN, &tiny::image(1)).unwrap();
    library.settled(&work).await;
    assert_eq!(work.nearest(Shelf::All, "fan stopped on board: hot"), [1, 2]);
    assert_eq!(work.nearest(Shelf::All, "no light on board, power lost"), [2, 1]);
    assert_eq!(work.nearest(Shelf::Published, "no light on board, power lost"), [1]);
    assert_eq!(work.meaning.ask("  ", LONG), None);
    let vectors = library.vectors().await;

    // Published: the same text keeps its vector. Withdrawn, archived: gone from the shelves.
    library.put(2, "validated", "customer", "no light on board, power lost").await;
    library.put(3, "wip", "internal", "risk").await;
    library.settled(&work).await;
    assert_eq!(
        work.nearest(Shelf::Published, "power"),
        work.nearest(Shelf::All, "power").into_iter().filter(|n| *n < 3).collect::<Vec<_>>()
    );
    assert_eq!(library.vectors().await[..2], vectors[..]);
    library.put(1, "not_validated", "customer", "fan stopped on board: hot").await;
    library.put(3, "archived", "internal", "risk").await;
    library.settled(&work).await;
    assert_eq!(work.nearest(Shelf::Published, "fan"), [2]);
    let mut all = work.nearest(Shelf::All, "fan");
    all.sort_unstable();
    assert_eq!((all, library.vectors().await.len()), (vec![1, 2], 2));

    // Another text, another vector.
    library.put(1, "validated", "customer", "risk of power lost").await;
    library.settled(&work).await;
    assert_ne!(library.vectors().await[0], vectors[0]);
    assert!(vectors.iter().all(|(_, model, _)| *model == first.identity()));
    work.end().await;
}

#[tokio::test]
async fn another_model_makes_every_vector_anew_and_none_turns_search_by_meaning_off() {
    let library = Library::new();
    library.folder().put(&KNOWN, &tiny::image(1)).unwrap();
    let work = library.work(Semantics::default());
    for number in 1..=20 {
        library.put(number, "validated", "internal", &format!("fan {number}")).await;
    }
    library.settled(&work).await;
    let before = library.vectors().await;
    let other = library.folder().put(&KNOWN, &tiny::image(2)).unwrap();
    until("the other model's vectors", async || library.vectors().await.iter().all(|(_, model, _)| *model == other.identity())).await;
    library.settled(&work).await;
    assert_eq!(work.nearest(Shelf::All, "fan 7").len(), 20);
    assert!(library.vectors().await.iter().zip(&before).all(|(now, before)| now.0 == before.0 && now.2 != before.2));
    library.folder().remove().unwrap();
    until("off", async || !work.meaning.is_on()).await;
    // Damaged: noticed before it answers anything.
    library.folder().put(&KNOWN, &tiny::image(1)).unwrap();
    let mut bytes = std::fs::read(library.folder().model()).unwrap();
    until("on again", async || work.meaning.is_on()).await;
    work.end().await;
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(library.folder().model(), bytes).unwrap();
    let work = library.work(Semantics::default());
    library.put(21, "validated", "internal", "fan").await;
    assert!(!work.meaning.is_on());
    work.end().await;
}

#[tokio::test]
async fn cut_off_at_any_moment_it_goes_on_where_it_was() {
    let library = Library::new();
    library.folder().put(&KNOWN, &tiny::image(1)).unwrap();
    for number in 1..=60 {
        library.put(number, "validated", "customer", &format!("power lost {number}")).await;
    }
    let mut so_far = Vec::new();
    while library.due().await > 0 {
        let work = library.work(Semantics::default());
        let most = library.due().await.saturating_sub(7);
        until("a step", async || library.due().await <= most).await;
        // As a kill does it: no word to the task.
        drop(work.tasks);
        let now = library.vectors().await;
        assert!(so_far.iter().all(|vector| now.contains(vector)), "what was made stays");
        so_far = now;
    }
    assert_eq!(so_far.len(), 60);
    let work = library.work(Semantics::default());
    library.settled(&work).await;
    assert_eq!(work.nearest(Shelf::Published, "power lost 33").len(), 60);
    assert_eq!(library.vectors().await, so_far);
    work.end().await;
}

/// An endpoint that counts letters, and what it was asked.
struct Endpoint {
    settings: Semantics,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    refusals: Arc<AtomicU32>,
    _server: JoinSet<()>,
}

impl Endpoint {
    async fn start(dir: &std::path::Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (asked, refusals) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU32::new(0)));
        let (list, refuse) = (Arc::clone(&asked), Arc::clone(&refusals));
        let answer = move |headers: HeaderMap, Json(body): Json<Value>| {
            let key = headers.get("authorization").map_or("", |key| key.to_str().unwrap()).to_owned();
            let texts: Vec<String> = body["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
            list.lock().unwrap().push((key, body));
            let is_refused = refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            let letters =
                |text: &str| (b'a'..=b'z').map(|letter| 0.01 + text.bytes().filter(|b| *b == letter).count() as f32).collect::<Vec<_>>();
            let data: Vec<Value> =
                texts.iter().enumerate().rev().map(|(at, text)| json!({"index": at, "embedding": letters(text)})).collect();
            async move {
                if is_refused {
                    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "slower").into_response()
                } else {
                    Json(json!({"data": data})).into_response()
                }
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        std::fs::write(dir.join("key"), "sk-test\n").unwrap();
        let endpoint = EmbeddingsEndpoint {
            url: format!("http://{}/v1", listener.local_addr().unwrap()),
            model: "letters".into(),
            key_file: Some(dir.join("key")),
            batch: 16,
            question_prefix: "q ".into(),
            passage_prefix: String::new(),
        };
        let router = axum::Router::new().route("/v1/embeddings", post(answer));
        let mut server = JoinSet::new();
        server.spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { settings: Semantics { endpoint: Some(endpoint), ..Semantics::default() }, asked, refusals, _server: server }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_the_other_provider() {
    let library = Library::new();
    let endpoint = Endpoint::start(library.dir.path()).await;
    endpoint.refusals.store(1, Ordering::SeqCst);
    for number in 1..=20 {
        library.put(number, "validated", "internal", if number == 7 { "fan fan" } else { "power" }).await;
    }
    let work = library.work(endpoint.settings.clone());
    library.settled(&work).await;
    until("all are in memory", async || tokio::task::block_in_place(|| work.nearest(Shelf::All, "fan").len()) == 20).await;
    assert_eq!(tokio::task::block_in_place(|| work.nearest(Shelf::All, "fan"))[0], 7);
    let asked = endpoint.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|(key, body)| key == "Bearer sk-test" && body["model"] == "letters"));
    let inputs: Vec<usize> = asked.iter().map(|(_, body)| body["input"].as_array().unwrap().len()).collect();
    assert_eq!(inputs, [1, 1, 16, 4, 1], "refused once, learned the dimensions, cases in batches, a question");
    assert_eq!(asked.last().unwrap().1["input"], json!(["q fan"]));
    assert!(library.vectors().await.iter().all(|(_, model, bytes)| model.starts_with("letters of http://127.0.0.1") && bytes.len() == 26));
    work.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_endpoint_must_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::start(dir.path()).await.settings.endpoint.unwrap();
    let answers = [
        (json!({"data": []}), "0 vectors for 1 texts"),
        (json!({"data": [{"index": 1, "embedding": [1.0]}]}), "1 vectors for 1 texts"),
        (json!({"data": [{"index": 0, "embedding": []}]}), "dimensions"),
        (json!({"data": [{"index": 0, "embedding": [0.0, 0.0]}]}), "dimensions"),
        (json!({"data": [{"index": 0, "embedding": vec![1.0; 5000]}]}), "at most 4096"),
        (json!({"data": [{"index": 0, "embedding": [1.0]}], "pad": "x".repeat(1 << 20)}), "too long"),
        (json!("no"), "expected struct Answer"),
    ];
    for (answer, says) in answers {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/embeddings", post(async move || Json(answer)));
        let mut server = JoinSet::new();
        server.spawn(async { axum::serve(listener, router).await });
        let error = super::endpoint::Endpoint::open(EmbeddingsEndpoint { url, ..endpoint.clone() }).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let no_key = EmbeddingsEndpoint { key_file: Some(dir.path().join("none")), ..endpoint.clone() };
    assert!(super::endpoint::Endpoint::open(no_key).await.unwrap_err().to_string().contains("the key in"));
    let silent = EmbeddingsEndpoint { url: "http://127.0.0.1:1".into(), ..endpoint };
    assert!(super::endpoint::Endpoint::open(silent).await.unwrap_err().to_string().contains("did not answer"));
}
