//! Real deliveries: to an HTTP server and to a mail server that speak for real, on ports of their own.

mod people;
mod queue;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use jiff::SignedDuration;
use lineman_common::api::{NewFault, NoticeSettings, NoticesView};
use lineman_common::fault::Impact;
use lineman_common::id::FaultId;
use lineman_common::name::NeName;
use lineman_common::notice;
use lineman_common::people::Role;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::targets::{get, set, test};
use super::*;
use crate::config::{Mail, MailTls, Networks, Notices};
use crate::equipment::Known;
use crate::events::New;
use crate::store::Store;
use crate::trust::testing::{World, actor, place};
use crate::web::Actor;

const PATIENCE: Duration = Duration::from_secs(30);

/// What somebody files.
fn filed(device: &NeName, title: &str, impact: Impact) -> NewFault {
    serde_json::from_value(json!({"equipment": device, "title": title, "impact": impact})).unwrap()
}

/// A centre with one customer, its job of delivering, and what it delivers to.
struct Centre {
    store: Store,
    device: Known,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Centre {
    async fn new(mail: Option<Mail>) -> Self {
        // As `main` does; another test may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("x.db"), crate::LISTENERS).unwrap();
        let device = store.write(|tx| Ok::<_, StoreError>(place(tx, "JW").1)).await.unwrap();
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let notices = Notices { networks: Networks::default(), repeat_every: SignedDuration::from_mins(5) };
        let courier = Courier::new(mail.as_ref(), &notices, "support.example.net:7443".into()).unwrap();
        tasks.spawn(run(store.clone(), courier, stop.clone()));
        Self { store, device, stop, tasks, _dir: dir }
    }

    fn noc(&self) -> Actor {
        actor("noc-a", Role::Noc, Some((self.device.customer, "JW")))
    }

    async fn set(&self, by: Actor, webhooks: &[&str], mail: &[&str], has_mail: bool) -> Result<NoticesView, Error> {
        let list = |targets: &[&str]| targets.iter().map(|target| (*target).to_owned()).collect();
        let settings = NoticeSettings { webhooks: list(webhooks), mail: list(mail), topics: None };
        self.store.write(move |tx| set(tx, &by, &"JW".parse().unwrap(), settings, has_mail)).await
    }

    async fn view(&self) -> NoticesView {
        let noc = self.noc();
        self.store.read(move |db| get(db, &noc, &"JW".parse().unwrap())).await.unwrap()
    }

    /// Waits until the newest notices are as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&NoticesView) -> bool) -> NoticesView {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let view = self.view().await;
            if wanted(&view) {
                return view;
            }
            assert!(tokio::time::Instant::now() < end, "not {what}: {view:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A request with this reason waits for an answer.
    async fn asks(&self, reason: &'static str, state: &'static str, kind: Kind, grade: &'static str) -> ConsentId {
        let device = self.device.clone();
        let noc = self.noc();
        let ask = move |tx: &mut Tx<'_>| -> Result<ConsentId, StoreError> {
            let new = filed(&device.name, "x", Impact::Partial);
            let fault = faults::report(tx, &noc, new).unwrap();
            let id = ConsentId::new();
            let sql =
                "INSERT INTO consent(id, customer, equipment, fault, engineer, state, lapses_at, doors, account, duration_s, reason, grade)
                       VALUES (?1, ?2, ?3, ?4, 'engineer-a', ?5, 1795308000000000, 'shell,exec', 'view', 7200, ?6, ?7)";
            let [id_text, customer, device] = [id.to_string(), device.customer.to_string(), device.id.to_string()];
            tx.sql().execute(sql, [&*id_text, &*customer, &*device, &*fault.id.to_string(), state, reason, grade]).unwrap();
            faults::tell(tx, fault.id, New::of(kind, "engineer-a", "asks").data(json!({"consent": id}))).unwrap();
            Ok(id)
        };
        self.store.write(ask).await.unwrap()
    }

    /// As if the pause after a failure were over.
    async fn hurry(&self) {
        let now = |tx: &mut Tx<'_>| -> Result<(), StoreError> {
            tx.sql()
                .execute_batch("UPDATE notice SET next_at = 0 WHERE next_at IS NOT NULL; UPDATE notice_target SET paused_until = NULL")?;
            Ok(())
        };
        self.store.write(now).await.unwrap();
    }

    async fn close(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// A request as it came.
type Heard = (HeaderMap, Vec<u8>);

/// A webhook that answers with these in turn, the last one for ever.
#[derive(Clone)]
struct Hook {
    answers: Arc<Mutex<Vec<Answer>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    url: String,
}

#[derive(Clone, Copy)]
enum Answer {
    Status(StatusCode),
    Elsewhere,
    Never,
}

impl Hook {
    async fn open(tasks: &mut JoinSet<()>, answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?key=hush", listener.local_addr().unwrap());
        let hook = Self { answers: Arc::new(Mutex::new(answers.to_vec())), heard: Arc::default(), url };
        let router = Router::new().route("/hook", post(Self::answer)).with_state(hook.clone());
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        hook
    }

    async fn answer(State(hook): State<Self>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
        hook.heard.lock().unwrap().push((headers, body.to_vec()));
        let answer = {
            let mut answers = hook.answers.lock().unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0] }
        };
        match answer {
            Answer::Status(status) => (status, "said \x1b[2J").into_response(),
            Answer::Elsewhere => Redirect::temporary(&hook.url.replace("hook?", "elsewhere?")).into_response(),
            Answer::Never => std::future::pending().await,
        }
    }

    fn heard(&self) -> Vec<Value> {
        self.requests().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    fn requests(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

/// A mail relay: takes one conversation after the other, keeps what it was told.
struct Relay {
    mails: Arc<Mutex<Vec<String>>>,
    mail: Mail,
}

impl Relay {
    async fn open(tasks: &mut JoinSet<()>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&mails);
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let told = Self::converse(stream).await;
                kept.lock().unwrap().extend(told);
            }
        });
        let mail = Mail { host: "127.0.0.1".into(), port, tls: MailTls::None, from: "Lineman <lineman@support.example.net>".into() };
        Self { mails, mail }
    }

    /// RFC 5321, as much of it as a client needs; the whole conversation when a mail was taken.
    async fn converse(stream: tokio::net::TcpStream) -> Option<String> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 relay.example.net ESMTP\r\n").await.ok()?;
        let (mut told, mut is_data, mut is_taken) = (String::new(), false, false);
        while let Ok(Some(line)) = lines.next_line().await {
            told.push_str(&line);
            told.push('\n');
            let reply = match line.split([' ', ':']).next().unwrap_or_default() {
                "." if is_data => {
                    (is_data, is_taken) = (false, true);
                    "250 taken"
                }
                _ if is_data => continue,
                "EHLO" => "250 relay.example.net",
                "MAIL" | "RCPT" => "250 fine",
                "DATA" => {
                    is_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => "500 what?",
            };
            write.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
        }
        is_taken.then_some(told)
    }
}

#[tokio::test]
async fn a_request_reaches_a_webhook_and_a_mailbox() {
    let mut tasks = JoinSet::new();
    let (hook, relay) = (Hook::open(&mut tasks, &[Answer::Status(StatusCode::OK)]).await, Relay::open(&mut tasks).await);
    let centre = Centre::new(Some(relay.mail.clone())).await;
    centre.set(World::admin(), &[&hook.url], &["noc@carrier.example"], true).await.unwrap();
    let reason = "风扇\r\nBcc: everybody@carrier.example\r\n\x1b[2J\u{202e}";
    let id = centre.asks(reason, "requested", Kind::ConsentRequested, "end-to-end").await;
    let view = centre.until("delivered", |view| view.recent.iter().filter(|notice| notice.delivered_at.is_some()).count() == 2).await;
    assert!(view.recent.iter().all(|notice| notice.attempts == 1 && notice.problem.is_none()), "{view:?}");
    assert!(view.recent.iter().all(|notice| !notice.target.contains("hush")), "a webhook's secret is not shown: {view:?}");

    let heard = hook.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0]["kind"].as_str(), heard[0]["customer"].as_str()), (Some("consent.requested"), Some("JW")));
    assert_eq!(heard[0]["command"], format!("lineman consent approve {id}"));
    assert_eq!(heard[0]["link"], format!("https://support.example.net:7443/consents/{id}"));
    assert_eq!(heard[0]["facts"]["who"], "engineer-a");
    assert_eq!(heard[0]["facts"]["for"], "2h");
    let told = heard[0]["facts"]["reason"].as_str().unwrap();
    assert!(told.starts_with("风扇\\r\\nBcc: ") && !told.chars().any(char::is_control), "{told}");

    let mails = relay.mails.lock().unwrap().clone();
    assert_eq!(mails.len(), 1);
    let (envelope, mail) = mails[0].split_once("DATA\n").unwrap();
    assert!(
        envelope.contains("RCPT TO:<noc@carrier.example>") && envelope.contains("MAIL FROM:<lineman@support.example.net>"),
        "{envelope}"
    );
    let (headers, _) = mail.split_once("\n\n").unwrap();
    let named = |name: &str| headers.lines().filter(|line| line.to_lowercase().starts_with(name)).count();
    assert_eq!((named("to:"), named("subject:"), named("auto-submitted:"), named("bcc:")), (1, 1, 1, 0), "{headers}");
    assert!(!mail.contains('\x1b'), "{mail:?}");
    centre.close().await;
}

#[tokio::test]
async fn what_fails_is_tried_again_and_a_redirect_is_a_failure() {
    let mut tasks = JoinSet::new();
    let answers = [Answer::Status(StatusCode::SERVICE_UNAVAILABLE), Answer::Elsewhere, Answer::Status(StatusCode::NO_CONTENT)];
    let hook = Hook::open(&mut tasks, &answers).await;
    let centre = Centre::new(None).await;
    centre.set(World::admin(), &[&hook.url], &[], false).await.unwrap();
    let noc = centre.noc();
    centre.store.write(move |tx| test(tx, &noc, &"JW".parse().unwrap())).await.unwrap();
    let problem = |view: &NoticesView| view.recent[0].problem.as_ref().map(|problem| problem.raw().to_owned()).unwrap_or_default();
    let view = centre.until("tried once", |view| view.recent[0].attempts == 1).await;
    assert!(problem(&view).contains("503"), "{view:?}");
    centre.hurry().await;
    let view = centre.until("tried twice", |view| view.recent[0].attempts == 2).await;
    assert!(problem(&view).contains("307"), "{view:?}");
    centre.hurry().await;
    centre.until("delivered", |view| view.recent[0].delivered_at.is_some() && view.recent[0].attempts == 3).await;
    let ids: Vec<_> = hook.heard().iter().map(|heard| heard["id"].clone()).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "the same notice, to be known as such: {ids:?}");
    centre.close().await;
}

/// After a day, nobody is bothered any more; and a request that was answered meanwhile is not told of.
#[tokio::test]
async fn what_is_late_is_given_up() {
    let mut tasks = JoinSet::new();
    let hook = Hook::open(&mut tasks, &[Answer::Status(StatusCode::INTERNAL_SERVER_ERROR)]).await;
    let centre = Centre::new(None).await;
    centre.set(World::admin(), &[&hook.url], &[], false).await.unwrap();
    centre.asks("x", "refused", Kind::ConsentRequested, "end-to-end").await;
    let view = centre.until("given up", |view| view.recent[0].problem.is_some()).await;
    assert!(view.recent[0].attempts == 0 && hook.heard().is_empty(), "{view:?}");
    centre.asks("y", "requested", Kind::ConsentRequested, "end-to-end").await;
    centre.until("tried", |view| view.recent[0].attempts == 1).await;
    let age = |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        tx.sql().execute("UPDATE notice SET wanted_at = wanted_at - 86400000000", [])?;
        Ok(())
    };
    centre.store.write(age).await.unwrap();
    centre.hurry().await;
    centre.until("tried again", |view| view.recent[0].attempts == 2).await;
    centre.hurry().await;
    centre.until("nothing waits", |view| view.recent[0].attempts == 2 && view.recent[0].next_at.is_none()).await;
    centre.close().await;
}

/// A target that never answers takes one place of eight; the others hear in time.
#[tokio::test]
async fn a_silent_target_holds_up_nobody() {
    let mut tasks = JoinSet::new();
    let (silent, good) = (Hook::open(&mut tasks, &[Answer::Never]).await, Hook::open(&mut tasks, &[Answer::Status(StatusCode::OK)]).await);
    let centre = Centre::new(None).await;
    centre.set(World::admin(), &[&silent.url, &good.url], &[], false).await.unwrap();
    for _ in 0..3 {
        centre.asks("x", "requested", Kind::ConsentRequested, "end-to-end").await;
    }
    centre.until("three delivered", |view| view.recent.iter().filter(|notice| notice.delivered_at.is_some()).count() == 3).await;
    assert_eq!(good.heard().len(), 3);
    centre.close().await;
}

#[tokio::test]
async fn what_is_told_and_what_is_not() {
    let centre = Centre::new(None).await;
    centre.set(centre.noc(), &["https://nowhere.invalid/x"], &[], false).await.unwrap();
    centre.asks("x", "live", Kind::ConsentLive, "end-to-end").await;
    assert!(centre.view().await.recent.is_empty(), "they have signed for it themselves");
    centre.asks("x", "live", Kind::ConsentLive, "gateway").await;
    let noc = centre.noc();
    let stop = move |tx: &mut Tx<'_>| crate::customers::stop(tx, &noc, &"JW".parse().unwrap(), &"a stolen laptop".into());
    centre.store.write(stop).await.unwrap();
    let device = centre.device.clone();
    let local = move |tx: &mut Tx<'_>| {
        let event = New::of(Kind::LocalAct, "agent:ne-1.jw.ne", "root approved a consent on the device").customer(device.customer);
        events::append(tx, event.equipment(device.id)).map(drop)
    };
    centre.store.write(move |tx| local(tx).map_err(Error::from)).await.unwrap();
    let kinds: Vec<_> = centre.view().await.recent.into_iter().map(|notice| notice.kind).collect();
    assert_eq!(kinds, ["equipment.local_act", "customer.stopped", "consent.live"]);
    centre.close().await;
}

#[tokio::test]
async fn targets_are_checked() {
    let centre = Centre::new(None).await;
    let noc = || centre.noc();
    for (url, says) in [
        ("http://chat.example.net/hook", "https"),
        ("http://127.0.0.1:9/x", "own machine"),
        ("https://localhost/x", "own machine"),
        ("https://[::1]/x", "own machine"),
        ("ftp://chat.example.net/", "https"),
        ("https://user:secret@chat.example.net/", "password"),
        ("chat.example.net", "URL"),
        ("https://chat.example.net/a b", "spaces"),
    ] {
        let error = centre.set(noc(), &[url], &[], true).await.unwrap_err().to_string();
        assert!(error.contains(says), "{url}: {error}");
    }
    for mail in ["nobody", "a@b.example\r\nBcc: c@d.example", "a@b.example,c@d.example", ""] {
        assert!(matches!(centre.set(noc(), &[], &[mail], true).await, Err(Error::BadMail(_))), "{mail:?}");
    }
    assert!(matches!(centre.set(noc(), &[], &["a@b.example"], false).await, Err(Error::NoMail)));
    let many: Vec<String> = (0..6).map(|n| format!("https://h{n}.example/")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(centre.set(noc(), &many, &[], true).await, Err(Error::TooMany(5, _))));
    // The administrator may; and then the customer may leave it there.
    centre.set(World::admin(), &["http://127.0.0.1:9/x"], &[], false).await.unwrap();
    let view = centre.set(noc(), &["http://127.0.0.1:9/x", "https://h.example/", "https://h.example/"], &[], false).await.unwrap();
    assert_eq!(view.settings.webhooks.len(), 2);
    let stranger = actor("noc-c", Role::Noc, Some((CustomerId::new(), "YW")));
    assert!(matches!(centre.set(stranger, &[], &[], false).await, Err(Error::NoCustomer)));
    let nobody = centre.noc();
    centre.set(noc(), &[], &[], false).await.unwrap();
    let tested = centre.store.write(move |tx| test(tx, &nobody, &"JW".parse().unwrap())).await;
    assert!(matches!(tested, Err(Error::Nobody)));
    centre.close().await;
}

/// RFC 2104, from its text: what a receiver would write.
fn hmac_sha256(key: &[u8], text: &[u8]) -> String {
    let mut padded = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
    padded.resize(64, 0);
    let with = |pad: u8| padded.iter().map(move |byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::digest([with(0x36), text.to_vec()].concat());
    lineman_common::statement::hex(&Sha256::digest([with(0x5c), inner.to_vec()].concat()))
}

#[tokio::test]
async fn what_a_webhook_gets_is_signed_with_every_valid_key() {
    let mut tasks = JoinSet::new();
    let hook = Hook::open(&mut tasks, &[Answer::Status(StatusCode::OK)]).await;
    let centre = Centre::new(None).await;
    let set = centre.set(World::admin(), &[&hook.url], &[], false).await.unwrap();
    let first = set.secrets[0].clone();
    assert!(centre.view().await.secrets.is_empty(), "shown once");
    let again = centre.set(World::admin(), &[&hook.url], &[], false).await.unwrap();
    assert!(again.secrets.is_empty(), "what stays keeps its secret");
    let target = first.target;
    let rotated = centre.store.write(move |tx| targets::rotate(tx, &World::admin(), target)).await.unwrap();
    let second = rotated.secret.unwrap();
    assert_eq!(rotated.target.keys, [second.key.clone(), first.key.clone()]);
    let noc = centre.noc();
    centre.store.write(move |tx| test(tx, &noc, &"JW".parse().unwrap())).await.unwrap();
    let view = centre.until("delivered", |view| view.recent.iter().any(|notice| notice.delivered_at.is_some())).await;
    let (headers, body) = hook.requests().remove(0);
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header(notice::DELIVERY), view.recent[0].id.to_string());
    let signed = [header(notice::TIMESTAMP).as_bytes(), b".", &body].concat();
    let expected = [&second, &first].map(|known| format!("{}={}", known.key, hmac_sha256(known.secret.as_bytes(), &signed)));
    assert_eq!(header(notice::SIGNATURE), expected.join(" "));
    let age = jiff::Timestamp::now().as_second() - header(notice::TIMESTAMP).parse::<i64>().unwrap();
    assert!((0..notice::WINDOW_S).contains(&age));
    assert!(!format!("{:?}", first.secret).is_empty() && !view_has(&view, &first.secret) && !view_has(&view, &second.secret));
    // The log says what was answered, without what a terminal acts on; from the own machine, to the administrator only.
    let id = view.recent[0].id;
    let read = |who: Actor| centre.store.read(move |db| log::get(db, &who, id));
    let page = read(World::admin()).await.unwrap();
    assert_eq!(page.log.len(), 1);
    assert_eq!((page.log[0].status, page.log[0].excerpt.as_ref().unwrap().raw()), (Some(200), "said \\u{1b}[2J"));
    assert!(read(centre.noc()).await.unwrap().log[0].excerpt.is_none());
    centre.close().await;
}

fn view_has(view: &NoticesView, secret: &str) -> bool {
    serde_json::to_string(view).unwrap().contains(secret)
}

/// A URL that was fine when it was set leads nowhere private when it is used.
#[tokio::test]
async fn a_webhook_leads_to_no_private_network() {
    let centre = Centre::new(None).await;
    centre.set(centre.noc(), &["https://10.1.2.3/hook", "https://[fd00::1]/hook"], &[], false).await.unwrap();
    let noc = centre.noc();
    centre.store.write(move |tx| test(tx, &noc, &"JW".parse().unwrap())).await.unwrap();
    let view = centre.until("tried", |view| view.recent.len() == 2 && view.recent.iter().all(|notice| notice.attempts == 1)).await;
    for notice in &view.recent {
        assert!(notice.problem.as_ref().unwrap().raw().contains("private network"), "{notice:?}");
    }
    centre.close().await;
}

/// One conversation for each fault; hostile titles and words stay inside of what they are.
#[tokio::test]
async fn mails_of_one_fault_are_one_conversation() {
    let mut tasks = JoinSet::new();
    let relay = Relay::open(&mut tasks).await;
    let centre = Centre::new(Some(relay.mail.clone())).await;
    let noc = centre.noc();
    let settings = NoticeSettings {
        mail: vec!["noc@carrier.example".into()],
        topics: Some(vec![Topic::Reported, Topic::Reply]),
        ..Default::default()
    };
    centre.store.write(move |tx| set(tx, &noc, &"JW".parse().unwrap(), settings, true)).await.unwrap();
    let device = centre.device.clone();
    let (noc, engineer) = (centre.noc(), World::engineer());
    let write = move |tx: &mut Tx<'_>| -> Result<FaultId, StoreError> {
        let title = "板卡3\r\nBcc: everybody@carrier.example\r\n\r\nbody\x1b[2J";
        let new = filed(&device.name, title, Impact::Full);
        let fault = faults::report(tx, &noc, new).unwrap();
        let reference = Reference::Id(fault.id);
        let note = |text: &str, internal| lineman_common::api::Note { text: text.into(), internal };
        faults::note(tx, &engineer, &reference, &note("first line\n.\n\nQUIT\u{202e}\nlast line", false)).unwrap();
        faults::note(tx, &engineer, &reference, &note("HUSH: the customer's fault", true)).unwrap();
        Ok(fault.id)
    };
    let fault = centre.store.write(write).await.unwrap();
    centre.until("delivered", |view| view.recent.iter().filter(|notice| notice.delivered_at.is_some()).count() == 2).await;
    assert_eq!(centre.view().await.recent.len(), 2, "nothing internal was even written down");
    let mails = relay.mails.lock().unwrap().clone();
    assert_eq!(mails.len(), 2);
    let mut ids = Vec::new();
    let mut subjects = Vec::new();
    for mail in &mails {
        let (headers, body) = mail.split_once("DATA\n").unwrap().1.split_once("\n\n").unwrap();
        let unfolded = headers.replace("\n ", " ");
        let header = |name: &str| {
            let found: Vec<_> = unfolded.lines().filter(|line| line.to_lowercase().starts_with(&format!("{name}:"))).collect();
            assert_eq!(found.len(), 1, "{name}: {headers}");
            found[0].split_once(": ").unwrap().1.to_owned()
        };
        let conversation = format!("<{fault}@support.example.net>");
        assert_eq!((header("in-reply-to"), header("references")), (conversation.clone(), conversation), "{headers}");
        assert_eq!(header("auto-submitted"), "auto-generated");
        assert_eq!(header("list-id"), "Lineman notices <jw.lineman.support.example.net>");
        assert!(!unfolded.to_lowercase().lines().any(|line| line.starts_with("bcc:")), "{headers}");
        assert!(!mail.contains("HUSH") && !body.contains('\x1b'), "{mail}");
        ids.push(header("message-id"));
        subjects.push(header("subject"));
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(subjects[0], subjects[1], "programs that go by the subject keep them together");
    centre.close().await;
}
