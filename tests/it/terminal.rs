//! The web terminal's door: a shell for a browser, with the real programs and a real WebSocket.

use std::process::Stdio;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use lineman_common::api::{TERMINAL_PROTOCOL, TerminalEvent, TerminalExit, TerminalRequest, TerminalSize};
use lineman_tests::{Demo, PATIENCE, eventually};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

/// Takes every grade.
const OPEN: &str = "ne-2.jw.ne";

/// A page with a terminal emulator, as far as its bytes go.
struct Browser<'a> {
    runtime: &'a Runtime,
    socket: WebSocketStream<TlsStream<TcpStream>>,
    got: Vec<u8>,
    /// Of the next byte.
    offset: u64,
    events: Vec<TerminalEvent>,
}

struct Site<'a> {
    demo: &'a Demo,
    runtime: Runtime,
    tls: Arc<ClientConfig>,
}

impl<'a> Site<'a> {
    fn new(demo: &'a Demo) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = RootCertStore::empty();
        let ca = std::fs::read(demo.facts["ca"].as_str().expect("the CA")).expect("a file");
        roots.add(CertificateDer::from_pem_slice(&ca).expect("a certificate")).expect("a root");
        let tls = Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { demo, runtime, tls }
    }

    fn ask(&self, who: &str, path: &str, body: &Value) -> lineman_tests::Reply {
        self.demo.http(Some(who)).post(&format!("/api/v1/terminals{path}"), body)
    }

    fn ticket(&self, id: &str) -> String {
        text(&self.ask("engineer-a", &format!("/{id}/tickets"), &json!({})).ok(), "ticket")
    }

    fn connect(&self, id: &str, ticket: &str, from: u64) -> Browser<'_> {
        self.try_connect(id, ticket, from, Some(self.demo.server())).unwrap_or_else(|status| panic!("{status}"))
    }

    fn try_connect(&self, id: &str, ticket: &str, from: u64, origin: Option<&str>) -> Result<Browser<'_>, u16> {
        let server = self.demo.server().trim_start_matches("https://").to_owned();
        let mut request = format!("wss://{server}/api/v1/terminals/{id}/stream?from={from}").into_client_request().expect("a request");
        let offered = format!("{TERMINAL_PROTOCOL}, ticket.{ticket}");
        request.headers_mut().insert("sec-websocket-protocol", offered.parse().expect("a header"));
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("a header"));
        }
        let host = server.rsplit_once(':').expect("a port").0.to_owned();
        self.runtime.block_on(async {
            let tcp = TcpStream::connect(&server).await.expect("the server");
            let tls = TlsConnector::from(Arc::clone(&self.tls));
            let stream = tls.connect(ServerName::try_from(host).expect("a name"), tcp).await.expect("TLS");
            match tokio_tungstenite::client_async(request, stream).await {
                Ok((socket, _)) => Ok(Browser { runtime: &self.runtime, socket, got: Vec::new(), offset: from, events: Vec::new() }),
                Err(WsError::Http(reply)) => Err(reply.status().as_u16()),
                Err(error) => panic!("{error}"),
            }
        })
    }
}

impl Browser<'_> {
    fn say(&mut self, request: &TerminalRequest) {
        let text = serde_json::to_string(request).expect("JSON");
        self.runtime.block_on(self.socket.send(Message::text(text))).expect("sent");
    }

    fn type_in(&mut self, text: &str) {
        self.runtime.block_on(self.socket.send(Message::binary(text.as_bytes().to_vec()))).expect("sent");
    }

    /// The next message; false when it is over.
    fn take(&mut self) -> bool {
        let next = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.socket.next()).await });
        match next.unwrap_or_else(|_| panic!("nothing comes after {:?}", self.text())).expect("no end without a word").expect("no cut") {
            Message::Binary(bytes) => {
                self.got.extend_from_slice(&bytes);
                self.offset += bytes.len() as u64;
                self.say(&TerminalRequest::Ack(self.offset));
            }
            Message::Text(text) => {
                let event: TerminalEvent = serde_json::from_str(&text).expect("an event");
                if let TerminalEvent::Offset(offset) = event {
                    assert_eq!(offset, self.offset, "it goes on where it was");
                }
                self.events.push(event);
            }
            Message::Close(_) => return false,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        true
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.got).into_owned()
    }

    fn until(&mut self, needle: &str) {
        while !self.text().contains(needle) {
            assert!(self.take(), "closed before `{needle}`: {:?} {:?}", self.events, self.text());
        }
    }

    fn last_word(&mut self) -> TerminalEvent {
        while self.take() {}
        self.events.last().cloned().expect("a word")
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

fn consent(demo: &Demo, fault: &str, doors: &str) -> String {
    let ask = ["consent", "request", fault, "--doors", doors, "--for", "1h", "--grade", "gateway", "-o", "json"];
    let view = demo.person("engineer-a").args(ask).output().json();
    let id = text(view.as_array().and_then(|list| list.first()).unwrap_or(&view), "id");
    demo.person("approver-jw").args(["consent", "approve", &id, "--key", &demo.of_person("approver-jw", "key")]).output().ok();
    eventually("the consent is live", || {
        let view = demo.http(Some("engineer-a")).get(&format!("/api/v1/consents/{id}")).ok();
        if view["state"] == "live" { Ok(()) } else { Err(view.to_string()) }
    });
    id
}

pub fn a_browser_works_on_a_device_through_cuts() {
    let demo = Demo::up(4);
    let site = Site::new(&demo);
    let filed = json!({"equipment": OPEN, "title": "test of terminals", "impact": "partial"});
    let number = text(&demo.http(Some("noc-jw")).post("/api/v1/faults", &filed).ok(), "number");
    let body = json!({"device": OPEN, "cols": 80, "rows": 24});
    let refused = |who: &str, words: &str| {
        let reply = site.ask(who, "", &body).problem(403, "forbidden");
        assert!(text(&reply.body, "title").contains(words), "{reply:?}");
    };
    // Not every consent is one for this.
    demo.consented(&number, "shell", "1h");
    refused("engineer-a", "no consent of grade gateway is live");
    consent(&demo, &number, "exec");
    refused("engineer-a", "opens no door `shell`");
    let id = consent(&demo, &number, "shell");
    refused("engineer-b", "no consent of grade gateway is live");
    refused("noc-jw", "may not open terminals");
    refused("noc-yw", "may not open terminals");
    let opened = site.ask("engineer-a", "", &body).ok();
    assert_eq!(text(&opened, "consent"), id);
    let (terminal, ticket) = (text(&opened, "id"), text(&opened, "ticket"));
    for stranger in ["engineer-b", "noc-jw", "noc-yw"] {
        site.ask(stranger, &format!("/{terminal}/tickets"), &json!({})).problem(404, "not_found");
    }
    let unable = |ticket: &str, origin| site.try_connect(&terminal, ticket, 0, origin).err();
    assert_eq!(unable("wrong", None), Some(401));
    assert_eq!(unable(&ticket, Some("https://evil.example")), Some(403));
    let mut first = site.connect(&terminal, &ticket, 0);
    assert_eq!(unable(&ticket, None), Some(401), "used");
    // Typing, the terminal's size, and a new one.
    // A shell that edits no lines: all that it prints is known.
    first.type_in("exec dash\r");
    first.type_in("stty -echo; PS1=; stty size; echo $TERM-o''k\r");
    first.until("24 80\r\nxterm-256color-ok\r\n");
    first.say(&TerminalRequest::Resize(TerminalSize { cols: 132, rows: 50 }));
    first.type_in("stty size\r");
    first.until("50 132\r\n");
    // Cut in the middle of the output, twice; not a byte is missing or doubled.
    let seen = first.got.len();
    first.type_in("seq -f %0100g 1 1500; echo al''l\r");
    while first.got.len() < seen + 30_000 {
        assert!(first.take());
    }
    let (mut got, from) = (first.got.split_off(seen), first.offset);
    drop(first);
    let mut second = site.connect(&terminal, &site.ticket(&terminal), from);
    while second.got.len() < 30_000 {
        assert!(second.take());
    }
    got.append(&mut second.got);
    let from = second.offset;
    drop(second);
    let mut third = site.connect(&terminal, &site.ticket(&terminal), from);
    third.until("all\r\n");
    got.append(&mut third.got);
    let wanted = (1..=1500).map(|n| format!("{n:0>100}")).chain(["all".to_owned(), String::new()]).collect::<Vec<_>>().join("\r\n");
    let same = got.iter().zip(wanted.as_bytes()).take_while(|(got, wanted)| got == wanted).count();
    let other = String::from_utf8_lossy(&got[same..got.len().min(same + 200)]);
    assert!(got == wanted.as_bytes(), "{} bytes for {}, the same up to {same}: {other:?}", got.len(), wanted.len());
    assert!(third.events.iter().all(|event| matches!(event, TerminalEvent::Offset(_))), "{:?}", third.events);
    // Another window takes over.
    let mut fourth = site.connect(&terminal, &site.ticket(&terminal), third.offset);
    assert!(matches!(third.last_word(), TerminalEvent::Taken(_)), "{:?}", third.events);
    fourth.type_in("echo in-the-fo''urth; exit 7\r");
    fourth.until("in-the-fourth");
    assert!(matches!(fourth.last_word(), TerminalEvent::End(_)), "{:?}", fourth.events);
    assert!(fourth.events.contains(&TerminalEvent::Exit(TerminalExit::Status(7))), "{:?}", fourth.events);
    // It was recorded on the device like any other session, and is told.
    let session = eventually("the session is known", || {
        let sessions = demo.http(Some("noc-jw")).get(&format!("/api/v1/sessions?fault={number}")).ok();
        let list = sessions["items"].as_array().cloned().unwrap_or_default();
        let done = list.into_iter().find(|s| s["consent"] == id.as_str() && s["state"] == "ended" && s["chunks"] == s["chunks_stored"]);
        done.ok_or_else(|| sessions.to_string())
    });
    demo.person("noc-jw").args(["session", "verify", &text(&session, "id")]).output().ok().says("good");
    let events = demo.http(Some("noc-jw")).get(&format!("/api/v1/faults/{number}")).ok()["timeline"].to_string();
    assert!(events.contains("terminal.opened") && events.contains("terminal.ended"), "{events}");
    // The carrier takes the consent back: the engineer reads it.
    let opened = site.ask("engineer-a", "", &body).ok();
    let mut browser = site.connect(&text(&opened, "id"), &text(&opened, "ticket"), 0);
    browser.type_in("echo l''ive\r");
    browser.until("live\r\n");
    demo.http(Some("noc-jw")).post(&format!("/api/v1/consents/{id}/revocation"), &json!({"reason": "enough"})).ok();
    let TerminalEvent::End(end) = browser.last_word() else { panic!("{:?}", browser.events) };
    assert!(end.reason.raw().contains("revoked"), "{end:?}");
    refused("engineer-a", "opens no door `shell`");
    // No ticket is in the server's log, whatever it writes down.
    let log = std::process::Command::new("grep").arg("-rlF").arg(&ticket).arg(demo.dir()).stdout(Stdio::piped()).output().expect("grep");
    assert_eq!(String::from_utf8_lossy(&log.stdout), "", "the ticket was written down");
}
