//! The whole door: HTTP, WebSocket and an SSH client, with a device at the other end that is honest or not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::middleware::{Next as Handler, from_fn};
use futures_util::{SinkExt, StreamExt};
use lineman_common::api::{TERMINAL_PROTOCOL, TerminalEvent, TerminalExit, TerminalRequest, TerminalState};
use lineman_common::people::Role;
use lineman_common::session::Grade;
use lineman_common::statement::device::openssh;
use lineman_common::statement::{Namespace, Signed};
use serde_json::{Value, json};
use ssh_key::PrivateKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::*;
use crate::consents;
use crate::customers;
use crate::events;
use crate::faults;
use crate::gateway::tests::{Bench, Manner};
use crate::store::{Nudge, StoreError, Tx};
use crate::trust::testing::{World, actor, key};
use crate::web::Scope;

const DEADLINE: Duration = Duration::from_secs(60);

/// What the API's own layer does with tokens; here the name is believed.
#[derive(Clone)]
struct People(Arc<Vec<Actor>>);

struct Site {
    bench: Bench,
    address: SocketAddr,
    terminals: Terminals,
    http: reqwest::Client,
    /// Whoever asks, asked with what counts no longer.
    is_signed_out: Arc<AtomicBool>,
}

impl Site {
    async fn new(manner: Manner) -> Self {
        Self::with(Grade::Gateway, manner, Patience::default()).await
    }

    async fn with(grade: Grade, manner: Manner, patience: Patience) -> Self {
        let bench = Bench::new(grade, manner).await;
        let terminals = Terminals::new(bench.jump.clone(), patience);
        let people = People(Arc::new(vec![World::engineer(), actor("engineer-b", Role::Engineer, None), bench.world.noc()]));
        let handles = http::Handles { store: bench.store.clone(), terminals: terminals.clone() };
        let is_signed_out = Arc::new(AtomicBool::new(false));
        let signed_out = Arc::clone(&is_signed_out);
        let (routes, _) = http::routes().with_state(handles).split_for_parts();
        let routes = routes.layer(from_fn(move |mut request: Request, next: Handler| {
            let name = request.headers().get("x-person").and_then(|name| name.to_str().ok());
            let person = people.0.iter().find(|person| Some(person.name.as_str()) == name).cloned();
            if let Some(person) = person {
                let is_out = Arc::clone(&signed_out);
                request.extensions_mut().insert(Pass::new(move |_| Ok(!is_out.load(Ordering::SeqCst))));
                request.extensions_mut().insert(person);
            }
            next.run(request)
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = bench.stop.clone();
        bench.tasks.spawn(async move {
            tokio::select! {
                _ = std::future::IntoFuture::into_future(axum::serve(listener, routes)) => {}
                () = stop.cancelled() => {}
            }
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { bench, address, terminals, http: reqwest::Client::new(), is_signed_out }
    }

    async fn ask(&self, method: &str, path: &str, who: &str, body: Value) -> (u16, Value) {
        let url = format!("http://{}/api/v1/terminals{path}", self.address);
        let request = self.http.request(method.parse().unwrap(), url).header("x-person", who);
        let request = if body.is_null() { request } else { request.json(&body) };
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        (status, serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Its id and a ticket.
    async fn open(&self) -> (String, String) {
        let body = json!({"device": "ne-1.jw.ne", "cols": 80, "rows": 24});
        let (status, opened) = self.ask("POST", "", "engineer-a", body).await;
        assert_eq!(status, 201, "{opened}");
        assert_eq!(opened["consent"], self.bench.consent.to_string());
        (opened["id"].as_str().unwrap().to_owned(), opened["ticket"].as_str().unwrap().to_owned())
    }

    async fn refusal(&self, body: Value) -> (u16, String) {
        let (status, said) = self.ask("POST", "", "engineer-a", body).await;
        (status, said["title"].as_str().unwrap_or_default().to_owned())
    }

    async fn ticket(&self, id: &str) -> String {
        let (status, ticket) = self.ask("POST", &format!("/{id}/tickets"), "engineer-a", Value::Null).await;
        assert_eq!(status, 201, "{ticket}");
        ticket["ticket"].as_str().unwrap().to_owned()
    }

    async fn connect(&self, id: &str, ticket: &str, from: usize) -> Browser {
        self.try_connect(id, ticket, from, None).await.unwrap()
    }

    async fn try_connect(&self, id: &str, ticket: &str, from: usize, origin: Option<&str>) -> Result<Browser, u16> {
        let mut request = format!("ws://{}/api/v1/terminals/{id}/stream?from={from}", self.address).into_client_request().unwrap();
        let offered = format!("{TERMINAL_PROTOCOL}, ticket.{ticket}");
        request.headers_mut().insert("sec-websocket-protocol", offered.parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, reply)) => {
                let chosen = reply.headers().get("sec-websocket-protocol").unwrap();
                assert_eq!(chosen, TERMINAL_PROTOCOL, "the ticket does not come back");
                Ok(Browser { socket, got: Vec::new(), offset: from, events: Vec::new(), acknowledges: true })
            }
            Err(WsError::Http(reply)) => Err(reply.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn view(&self, id: &str) -> Option<lineman_common::api::Terminal> {
        let (_, list) = self.ask("GET", "", "engineer-a", Value::Null).await;
        let list: lineman_common::api::List<lineman_common::api::Terminal> = serde_json::from_value(list).unwrap();
        list.items.into_iter().find(|terminal| terminal.id.to_string() == id)
    }

    async fn becomes(&self, id: &str, what: &str, is_so: impl Fn(Option<&lineman_common::api::Terminal>) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let view = self.view(id).await;
            if is_so(view.as_ref()) {
                return;
            }
            assert!(Instant::now() < deadline, "it did not become {what}: {view:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the fault's timeline says of terminals.
    async fn told(&self) -> Vec<String> {
        let consent = self.bench.consent;
        let read = move |tx: &mut Tx<'_>| -> Result<_, StoreError> {
            let fault = consents::fault_of(tx, consent)?.unwrap();
            events::of_fault(tx, &Scope::All, fault)
        };
        let told = self.bench.store.write(read).await.unwrap();
        told.into_iter().filter(|event| event.kind.starts_with("terminal.")).map(|event| event.text.raw().to_owned()).collect()
    }
}

/// A terminal emulator that keeps every byte.
struct Browser {
    socket: WebSocketStream<TcpStream>,
    got: Vec<u8>,
    /// Of the next byte.
    offset: usize,
    events: Vec<TerminalEvent>,
    acknowledges: bool,
}

impl Browser {
    async fn say(&mut self, request: &TerminalRequest) {
        self.socket.send(Message::text(serde_json::to_string(request).unwrap())).await.unwrap();
    }

    async fn type_in(&mut self, text: &str) {
        self.socket.send(Message::binary(text.as_bytes().to_vec())).await.unwrap();
    }

    /// The next message; the close frame's code and reason when it is over.
    async fn take(&mut self) -> Result<(), (u16, String)> {
        let message = tokio::time::timeout(DEADLINE, self.socket.next()).await.expect("something comes");
        match message.expect("no end without a word").expect("no cut") {
            Message::Binary(bytes) => {
                self.got.extend_from_slice(&bytes);
                self.offset += bytes.len();
                if self.acknowledges {
                    self.say(&TerminalRequest::Ack(self.offset as u64)).await;
                }
            }
            Message::Text(text) => {
                let event: TerminalEvent = serde_json::from_str(&text).unwrap();
                match &event {
                    TerminalEvent::Offset(offset) => assert_eq!(*offset, self.offset as u64, "it goes on where it was"),
                    TerminalEvent::Gap(gap) => self.offset = usize::try_from(gap.offset).unwrap(),
                    TerminalEvent::Exit(_) | TerminalEvent::Taken(_) | TerminalEvent::End(_) => {}
                }
                self.events.push(event);
            }
            Message::Close(close) => {
                let close = close.expect("a reason");
                return Err((close.code.into(), close.reason.to_string()));
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.got).into_owned()
    }

    async fn until(&mut self, needle: &str) {
        while !self.text().contains(needle) {
            if let Err(closed) = self.take().await {
                panic!("closed, {closed:?}, before `{needle}`: {:?} {:?}", self.events, self.text());
            }
        }
    }

    /// To the close frame, and the last event before it.
    async fn until_its_end(&mut self) -> (u16, Option<TerminalEvent>) {
        loop {
            if let Err((code, _)) = self.take().await {
                return (code, self.events.last().cloned());
            }
        }
    }

    /// What the last event says, when the terminal is over.
    async fn end(&mut self) -> String {
        match self.until_its_end().await {
            (1000, Some(TerminalEvent::End(end))) => end.reason.raw().to_owned(),
            other => panic!("{other:?}"),
        }
    }
}

/// What the device prints, from the first byte on.
fn printed(lines: usize) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("{n:0>1022}\r\n").into_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_types_resizes_and_reads_how_it_ended() {
    let site = Site::new(Manner::Honest).await;
    let (id, ticket) = site.open().await;
    let mut browser = site.connect(&id, &ticket, 0).await;
    browser.until("terminal xterm-256color 80x24\r\n").await;
    assert_eq!(browser.events, [TerminalEvent::Offset(0)]);
    browser.say(&TerminalRequest::Resize(TerminalSize { cols: 132, rows: 50 })).await;
    browser.until("now 132x50").await;
    let view = site.view(&id).await.unwrap();
    assert_eq!((view.cols, view.rows, view.attached, view.state), (132, 50, true, TerminalState::Live));
    browser.type_in("风扇 ").await;
    browser.until("风扇 ").await;
    browser.type_in("exit").await;
    assert_eq!(browser.end().await, "the shell is over");
    assert!(browser.events.contains(&TerminalEvent::Exit(TerminalExit::Status(3))), "{:?}", browser.events);
    // Who comes back reads it all once more.
    let mut again = site.connect(&id, &site.ticket(&id).await, 0).await;
    assert_eq!(again.end().await, "the shell is over");
    assert_eq!(again.got, browser.got);
    assert_eq!(site.view(&id).await.unwrap().state, TerminalState::Ended);
    assert_eq!(
        site.told().await,
        ["engineer-a opened a terminal on ne-1.jw.ne", "engineer-a's terminal on ne-1.jw.ne ended: the shell is over"]
    );
    site.bench.is_left_alone().await;
    site.ask("DELETE", &format!("/{id}"), "engineer-a", Value::Null).await;
    site.becomes(&id, "forgotten", |view| view.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_out_is_disconnected_and_may_come_back() {
    let site = Site::new(Manner::Honest).await;
    let (id, ticket) = site.open().await;
    let mut browser = site.connect(&id, &ticket, 0).await;
    browser.until("terminal xterm-256color 80x24\r\n").await;
    let unused = site.ticket(&id).await;
    site.is_signed_out.store(true, Ordering::SeqCst);
    let sign_out = |tx: &mut Tx<'_>| {
        tx.nudge(Nudge::SignedOut);
        Ok::<_, StoreError>(())
    };
    site.bench.store.write(sign_out).await.unwrap();
    assert_eq!(browser.until_its_end().await, (1008, Some(TerminalEvent::Offset(0))));
    // A ticket from before is of no use either.
    let mut late = site.connect(&id, &unused, browser.offset).await;
    assert_eq!(late.until_its_end().await.0, 1008);
    site.is_signed_out.store(false, Ordering::SeqCst);
    let mut again = site.connect(&id, &site.ticket(&id).await, browser.offset).await;
    again.type_in("exit").await;
    assert_eq!(again.end().await, "the shell is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_cut_not_a_byte_is_missing_or_doubled() {
    let site = Site::new(Manner::Honest).await;
    let (id, ticket) = site.open().await;
    let mut browser = site.connect(&id, &ticket, 0).await;
    browser.type_in("print 200\r").await;
    let mut all = Vec::new();
    // Cut again and again, each time in the middle of it.
    for part in 1..=3 {
        while browser.got.len() < 40_000 {
            browser.take().await.unwrap();
        }
        all.append(&mut browser.got);
        let from = browser.offset;
        assert!(from >= part * 40_000);
        drop(browser);
        browser = site.connect(&id, &site.ticket(&id).await, from).await;
    }
    browser.until("done\r\n").await;
    all.append(&mut browser.got);
    let wanted = [b"terminal xterm-256color 80x24\r\nprint 200\r".to_vec(), printed(200), b"done\r\n".to_vec()].concat();
    assert!(all == wanted, "{} bytes for {}", all.len(), wanted.len());
    assert!(browser.events.iter().all(|event| matches!(event, TerminalEvent::Offset(_))), "{:?}", browser.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_counted_and_its_picture_comes_instead() {
    let site = Site::new(Manner::Honest).await;
    let (id, ticket) = site.open().await;
    let mut browser = site.connect(&id, &ticket, 0).await;
    browser.until("terminal ").await;
    browser.type_in("print 2000\r").await;
    while browser.got.len() < 10_000 {
        browser.take().await.unwrap();
    }
    let from = browser.offset;
    drop(browser);
    let begin = b"terminal xterm-256color 80x24\r\nprint 2000\r".to_vec();
    let wanted = [begin, printed(2000), b"done\r\n".to_vec()].concat();
    site.becomes(&id, "done", |view| view.is_some_and(|view| view.offset == wanted.len() as u64)).await;
    let mut browser = site.connect(&id, &site.ticket(&id).await, from).await;
    browser.until("done\r\n").await;
    let [TerminalEvent::Gap(gap)] = &browser.events[..] else { panic!("{:?}", browser.events) };
    let offset = usize::try_from(gap.offset).unwrap();
    assert_eq!((gap.missing_bytes, gap.cols, gap.rows), ((offset - from) as u64, 80, 24));
    assert!(browser.got == wanted[offset..], "the rest is exact");
    assert!(browser.got.len() > 250_000, "{}", browser.got.len());
    let number = (offset - 43) / 1024 - 1;
    assert!(gap.screen.contains(&format!("000{number}")), "the line before is in the picture: {number} {}", gap.screen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_browser_takes_over_and_the_first_is_told() {
    let site = Site::new(Manner::Honest).await;
    let (id, ticket) = site.open().await;
    let mut first = site.connect(&id, &ticket, 0).await;
    first.until("terminal ").await;
    let mut second = site.connect(&id, &site.ticket(&id).await, 0).await;
    second.until("terminal ").await;
    let (code, last) = first.until_its_end().await;
    assert!(code == 1000 && matches!(last, Some(TerminalEvent::Taken(_))), "{code} {last:?}");
    second.type_in("mine").await;
    second.until("mine").await;
    assert!(!first.text().contains("mine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_persons_own_fresh_ticket_opens_it_and_only_once() {
    let site = Site::new(Manner::Honest).await;
    let (id, first) = site.open().await;
    let (other, _) = site.open().await;
    let refused = async |id: &str, ticket: &str, from, origin| site.try_connect(id, ticket, from, origin).await.err();
    assert_eq!(refused(&id, "wrong", 0, None).await, Some(401));
    assert_eq!(refused(&other, &first, 0, None).await, Some(401), "of another terminal");
    assert_eq!(refused("trm_nonsense", &first, 0, None).await, Some(401));
    assert_eq!(refused(&id, &first, 0, Some("https://evil.example")).await, Some(403));
    // Refused, it is not used up.
    let mut browser = site.connect(&id, &first, 0).await;
    browser.until("terminal ").await;
    assert_eq!(refused(&id, &first, 0, None).await, Some(401), "used");
    let older = site.ticket(&id).await;
    let newer = site.ticket(&id).await;
    assert_eq!(refused(&id, &older, 0, None).await, Some(401), "a newer one has taken its place");
    assert_eq!(refused(&id, &newer, 1 << 40, None).await, Some(422), "it has not printed so much");
    // Another's terminals look like none, whoever asks.
    for stranger in ["engineer-b", "noc-a"] {
        let (status, said) = site.ask("POST", &format!("/{id}/tickets"), stranger, Value::Null).await;
        assert_eq!((status, said["title"].as_str()), (404, Some("no such terminal")));
        assert_eq!(site.ask("DELETE", &format!("/{id}"), stranger, Value::Null).await.0, 404);
        assert_eq!(site.ask("GET", "", stranger, Value::Null).await, (200, json!({"items": []})));
    }
    assert_eq!(site.ask("POST", &format!("/{id}/tickets"), "nobody", Value::Null).await.0, 401);
    assert_eq!(site.view(&id).await.unwrap().state, TerminalState::Live);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_let_ssh_in_lets_no_browser_in() {
    let body = || json!({"device": "ne-1.jw.ne", "cols": 80, "rows": 24});
    let site = Site::with(Grade::EndToEnd, Manner::Honest, Patience::default()).await;
    let (status, said) = site.refusal(body()).await;
    assert!(status == 403 && said.contains("no consent of grade gateway is live for engineer-a on ne-1.jw.ne"), "{said}");
    let site = Site::new(Manner::Honest).await;
    let (status, said) = site.ask("POST", "", "engineer-b", body()).await;
    assert!(status == 403 && said["title"].as_str().unwrap().contains("is live for engineer-b"), "{said}");
    let (status, said) = site.ask("POST", "", "noc-a", body()).await;
    assert!(status == 403 && said["title"].as_str().unwrap().contains("may not open terminals"), "{said}");
    let other = json!({"device": "ne-1.jw.ne", "cols": 80, "rows": 24, "consent": lineman_common::id::ConsentId::new()});
    assert_eq!(site.refusal(other).await.0, 403);
    for (wrong, why) in [
        (json!({"device": "ne-9.jw.ne", "cols": 80, "rows": 24}), 404),
        (json!({"device": "ne-1.jw.ne", "cols": 1, "rows": 24}), 422),
        (json!({"device": "ne-1.jw.ne", "cols": 80, "rows": 1001}), 422),
        (json!({"device": "ne-1.jw.ne", "cols": 80, "rows": 24, "term": "x\u{1b}"}), 422),
    ] {
        assert_eq!(site.refusal(wrong.clone()).await.0, why, "{wrong}");
    }
    // The engineer's key is not in the roster any more: the request that it signed is worth nothing, for a terminal that is open as well.
    let (id, _) = site.open().await;
    let world = Arc::clone(&site.bench.world);
    let publish = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let line = |principals: &str, namespace: &str, key: &PrivateKey| {
            format!("{principals} namespaces=\"{namespace}\" {}\n", openssh(key.public_key()))
        };
        let text = World::head(tx, "roster", 2)
            + &line("engineer-a,level-2", "request@lineman", &key())
            + &line("gateway", "gateway@lineman", &world.gateway_key);
        let signed = Signed::sign(&world.root, Namespace::Roster, text).unwrap();
        crate::trust::publish_roster(tx, &World::admin(), &signed, &world.vendor_root).unwrap();
        Ok(())
    };
    site.bench.store.write(publish).await.unwrap();
    let (status, said) = site.refusal(body()).await;
    assert!(status == 403 && said.contains("does not hold any more"), "{said}");
    assert_eq!(site.ask("POST", &format!("/{id}/tickets"), "engineer-a", Value::Null).await.0, 403);
    site.becomes(&id, "over", |view| view.is_some_and(|view| view.state == TerminalState::Ended)).await;
    // The switch that stops a customer.
    let site = Site::new(Manner::Honest).await;
    let world = Arc::clone(&site.bench.world);
    let stop = move |tx: &mut Tx<'_>| customers::stop(tx, &world.noc(), &world.code, &"a leaked key".into());
    site.bench.store.write(stop).await.unwrap();
    let (status, said) = site.refusal(body()).await;
    assert!(status == 403 && said.contains("a leaked key"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_devices_own_words_are_the_answer() {
    let body = || json!({"device": "ne-1.jw.ne", "cols": 80, "rows": 24});
    for (manner, words) in [
        (Manner::NoLeg, "ne-1.jw.ne refuses: the consent's time is up"),
        (Manner::OtherKey, "which its statement does not name"),
        (Manner::NoEntry, "does not take this gateway's key"),
    ] {
        let site = Site::new(manner).await;
        let (status, said) = site.refusal(body()).await;
        assert!(status == 503 && said.contains(words), "{manner:?}: {status} {said}");
        assert_eq!(site.ask("GET", "", "engineer-a", Value::Null).await.1, json!({"items": []}), "nothing is left of it");
    }
    let site = Site::new(Manner::NoShell).await;
    let (id, ticket) = site.open().await;
    assert_eq!(site.connect(&id, &ticket, 0).await.end().await, "ne-1.jw.ne refused to start a shell");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_does_not_show_what_it_got_stops_the_device() {
    let site = Site::new(Manner::Honest).await;
    let (id, ticket) = site.open().await;
    let mut browser = site.connect(&id, &ticket, 0).await;
    browser.acknowledges = false;
    browser.until("terminal ").await;
    browser.type_in("print\u{20}\r").await;
    let count = || site.bench.printed.load(Ordering::Relaxed);
    // It stands still, and not for lack of a reader of the socket.
    let mut before = (0, Instant::now());
    while before.0 == 0 || before.1.elapsed() < Duration::from_secs(2) {
        if count() != before.0 {
            before = (count(), Instant::now());
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), browser.take()).await;
    }
    assert!(count() < 4 * 1024 * 1024, "{} bytes were taken from the device", count());
    assert!(browser.got.len() <= 128 * 1024, "{} bytes came", browser.got.len());
    browser.acknowledges = true;
    browser.say(&TerminalRequest::Ack(browser.offset as u64)).await;
    while count() < 8 * 1024 * 1024 {
        browser.take().await.unwrap();
    }
    // With nobody there it goes on as well.
    drop(browser);
    let deadline = Instant::now() + DEADLINE;
    while count() < 16 * 1024 * 1024 {
        assert!(Instant::now() < deadline, "{}", count());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(site.ask("DELETE", &format!("/{id}"), "engineer-a", Value::Null).await.0, 204);
    site.becomes(&id, "over", |view| view.is_some_and(|view| view.state == TerminalState::Ended)).await;
    site.bench.is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_left_alone_is_hung_up() {
    let patience = Patience { grace: Duration::from_secs(3), ..Patience::default() };
    let site = Site::with(Grade::Gateway, Manner::Honest, patience).await;
    let (id, ticket) = site.open().await;
    let mut browser = site.connect(&id, &ticket, 0).await;
    browser.until("terminal ").await;
    drop(browser);
    site.becomes(&id, "over", |view| view.is_some_and(|view| view.state == TerminalState::Ended)).await;
    let reason = "nobody was connected to it for 3 s";
    assert_eq!(site.view(&id).await.unwrap().reason.unwrap().raw(), reason);
    site.bench.is_left_alone().await;
    assert!(site.told().await[1].ends_with(reason), "{:?}", site.told().await);
    site.becomes(&id, "forgotten", |view| view.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_falls_silent_is_left_and_the_shell_is_not() {
    let patience = Patience { ping_every: Duration::from_millis(200), silence: Duration::from_secs(2), ..Patience::default() };
    let site = Site::with(Grade::Gateway, Manner::Honest, patience).await;
    let (id, ticket) = site.open().await;
    let mut browser = site.connect(&id, &ticket, 0).await;
    browser.until("terminal ").await;
    // It reads nothing, so it answers no ping.
    site.becomes(&id, "left", |view| view.is_some_and(|view| !view.attached)).await;
    let mut back = site.connect(&id, &site.ticket(&id).await, browser.offset).await;
    back.type_in("still here").await;
    back.until("still here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_ends_it_the_browser_reads_why() {
    let ended = async |site: &Site, how: &str| {
        let (id, ticket) = site.open().await;
        let mut browser = site.connect(&id, &ticket, 0).await;
        browser.until("terminal ").await;
        browser.type_in(how).await;
        (id, browser)
    };
    let site = Site::new(Manner::Honest).await;
    // The device, in its own words, made harmless and short.
    let (_, mut browser) = ended(&site, "goodbye\r").await;
    let reason = browser.end().await;
    assert!(reason.starts_with("the consent was revoked by noc-jw\\u{1b}[2J") && reason.len() < 600, "{reason}");
    // A signal, without the words that came along.
    let (_, mut browser) = ended(&site, "kill\r").await;
    browser.end().await;
    assert!(browser.events.contains(&TerminalEvent::Exit(TerminalExit::Signal("UNKNOWN".into()))), "{:?}", browser.events);
    // The engineer.
    let (id, mut browser) = ended(&site, "").await;
    assert_eq!(site.ask("DELETE", &format!("/{id}"), "engineer-a", Value::Null).await.0, 204);
    assert_eq!(browser.end().await, "engineer-a closed it");
    // The carrier, with a device that does nothing about it.
    let (_, mut browser) = ended(&site, "").await;
    let (world, consent) = (Arc::clone(&site.bench.world), site.bench.consent);
    let revoke = move |tx: &mut Tx<'_>| consents::revoke(tx, &world.noc(), consent, &"enough".into());
    site.bench.store.write(revoke).await.unwrap();
    assert_eq!(browser.end().await, format!("the consent {consent} is over (revoked)"));
    // The end of the fault.
    let site = Site::new(Manner::Honest).await;
    let (_, mut browser) = ended(&site, "").await;
    let (world, consent) = (Arc::clone(&site.bench.world), site.bench.consent);
    let close = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let fault = consents::fault_of(tx, consent)?.unwrap();
        faults::cancel(tx, &world.noc(), &faults::Reference::Id(fault), &"test".into()).unwrap();
        Ok(())
    };
    site.bench.store.write(close).await.unwrap();
    assert_eq!(browser.end().await, format!("the consent {consent} is over (fault closed)"));
    // The centre.
    let site = Site::new(Manner::Honest).await;
    let (_, mut browser) = ended(&site, "").await;
    site.bench.stop.cancel();
    assert_eq!(browser.end().await, "the support centre stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_device_costs_its_own_terminal_only() {
    let site = Site::new(Manner::OpensAll).await;
    let (id, ticket) = site.open().await;
    let reason = site.connect(&id, &ticket, 0).await.end().await;
    assert!(reason.contains("opens one channel after the other"), "{reason}");
    site.bench.is_left_alone().await;
    assert_eq!(site.terminals.list(PersonId::new()).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_so_many_terminals_and_no_more() {
    let site = Site::new(Manner::Honest).await;
    let mut ids = Vec::new();
    for _ in 0..MOST_OF_DEVICE {
        ids.push(site.open().await.0);
    }
    let (status, said) = site.refusal(json!({"device": "ne-1.jw.ne", "cols": 80, "rows": 24})).await;
    assert!(status == 409 && said.contains("ne-1.jw.ne has 8 terminals already"), "{said}");
    site.ask("DELETE", &format!("/{}", ids[0]), "engineer-a", Value::Null).await;
    site.becomes(&ids[0], "over", |view| view.is_none_or(|view| view.state == TerminalState::Ended)).await;
    site.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_says_wrong_ends_its_connection_with_the_reason() {
    let site = Site::new(Manner::Honest).await;
    let (id, mut ticket) = site.open().await;
    for (wrong, why) in [
        ("nonsense", "a text message is"),
        (r#"{"resize":{"cols":0,"rows":24}}"#, "2 to 1000 columns"),
        (r#"{"exec":"rm"}"#, "a text message is"),
    ] {
        let mut browser = site.connect(&id, &ticket, 0).await;
        browser.socket.send(Message::text(wrong)).await.unwrap();
        let (code, reason) = loop {
            if let Err(closed) = browser.take().await {
                break closed;
            }
        };
        assert!(code == u16::from(CloseCode::Policy) && reason.contains(why), "{wrong}: {code} {reason}");
        ticket = site.ticket(&id).await;
    }
    site.connect(&id, &ticket, 0).await.until("terminal ").await;
}
