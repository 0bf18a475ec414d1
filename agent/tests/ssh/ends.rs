//! How a consent ends: by its time, by an order on a busy device, and with it all that was started under it.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lineman_agent::control::{self, Question, Reply};
use lineman_agent::journal;
use lineman_agent::orders::{self, MAX_ORDERS};
use lineman_agent::session::reap;
use lineman_common::id::SessionId;
use lineman_common::link::{Order, Outcome};
use lineman_common::recording::What;
use lineman_common::session::EndReason;
use tokio::task::JoinSet;

use super::OnTerminal;
use super::device::{Device, text};

fn dies(session: SessionId) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !reap::members(session).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "processes of {session} live on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A session that was left, with a process that runs on.
fn left_behind(device: &Device) -> SessionId {
    let output = device.ssh(&["setsid sleep 1236 >/dev/null 2>&1 </dev/null &"]).output().unwrap();
    assert!(output.status.success());
    let session = device.recording().session;
    assert_eq!(reap::members(session).unwrap().len(), 1);
    session
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn terminals_are_warned_and_put_out_when_the_time_is_up() {
    let device = Device::start("shell");
    device.pass_until_left(Duration::from_secs(305));
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.expect("lineman: 5 minutes left: more time needs a new consent");
    terminal.type_in("exit\n");
    assert_eq!(terminal.exit(), Some(0));
    assert_eq!(device.ended().reason, EndReason::Client);

    device.pass_until_left(Duration::from_secs(65));
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.expect("lineman: 1 minute left: the session will be closed");
    terminal.type_in("setsid sleep 1237 & echo re''ady\n");
    terminal.expect("ready\r\n");
    let session = device.host.sessions.list()[0].session;
    device.pass_until_left(Duration::ZERO);
    terminal.expect("the consent's time is up: the session ends");
    assert_eq!(terminal.exit(), Some(255));
    assert_eq!(device.ended().reason, EndReason::TimeUp);
    dies(session);
    let notes = device.recordings().into_iter().flat_map(|recording| recording.events);
    let notes: Vec<_> = notes.filter_map(|event| if let What::Note(note) = event.what { Some(note) } else { None }).collect();
    assert!(notes.iter().any(|note| note.contains("5 minutes")) && notes.iter().any(|note| note.contains("1 minute")), "{notes:?}");
    let heads = journal::sessions(device.state()).unwrap();
    assert_eq!(heads.iter().map(|head| head.reason).collect::<Vec<_>>(), [None, Some(EndReason::Client), None, Some(EndReason::TimeUp)]);
}

#[test]
fn a_command_that_runs_long_is_warned_on_stderr_and_a_short_one_is_not() {
    let device = Device::start("exec");
    device.pass_until_left(Duration::from_secs(65));
    let long = device.ssh(&["sleep 15; echo out"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let short = device.ssh(&["sleep 7; echo out"]).output().unwrap();
    assert_eq!((text(&short.stdout), text(&short.stderr)), ("out\n", ""));
    let long = long.wait_with_output().unwrap();
    assert_eq!((text(&long.stdout), text(&long.stderr)), ("out\n", "lineman: 1 minute left: the session will be closed\n"));
}

#[test]
fn what_was_left_running_dies_when_the_time_is_up() {
    let device = Device::start("exec");
    let session = left_behind(&device);
    device.pass_until_left(Duration::ZERO);
    dies(session);
}

#[test]
fn what_was_left_running_dies_when_the_fault_is_closed() {
    let device = Device::start("exec");
    let session = left_behind(&device);
    runtime().block_on(async { device.agent.end_consent(device.consent, EndReason::FaultClosed) }).unwrap();
    dies(session);
}

#[test]
fn a_stolen_laptop_is_put_out_when_the_vendor_takes_its_key_off_the_roster() {
    let device = Device::start("shell,exec");
    let mut terminal = OnTerminal::start(&device, &[]);
    terminal.type_in("setsid sleep 1238 & echo re''ady\n");
    terminal.expect("ready\r\n");
    let session = device.host.sessions.list()[0].session;
    runtime().block_on(async {
        let mut orders = JoinSet::new();
        assert!(orders::begin(&device.agent, &mut orders, 1, Order::Roster { signed: device.roster_without_engineer() }).is_none());
        assert!(matches!(orders.join_next().await, Some(Ok((1, Outcome::Done { .. })))));
    });
    terminal.expect("the consent was revoked: the session ends");
    assert_eq!(terminal.exit(), Some(255));
    dies(session);
    assert_eq!(device.ended().reason, EndReason::Revoked);
    let output = device.ssh(&["true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
}

#[test]
fn the_administrator_resets_the_clock() {
    let device = Device::start("exec");
    runtime().block_on(async {
        let listener = control::bind(device.state()).unwrap();
        let reset = async {
            let first = control::ask(device.state(), &Question::ResetClock).await.unwrap();
            (first, control::ask(device.state(), &Question::ResetClock).await.unwrap())
        };
        let (first, second) = tokio::select! {
            replies = reset => replies,
            () = control::run(Arc::clone(&device.agent), listener) => panic!("the control socket ended"),
        };
        assert!(matches!(first, Reply::Clock { forgotten: Some(_), .. }), "{first:?}");
        assert!(matches!(second, Reply::Clock { forgotten: None, .. }), "{second:?}");
    });
}

#[test]
fn a_busy_device_ends_what_it_must_and_says_done_only_when_it_is() {
    let device = Device::start("exec");
    runtime().block_on(async {
        let mut orders = JoinSet::new();
        let mut begin = |id, order| orders::begin(&device.agent, &mut orders, id, order);
        for id in 0..MAX_ORDERS as u64 {
            assert!(begin(id, Order::ReportNow).is_none());
        }
        let refusal = |outcome: Option<Outcome>| match outcome {
            Some(Outcome::Refused { reason }) => reason,
            other => panic!("{other:?}"),
        };
        assert!(refusal(begin(100, Order::ReportNow)).contains("busy"));
        let kill = Order::KillSession { session: SessionId::new(), by: "lead".into() };
        assert!(refusal(begin(101, kill)).contains("no live session"), "not: busy");
        let end = || Order::EndConsent { consent: device.consent, reason: EndReason::Revoked };
        // The disk refuses: it has ended, but a restart would not know, so the centre must say it again.
        let blocked = device.state().join("consents.new");
        std::fs::create_dir(&blocked).unwrap();
        assert!(refusal(begin(102, end())).contains("can't write down"));
        assert!(!device.host.consents.any_live());
        std::fs::remove_dir(&blocked).unwrap();
        assert!(matches!(begin(103, end()), Some(Outcome::Done { .. })));
    });
}
