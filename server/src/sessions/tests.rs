//! Watching, paging, looking, and room: with a real store.

use std::time::Duration;

use axum::response::IntoResponse;
use axum::response::sse::Sse;
use futures_util::{Stream, StreamExt};
use lineman_common::link::SessionSummary;
use lineman_common::session::EndReason;
use tokio_util::sync::CancellationToken;

use super::testing::{Inside, Recorder, Running, at, output};
use super::*;
use crate::trust::testing::{World, actor};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a client of a watch reads.
struct Client {
    body: std::pin::Pin<Box<dyn Stream<Item = Result<axum::body::Bytes, axum::Error>> + Send>>,
    text: String,
}

impl Client {
    fn open(centre: &Running, stop: &CancellationToken, session: &Inside, from: u64) -> Self {
        let stream = watch::stream(centre.store.clone(), stop.clone(), session.id, from);
        let body = Sse::new(stream).into_response().into_body().into_data_stream();
        Self { body: Box::pin(body), text: String::new() }
    }

    /// Reads until the text is there, or the stream is done.
    async fn until(&mut self, wanted: &str) {
        let read = async {
            while !self.text.contains(wanted) {
                let Some(bytes) = self.body.next().await else { break };
                self.text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("no {wanted:?} came: {}", self.text));
    }

    /// The chunks that came: number and line.
    fn chunks(&self) -> Vec<(u64, String)> {
        let field = |block: &str, name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned()));
        let blocks = self.text.split("\n\n").filter(|block| block.contains("event: chunk"));
        blocks.map(|block| (field(block, "id:").unwrap().parse().unwrap(), field(block, "data:").unwrap())).collect()
    }
}

impl Running {
    async fn ends(&self, session: &Inside, chunks: u64) {
        let ended = SessionEnded {
            at: "2026-11-22T01:00:00Z".parse().unwrap(),
            session: session.id,
            reason: EndReason::Client,
            chunks,
            head_sha256: "h".into(),
            summary: SessionSummary::default(),
        };
        let device = session.device.clone();
        self.store.write(move |tx| super::ended(tx, &device, &ended)).await.unwrap();
    }

    /// Events of these kinds, newest last.
    async fn told(&self, kinds: &'static [&'static str]) -> Vec<(String, String)> {
        let events = self.store.read(|db| events::after(db, &Scope::All, 0, 1000)).await.unwrap();
        let wanted = events.into_iter().filter(|event| kinds.contains(&event.kind.as_str()));
        wanted.map(|event| (event.kind, event.text.raw().to_owned())).collect()
    }
}

fn numbered(recorder: &mut Recorder, count: u32) -> Vec<String> {
    (0..count).map(|n| recorder.chunk(&[at(n.into(), 0, output(&format!("line {n}\n")))], None)).collect()
}

#[tokio::test]
async fn a_watch_follows_a_session_to_its_end() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let (mut recorder, stop) = (Recorder::new(session.id), CancellationToken::new());
    let chunks = numbered(&mut recorder, 5);
    centre.stores(&session, chunks[..2].to_vec()).await;
    let (mut early, mut late) = (Client::open(&centre, &stop, &session, 0), Client::open(&centre, &stop, &session, 3));
    early.until("id: 1").await;
    // A gap: nothing is sent out of order.
    centre.stores(&session, vec![chunks[3].clone()]).await;
    early.until("event: beat").await;
    assert_eq!(early.chunks().len(), 2);
    centre.stores(&session, vec![chunks[2].clone(), chunks[4].clone()]).await;
    early.until("id: 4").await;
    // It is over, but one chunk has not come yet.
    centre.ends(&session, 6).await;
    let last = recorder.chunk(&[], Some(EndReason::Client));
    centre.stores(&session, vec![last.clone()]).await;
    early.until("event: end").await;
    late.until("event: end").await;
    let expected: Vec<(u64, String)> = (0u64..).zip([&chunks[..], &[last]].concat()).collect();
    assert_eq!(early.chunks(), expected);
    assert_eq!(late.chunks(), expected[3..]);
    assert!(early.text.split("event: end").nth(1).unwrap().contains("\"state\":\"ended\""), "{}", early.text);
    assert!(early.body.next().await.is_none(), "the stream is done");
}

#[tokio::test]
async fn a_watch_ends_when_its_token_does() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tower::ServiceExt;

    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let counts = Arc::new(AtomicBool::new(true));
    let holds = Arc::clone(&counts);
    let handles = http::Handles { store: centre.store.clone(), stop: CancellationToken::new() };
    let (routes, _) = http::routes().with_state(handles).split_for_parts();
    let routes = routes
        .layer(axum::Extension(crate::web::Pass::new(move |_| Ok(holds.load(Ordering::SeqCst)))))
        .layer(axum::Extension(World::engineer()));
    let asked = axum::extract::Request::get(format!("/api/v1/sessions/{}/watch", session.id)).body(axum::body::Body::empty()).unwrap();
    let reply = routes.oneshot(asked).await.unwrap();
    assert_eq!(reply.status(), 200);
    let mut client = Client { body: Box::pin(reply.into_body().into_data_stream()), text: String::new() };
    client.until("event: beat").await;
    counts.store(false, Ordering::SeqCst);
    let sign_out = |tx: &mut Tx<'_>| {
        tx.nudge(crate::store::Nudge::SignedOut);
        Ok::<_, StoreError>(())
    };
    centre.store.write(sign_out).await.unwrap();
    client.until("never").await;
    assert!(client.body.next().await.is_none(), "the stream is done");
}

#[tokio::test]
async fn a_watch_ends_when_the_server_stops() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let stop = CancellationToken::new();
    let mut client = Client::open(&centre, &stop, &session, 0);
    client.until("event: beat").await;
    stop.cancel();
    client.until("never").await;
    assert!(client.chunks().is_empty());
}

#[tokio::test]
async fn a_recording_comes_in_pages() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let chunks = numbered(&mut Recorder::new(session.id), 7);
    centre.stores(&session, chunks.clone()).await;
    let id = session.id;
    let page = |from: u64, most: u32, bytes: usize| {
        let store = centre.store.clone();
        async move { store.read(move |db| super::page(db, id, from, most, bytes)).await.unwrap() }
    };
    let (mut from, mut seen, mut pages) = (Some(0), Vec::new(), 0);
    while let Some(begin) = from {
        let page = page(begin, 3, 1 << 20).await;
        seen.extend(page.chunks.into_iter().map(|(_, line)| line));
        (from, pages) = (page.next, pages + 1);
    }
    assert_eq!((seen, pages), (chunks.clone(), 3));
    let small = page(2, 100, 1).await;
    assert_eq!((small.chunks, small.next), (vec![(2, chunks[2].clone())], Some(3)), "one chunk at least");
    assert!(page(7, 100, 1 << 20).await.chunks.is_empty());
}

/// A chunk's line stays one line, whatever spaces its JSON has.
#[tokio::test]
async fn a_chunk_is_one_line() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let chunk = Recorder::new(session.id).chunk(&[], None);
    centre.stores(&session, vec![chunk.replacen('{', "{\r\n\n", 1)]).await;
    let id = session.id;
    let page = centre.store.read(move |db| super::page(db, id, 0, 10, 1 << 20)).await.unwrap();
    assert_eq!(page.chunks[0].1.lines().count(), 1);
    lineman_common::recording::read_unverified(&page.chunks[0].1).unwrap();
}

#[tokio::test]
async fn a_look_is_told_once_and_to_whom_it_concerns() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let id = session.id;
    let look = |by: Actor, how: Look| {
        let store = centre.store.clone();
        async move { store.write(move |tx| super::look(tx, &by, id, how)).await }
    };
    for _ in 0..5 {
        look(World::engineer(), Look::Fetch).await.unwrap();
        look(World::engineer(), Look::Watch).await.unwrap();
    }
    let noc = actor("noc-b", lineman_common::people::Role::Noc, Some((session.device.customer, "JW")));
    look(noc, Look::Watch).await.unwrap();
    let told = centre.told(&["session.recording_viewed", "session.watched"]).await;
    let kinds: Vec<_> = told.iter().map(|(kind, text)| (kind.as_str(), text.split(' ').next().unwrap_or_default())).collect();
    assert_eq!(
        kinds,
        [("session.recording_viewed", "engineer-a"), ("session.watched", "engineer-a"), ("session.watched", "noc-b")],
        "{told:?}"
    );
    let stranger = actor("noc-c", lineman_common::people::Role::Noc, Some((lineman_common::id::CustomerId::new(), "YW")));
    assert!(matches!(look(stranger, Look::Watch).await, Err(Error::NotFound)));
}

impl Running {
    /// As the link does it.
    async fn offers(&self, session: &Inside, line: &str) -> Result<(), Error> {
        let (device, line) = (session.device.clone(), line.to_owned());
        let outcome = self.store.write(move |tx| super::store_chunk(tx, &device, line.as_bytes())).await;
        if let Err(Error::Full(id)) = outcome {
            let device = session.device.clone();
            self.store.write(move |tx| quota::tell_full(tx, &device, id)).await.unwrap();
        }
        outcome
    }

    async fn room(&self, session: &Inside) -> lineman_common::api::RecordingUse {
        let code = session.device.name.customer.clone();
        self.store.read(move |db| quota::get(db, &Scope::All, &code)).await.unwrap()
    }
}

#[tokio::test]
async fn what_there_is_no_room_for_waits() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let chunks = numbered(&mut Recorder::new(session.id), 3);
    centre.offers(&session, &chunks[0]).await.unwrap();
    let used = chunks[0].len() as u64;
    centre.store.write(move |tx| quota::set_default(tx, used + 10)).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(centre.offers(&session, &chunks[1]).await, Err(Error::Full(_))));
    }
    assert_eq!(centre.told(&["session.quota_reached"]).await.len(), 1, "told once");
    let room = centre.room(&session).await;
    assert!(room.full_since.is_some() && room.stored_bytes == used && room.quota_bytes == used + 10, "{room:?}");

    let code = session.device.name.customer.clone();
    let raise = code.clone();
    let raised = centre.store.write(move |tx| quota::set(tx, &World::admin(), &raise, 4 << 20)).await.unwrap();
    assert_eq!((raised.full_since, raised.quota_bytes), (None, 4 << 20));
    centre.offers(&session, &chunks[1]).await.unwrap();
    // The same chunk again takes no room.
    centre.offers(&session, &chunks[1]).await.unwrap();
    assert_eq!(centre.room(&session).await.stored_bytes, chunks[..2].iter().map(|chunk| chunk.len() as u64).sum::<u64>());
    let small = centre.store.write(move |tx| quota::set(tx, &World::admin(), &code, 1)).await;
    assert!(matches!(small, Err(Error::BadQuota)));
}

#[tokio::test]
async fn a_session_that_is_too_large_is_ended_once() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let chunks = numbered(&mut Recorder::new(session.id), 3);
    centre.offers(&session, &chunks[0]).await.unwrap();
    let grow = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let most = i64::try_from(quota::MOST_SESSION_BYTES).unwrap_or_default();
        tx.sql().execute("UPDATE recording SET bytes = ?1 - 10", [most])?;
        Ok(())
    };
    centre.store.write(grow).await.unwrap();
    centre.offers(&session, &chunks[1]).await.unwrap();
    centre.offers(&session, &chunks[2]).await.unwrap();
    assert_eq!(centre.told(&["session.quota_reached"]).await.len(), 1);
    let device = session.device.id;
    let orders = centre.store.read(move |db| agents::waiting(db, device)).await.unwrap();
    let kills = orders.iter().filter(|(_, order)| matches!(order, Order::KillSession { session: id, .. } if *id == session.id));
    assert_eq!(kills.count(), 1, "{orders:?}");
}
