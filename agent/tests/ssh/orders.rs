//! What the centre orders, at a device with somebody inside.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use lineman_agent::orders::{self, MAX_ORDERS};
use lineman_agent::session::legs::{MAX_PER_CONSENT, MAX_WAITING};
use lineman_agent::session::{leg::LegEnd, serve_leg};
use lineman_common::id::{ConsentId, LegId, SessionId};
use lineman_common::leg::{Offer, Secret};
use lineman_common::link::{Order, Outcome, Report, Stream};
use lineman_common::session::{EndReason, Grade};
use lineman_common::statement::Receipt;
use tokio::task::JoinSet;

use super::device::{Device, Setup, text};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Gives an order on a device that has as many to do as it takes, and waits for the outcome.
fn give(device: &Device, order: Order) -> Outcome {
    runtime().block_on(async {
        let mut orders = JoinSet::new();
        match orders::begin(&device.agent, &mut orders, 1, order) {
            Some(outcome) => outcome,
            None => orders.join_next().await.unwrap().unwrap().1,
        }
    })
}

fn refused(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused { reason } => reason,
        done @ Outcome::Done { .. } => panic!("{done:?}"),
    }
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Done { .. })
}

/// A command that runs until somebody ends it.
fn inside(device: &Device) -> Child {
    let mut ssh = device.ssh(&["echo inside; exec sleep 1000"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(ssh.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "inside\n");
    ssh
}

/// What ssh said when it was put out.
fn put_out(mut ssh: Child) -> String {
    let mut said = String::new();
    ssh.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(ssh.wait().unwrap().code(), Some(255), "{said}");
    said
}

fn receipts(device: &Device) -> Vec<Receipt> {
    let events = device.host.outbox.spool().read_from(Stream::Events, 0, usize::MAX).unwrap();
    let receipts = events.iter().filter_map(|(_, body)| match serde_json::from_slice(body).unwrap() {
        Report::Receipt { signed } => {
            Some(Receipt::verify(&signed, &device.agent.identity.device, device.agent.identity.host_key.public_key()).unwrap())
        }
        _ => None,
    });
    receipts.collect()
}

#[test]
fn a_stop_puts_everybody_out_keeps_them_out_and_is_never_kept_waiting() {
    let device = Device::start("exec");
    let ssh = inside(&device);
    let stop = || Order::Stop { by: "noc-jw".into(), reason: "works in building 4".into() };
    runtime().block_on(async {
        let mut orders = JoinSet::new();
        for id in 0..MAX_ORDERS as u64 {
            assert!(orders::begin(&device.agent, &mut orders, id, Order::ReportNow).is_none());
        }
        assert!(is_done(&orders::begin(&device.agent, &mut orders, 100, stop()).unwrap()), "carried out where it is heard");
    });
    let said = put_out(ssh);
    assert!(said.contains("everything on ne-1.jw.ne was stopped by noc-jw: works in building 4"), "{said}");
    assert_eq!(device.ended().reason, EndReason::Stopped);
    assert!(is_done(&give(&device, stop())), "again changes nothing");

    let why = "ne-1.jw.ne was stopped through the centre by noc-jw at";
    let output = device.ssh(&["true"]).output().unwrap();
    assert!(!output.status.success() && text(&output.stderr).contains(why), "{}", text(&output.stderr));
    let key = device.agent.identity.host_key_line();
    for order in [
        Order::Challenge { consent: ConsentId::new() },
        Order::Request { request: device.paper.clone() },
        Order::Open { key, leg: offer(), consent: None },
    ] {
        let reason = refused(give(&device, order.clone()));
        assert!(reason.contains(why) || matches!(order, Order::Request { .. }), "{order:?}: {reason}");
    }
    assert!(is_done(&give(&device, Order::Resume { by: "noc-jw".into() })));
    assert!(is_done(&give(&device, Order::Challenge { consent: ConsentId::new() })));
    let output = device.ssh(&["true"]).output().unwrap();
    assert!(text(&output.stderr).contains("no consent is live"), "what was ended stays ended: {}", text(&output.stderr));
    let stopped: Vec<_> = receipts(&device).into_iter().map(|receipt| receipt.stopped).collect();
    assert_eq!(stopped.len(), 2, "{stopped:?}");
    assert!(stopped[0].starts_with("noc-jw, through the centre, at ") && stopped[1] == "no", "{stopped:?}");
}

#[test]
fn a_resume_never_overtakes_the_stop_that_comes_after_it() {
    let device = Device::start("exec");
    runtime().block_on(async {
        let mut orders = JoinSet::new();
        let mut hear = |id, order| orders::begin(&device.agent, &mut orders, id, order);
        let stop = || Order::Stop { by: "noc-jw".into(), reason: "works".into() };
        for (id, order) in [(1, stop()), (2, Order::Resume { by: "noc-jw".into() }), (3, stop())] {
            assert!(is_done(&hear(id, order).unwrap()), "in the order that they are heard");
        }
        while orders.join_next().await.is_some() {}
    });
    assert!(device.host.consents.stopped().is_some());
}

#[test]
fn whoever_was_approved_by_somebody_off_the_new_signer_list_is_put_out() {
    let device = Device::start("exec");
    let ssh = inside(&device);
    let mut forged = device.signers_without_approver();
    forged[0].text += "# \n";
    assert!(refused(give(&device, Order::Signers { signed: forged })).contains("does not match its text"));
    let next = device.signers_without_approver();
    assert!(is_done(&give(&device, Order::Signers { signed: next.clone() })));
    assert!(put_out(ssh).contains("the consent was revoked"));
    assert!(!device.ssh(&["true"]).output().unwrap().status.success());
    assert!(is_done(&give(&device, Order::Signers { signed: next })), "again changes nothing");
    let told: Vec<_> = receipts(&device).iter().map(|receipt| (receipt.signers, receipt.roster)).collect();
    assert_eq!(told, [(2, 1)]);
}

#[test]
fn whoever_is_inside_under_a_standing_statement_is_put_out_when_it_ends() {
    let device = Device::set_up("exec", Setup { grade: Grade::Role, ..Setup::usual() });
    let ssh = inside(&device);
    let mut forged = device.paper.clone();
    forged.text = forged.text.replace("exec", "shell");
    assert!(refused(give(&device, Order::EndStanding { standing: forged, reason: EndReason::Revoked })).contains("does not match"));
    assert!(device.host.consents.any_live());
    runtime().block_on(async {
        let mut orders = JoinSet::new();
        let end = Order::EndStanding { standing: device.paper.clone(), reason: EndReason::Revoked };
        assert!(is_done(&orders::begin(&device.agent, &mut orders, 1, end).unwrap()), "carried out where it is heard");
    });
    assert!(put_out(ssh).contains("the consent was revoked"));
    assert_eq!(device.recording().bind.grade, Grade::Role);
}

#[test]
fn a_roster_is_answered_with_a_receipt_and_a_kill_of_nobody_with_a_refusal() {
    let device = Device::start("exec");
    assert!(is_done(&give(&device, Order::Roster { signed: device.roster_without_engineer() })));
    assert_eq!(receipts(&device).iter().map(|receipt| receipt.roster).collect::<Vec<_>>(), [2]);
    let kill = Order::KillSession { session: SessionId::new(), by: "lead".into() };
    assert!(refused(give(&device, kill)).contains("no live session"));
}

fn offer() -> Offer {
    Offer { id: LegId::new(), secret: Secret::new([1; 32]) }
}

#[test]
fn legs_are_opened_only_while_there_is_a_place_for_them() {
    let device = Device::start("exec");
    let entry = device.host.consents.list()[0].0.engineer_key.clone();
    let open = || refused(give(&device, Order::Open { key: entry.clone(), leg: offer(), consent: None }));
    let none_listens = "can't reach the centre 127.0.0.1:1";
    let take = |consent| runtime().block_on(device.host.legs.take(consent)).unwrap();
    let mut legs: Vec<_> = (0..MAX_WAITING).map(|_| take(ConsentId::new())).collect();
    let said = open();
    assert!(said.contains("16 connections to the device wait for somebody to sign in"), "{said}");
    legs.pop();
    // More often than there are places: one that failed has given its place back.
    for _ in 0..3 {
        let said = open();
        assert!(said.contains(none_listens), "{said}");
    }
    drop(legs);
    let inside: Vec<_> = (0..MAX_PER_CONSENT).map(|_| take(device.consent).0).collect();
    let said = open();
    assert!(said.contains(&format!("{} has {MAX_PER_CONSENT} connections to the device", device.consent)), "{said}");
    drop(inside);
    assert!(open().contains(none_listens));
}

#[test]
fn a_leg_is_parked_only_while_somebody_may_come() {
    let device = Device::start("exec");
    let said = refused(give(&device, Order::Park { leg: offer() }));
    assert!(said.contains("can't reach the centre 127.0.0.1:1"), "a consent is live: {said}");
    let end = Order::EndConsent { consent: device.consent, reason: EndReason::Revoked };
    let mut orders = JoinSet::new();
    assert!(is_done(&orders::begin(&device.agent, &mut orders, 1, end).unwrap()));
    assert_eq!(refused(give(&device, Order::Park { leg: offer() })), "no consent is live: nobody can come");
}

#[test]
fn whoever_has_entered_waits_no_more_while_the_leg_lives() {
    let device = Device::start("exec");
    let (waits, waiting) = std::sync::mpsc::channel::<()>();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = std::sync::Arc::clone(&device.host);
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        runtime().block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            serve_leg(host, stream, std::future::pending::<LegEnd>(), None, waits).await
        })
    });
    let key = device.state().join("engineer");
    let mut ssh = std::process::Command::new("ssh")
        .args(["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(key)
        .args(["-p", &port.to_string(), "-l", "x", "127.0.0.1", "read line"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // The sender is dropped.
    let told = waiting.recv_timeout(std::time::Duration::from_secs(30));
    assert_eq!(told, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    assert!(!server.is_finished());
    assert_eq!(device.host.sessions.list().len(), 1);
    drop(ssh.stdin.take());
    ssh.wait().unwrap();
    assert_eq!(server.join().unwrap(), Some(EndReason::Client));
}
