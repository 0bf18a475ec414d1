use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use lineman_common::api::{ConsentState, ConsentView, List, TrustBundle};
use lineman_common::error::ErrorCode;
use lineman_common::session::{EndReason, Grade};
use serde_json::json;

use super::server::{Answer, Server, json as answer, problem};
use super::testing::World;
use super::{at, ends, run, stderr, stdout};

fn centre(world: &Arc<World>, consents: Vec<ConsentView>) -> Server {
    centre_with(world, consents, Ok("ticket-1"))
}

/// A centre whose device answers a request for a line with a ticket, or with a reason why not.
pub fn centre_with(world: &Arc<World>, consents: Vec<ConsentView>, line: Result<&'static str, (ErrorCode, &'static str)>) -> Server {
    let world = world.clone();
    Server::start(move |route, _| match route {
        "POST /api/v1/lines" => match line {
            Ok(ticket) => Answer(axum::http::StatusCode::CREATED, "application/json", json!({"ticket": ticket}).to_string()),
            Err((code, reason)) => problem(code, reason),
        },
        "GET /api/v1/whoami" => answer(
            json!({"id": lineman_common::id::PersonId::new(), "name": "engineer-a", "role": "engineer", "created_at": Timestamp::now()}),
        ),
        "GET /api/v1/customers" => answer(json!({"items": [{"id": lineman_common::id::CustomerId::new(), "code": "JW", "name": "甲网",
            "tier": "gold", "created_at": Timestamp::now()}]})),
        "GET /api/v1/trust/JW" => answer(world.bundle()),
        "GET /api/v1/consents" => answer(List::from(consents.clone())),
        other => Answer(axum::http::StatusCode::NOT_FOUND, "text/plain", other.to_owned()),
    })
}

pub fn engineer(server: &Server, world: &World) -> Command {
    let mut command = at(server, world.home());
    command.env("LINEMAN_KEY", world.engineer_key_file()).env("LINEMAN_TRUST", world.vendor_trust());
    command
}

/// An `ssh` that says how it was called, and ends with a code.
fn fake_ssh(world: &World, code: i32) -> String {
    let folder = world.path("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("ssh");
    // Written by a process of its own: a file that is open for writing can't be run, and a child that another test forks
    // just then would hold it open.
    let mut install = Command::new("install").args(["-m", "755", "/dev/stdin"]).arg(&path).stdin(Stdio::piped()).spawn().unwrap();
    write!(install.stdin.take().unwrap(), "#!/bin/sh\nfor a in \"$@\"; do echo \"$a\"; done\nexit {code}\n").unwrap();
    assert!(install.wait().unwrap().success());
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

pub fn live(world: &World) -> ConsentView {
    let request = lineman_common::statement::Signed { text: String::new(), signature: String::new() };
    ConsentView { state: ConsentState::Live, ..world.view(request) }
}

#[test]
fn the_configuration_works_with_stock_ssh() {
    let world = Arc::new(World::new());
    let server = centre(&world, Vec::new());
    let file = world.path("lineman.ssh");
    let output = run(&mut engineer(&server, &world), &["ssh-config", "--write", file.to_str().unwrap()]);
    ends(&output, 0);
    let shown = Command::new("ssh").arg("-G").arg("-F").arg(&file).args(["-J", "centre", "ne-1.jw.ne"]).output().unwrap();
    let shown = stdout(&shown);
    assert!(shown.contains("proxyjump centre") && shown.contains("user engineer-a"), "{shown}");
    let known = std::fs::read_to_string(world.path("lineman.ssh.known_hosts")).unwrap();
    let host_key = lineman_common::statement::device::openssh(world.host_key.public_key());
    let gateway = lineman_common::statement::device::openssh(world.gateway.public_key());
    assert_eq!(known, format!("centre {gateway}\nne-1.jw.ne {host_key}\n"));
    let shown = Command::new("ssh").arg("-G").arg("-F").arg(&file).arg("ne-1.jw.ne").output().unwrap();
    let shown = stdout(&shown);
    let own = env!("CARGO_BIN_EXE_lineman");
    assert!(shown.contains(&format!("proxycommand {own} proxy --config ")) && shown.contains("proxyusefdpass yes"), "{shown}");
    assert!(shown.contains(" --user '%r' '%h'\n") && !shown.contains("token-1") && !shown.contains("proxyjump"), "{shown}");
    // A name that is in nobody's statement gets near no shell.
    let shown = Command::new("ssh").arg("-G").arg("-F").arg(&file).arg("ne-2.jw.ne").output().unwrap();
    assert!(stdout(&shown).contains("proxyjump centre") && !stdout(&shown).contains("proxycommand"), "{}", stdout(&shown));

    let output = run(&mut engineer(&server, &world), &["ssh-config"]);
    ends(&output, 0);
    assert!(stdout(&output).contains("Host *.ne\n    ProxyJump centre\n"));
    assert!(stderr(&output).contains("set LINEMAN_TOKEN where ssh runs"), "{}", stderr(&output));
    let output = run(&mut engineer(&server, &world), &["ssh-config", "--jump"]);
    ends(&output, 0);
    assert!(stdout(&output).contains("ProxyJump centre\n") && !stdout(&output).contains("ProxyCommand"), "{}", stdout(&output));
    ends(&run(&mut engineer(&server, &world), &["ssh-config", "--write", "/tmp/a;id"]), 2);
}

#[test]
fn a_live_consent_leads_straight_to_ssh() {
    let world = Arc::new(World::new());
    let server = centre(&world, vec![live(&world)]);
    let path = fake_ssh(&world, 7);
    let output = run(engineer(&server, &world).env("PATH", path), &["ssh", "ne-1.jw.ne", "-t", "ne", "show", "alarm"]);
    ends(&output, 7);
    let text = stdout(&output);
    let words: Vec<_> = text.lines().collect();
    let consent = world.id.to_string();
    // The user name says under which consent: the session goes to its fault, whatever else is live.
    assert_eq!((words[0], &words[2..]), ("-F", &["-l", &consent, "-t", "--", "ne-1.jw.ne", "ne", "show", "alarm"][..]));
    assert!(std::fs::read_to_string(words[1]).unwrap().contains("Host centre"));
}

#[test]
fn without_a_consent_the_device_speaks_first_and_the_hint_follows() {
    let world = Arc::new(World::new());
    let server = centre_with(&world, Vec::new(), Err((ErrorCode::AgentRefused, "ne-1.jw.ne refuses: level 3 is wanted")));
    let path = fake_ssh(&world, 255);
    let output = run(engineer(&server, &world).env("PATH", &path), &["ssh", "ne-1.jw.ne"]);
    ends(&output, 5);
    assert!(stdout(&output).is_empty() && stderr(&output).contains("level 3 is wanted; ne-1.jw.ne has no consent"), "{}", stderr(&output));
    assert!(stderr(&output).contains("lineman consent request"), "{}", stderr(&output));

    let output = run(engineer(&server, &world).env("PATH", path), &["ssh", "--jump", "ne-1.jw.ne"]);
    ends(&output, 5);
    assert!(stdout(&output).contains("ne-1.jw.ne"), "ssh did not run");
    assert!(
        stderr(&output).contains("ne-1.jw.ne has no consent") && stderr(&output).contains("lineman consent request"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_device_that_nobody_vouches_for_is_not_reached() {
    let world = Arc::new(World::new());
    let server = centre(&world, Vec::new());
    let path = fake_ssh(&world, 0);
    let output = run(engineer(&server, &world).env("PATH", path), &["ssh", "ne-2.jw.ne"]);
    ends(&output, 8);
    assert!(stdout(&output).is_empty() && stderr(&output).contains("vouch"), "{}", stderr(&output));
}

#[test]
fn under_grade_gateway_the_way_leads_through_the_gateways_own_client() {
    let world = Arc::new(World::new());
    let server = centre(&world, vec![ConsentView { grade: Some(Grade::Gateway), ..live(&world) }]);
    let path = fake_ssh(&world, 0);
    let output = run(engineer(&server, &world).env("PATH", &path), &["ssh", "ne-1.jw.ne", "-t", "ne", "show"]);
    ends(&output, 0);
    let text = stdout(&output);
    let words: Vec<_> = text.lines().collect();
    assert_eq!(&words[2..], ["-l", "ne-1.jw.ne", "-t", "--", "centre", "ne", "show"]);
    assert!(stderr(&output).contains("could act in this session"), "{}", stderr(&output));
    // Stock ssh understands it so, and knows the gateway's key only.
    let shown = Command::new("ssh").args(["-G", "-F", words[1], "-l", "ne-1.jw.ne", "--", "centre"]).output().unwrap();
    let shown = stdout(&shown);
    assert!(shown.contains("user ne-1.jw.ne\n") && shown.contains("hostkeyalias centre\n") && shown.contains("port 2222\n"), "{shown}");
    // End to end is better, where there is a consent for it.
    for grade in [Grade::EndToEnd, Grade::Role] {
        let both = vec![ConsentView { grade: Some(Grade::Gateway), ..live(&world) }, ConsentView { grade: Some(grade), ..live(&world) }];
        let server = centre(&world, both);
        let output = run(engineer(&server, &world).env("PATH", &path), &["ssh", "ne-1.jw.ne"]);
        let consent = world.id.to_string();
        assert_eq!(stdout(&output).lines().skip(2).collect::<Vec<_>>(), ["-l", &consent, "--", "ne-1.jw.ne"], "{grade}");
    }
}

#[test]
fn forwards_that_the_consent_does_not_open_are_said_beforehand() {
    let world = Arc::new(World::new());
    let doors = Some("exec,forward:10.0.0.5:443".parse().unwrap());
    let server = centre(&world, vec![ConsentView { doors, ..live(&world) }]);
    let path = fake_ssh(&world, 0);
    let ssh = |forward: &[&str]| {
        let output = run(engineer(&server, &world).env("PATH", &path), &[&["ssh", "ne-1.jw.ne", "--", "-N"], forward].concat());
        ends(&output, 0);
        let words = stdout(&output).lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
        let consent = world.id.to_string();
        assert_eq!(words, [&["-l", &consent, "-N"], forward, &["--", "ne-1.jw.ne"]].concat());
        stderr(&output)
    };
    assert_eq!(ssh(&["-L", "8443:10.0.0.5:443"]), "");
    let said = ssh(&["-L", "8443:10.0.0.6:443"]);
    assert!(said.contains("does not open 10.0.0.6:443") && said.contains("--doors exec,forward:10.0.0.6:443"), "{said}");
    assert!(ssh(&["-D", "1080"]).contains("-D leads to 10.0.0.5:443 only"));
    assert!(ssh(&["-R", "1:a:2"]).contains("-R is refused"));
}

#[test]
fn what_was_decided_reaches_the_engineer() {
    let world = Arc::new(World::new());
    let request = lineman_common::statement::Signed { text: String::new(), signature: String::new() };
    let one_of_two = ConsentView { approvals_needed: 2, consents: vec![request.clone()], ..world.view(request.clone()) };
    let refused = ConsentView {
        state: ConsentState::Refused,
        decided_by: Some("approver-jw".parse().unwrap()),
        refusal: Some("not during the day".into()),
        ..world.view(request.clone())
    };
    let by_device =
        ConsentView { state: ConsentState::RefusedByDevice, device_says: Some("level 3 is wanted".into()), ..world.view(request.clone()) };
    let ended = ConsentView { state: ConsentState::Ended, end_reason: Some(EndReason::Stopped), ..world.view(request) };
    for (consent, said) in [
        (one_of_two, "waiting for the carrier, 1 of 2 approvals"),
        (refused, "the last one was refused by approver-jw: not during the day"),
        (by_device, "the device refused the last one: level 3 is wanted"),
        (ended, "the last one has ended: stopped"),
    ] {
        let server = centre_with(&world, vec![consent], Err((ErrorCode::AgentRefused, "no consent is live")));
        let path = fake_ssh(&world, 255);
        let output = run(engineer(&server, &world).env("PATH", path), &["ssh", "ne-1.jw.ne"]);
        ends(&output, 5);
        assert!(stderr(&output).contains(said), "`{said}` is not in {}", stderr(&output));
    }
}

fn asked(server: &Server, path: &str) -> usize {
    server.asked().iter().filter(|asked| asked.path == path).count()
}

#[test]
fn what_the_token_stands_for_is_asked_once() {
    let world = Arc::new(World::new());
    let server = centre(&world, vec![live(&world)]);
    let path = fake_ssh(&world, 0);
    let ssh = |token: &str| {
        let mut command = engineer(&server, &world);
        ends(&run(command.env("PATH", &path).env("LINEMAN_TOKEN", token), &["ssh", "ne-1.jw.ne"]), 0);
        asked(&server, "/api/v1/whoami")
    };
    assert_eq!([ssh("token-1"), ssh("token-1"), ssh("token-2"), ssh("token-2")], [1, 1, 2, 2]);
    // Never what the device's keys are: those are looked for anew each time.
    assert_eq!(asked(&server, "/api/v1/trust/JW"), 4);
    let cached = world.path(".cache/lineman/whoami");
    for file in std::fs::read_dir(cached).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(text.ends_with(" engineer-a\n") && !text.contains("token"), "{text}");
    }
}

#[test]
fn a_fleet_fits_into_one_file() {
    let world = Arc::new(World::new());
    let names: Vec<String> = (1..=200).map(|number| format!("ne-{number}.jw.ne")).collect();
    let bundle = TrustBundle { devices: names.iter().map(|name| world.statement_of(name)).collect(), ..world.bundle() };
    let server = Server::start(move |route, _| match route {
        "GET /api/v1/whoami" => answer(
            json!({"id": lineman_common::id::PersonId::new(), "name": "engineer-a", "role": "engineer", "created_at": Timestamp::now()}),
        ),
        "GET /api/v1/trust/JW" => answer(&bundle),
        other => Answer(axum::http::StatusCode::NOT_FOUND, "text/plain", other.to_owned()),
    });
    let file = world.path("fleet.ssh");
    let args = ["ssh-config", "--customer", "JW", "--write", file.to_str().unwrap()];
    let output = run(&mut engineer(&server, &world), &args);
    ends(&output, 0);
    assert!(stderr(&output).contains("200 devices in "), "{}", stderr(&output));
    // About as much as the names themselves: everything else is said once.
    let text = std::fs::read_to_string(&file).unwrap();
    let bytes = text.len();
    assert!(bytes < 8 * 1024, "{bytes} bytes");
    let known = std::fs::read_to_string(world.path("fleet.ssh.known_hosts")).unwrap();
    assert_eq!(known.lines().count(), 201);
    for name in [&names[0], &names[199]] {
        let shown = Command::new("ssh").arg("-G").arg("-F").arg(&file).arg(name).output().unwrap();
        assert!(stdout(&shown).contains("proxyusefdpass yes"), "{name}");
    }
    // Nothing has changed: nothing is written.
    let written = || std::fs::metadata(&file).unwrap().ino();
    let before = written();
    ends(&run(&mut engineer(&server, &world), &args), 0);
    assert_eq!(written(), before);
}

#[test]
fn no_line_is_asked_for_where_ssh_takes_another_way_or_none() {
    let world = Arc::new(World::new());
    let server = centre(&world, vec![live(&world)]);
    let path = fake_ssh(&world, 0);
    for options in [&["--jump", "ne-1.jw.ne"][..], &["ne-1.jw.ne", "-G"], &["ne-1.jw.ne", "-J", "centre"], &["ne-1.jw.ne", "-oProxyJump=x"]]
    {
        ends(&run(engineer(&server, &world).env("PATH", &path), &[&["ssh"], options].concat()), 0);
    }
    assert_eq!(asked(&server, "/api/v1/lines"), 0);
    ends(&run(engineer(&server, &world).env("PATH", &path), &["ssh", "ne-1.jw.ne", "-v"]), 0);
    assert_eq!(asked(&server, "/api/v1/lines"), 1);
    let body = server.body("POST", "/api/v1/lines");
    assert_eq!(body, json!({"device": "ne-1.jw.ne", "consent": world.id}));
}

#[test]
fn over_a_master_connection_nobody_is_asked() {
    let world = Arc::new(World::new());
    let server = centre(&world, vec![live(&world)]);
    // Its master runs once it was called without a question about it.
    let path = fake_ssh(&world, 0);
    let flag = world.path("master");
    let script = format!(
        "#!/bin/sh\nfor a in \"$@\"; do [ \"$a\" = check ] && exec test -e '{0}'; done\ntouch '{0}'\nfor a in \"$@\"; do echo \"$a\"; done\n",
        flag.display()
    );
    std::fs::write(world.path("bin/ssh"), script).unwrap();
    let words = ["ssh", "-o", "ControlMaster=auto", "-oControlPersist=60", "ne-1.jw.ne", "-o", "ControlPath=/tmp/%C", "-v", "id"];
    let ssh = || run(engineer(&server, &world).env("PATH", &path), &words);
    let (first, count) = (ssh(), server.asked().len());
    ends(&first, 0);
    assert_eq!(asked(&server, "/api/v1/lines"), 0, "ssh itself asks, if it has to");
    let second = ssh();
    ends(&second, 0);
    assert_eq!((stdout(&second), server.asked().len()), (stdout(&first), count));
    let options = "-o\nControlMaster=auto\n-o\nControlPersist=60\n-o\nControlPath=/tmp/%C\n-v\n--\nne-1.jw.ne\nid\n";
    assert!(stdout(&second).ends_with(options), "{}", stdout(&second));
    // The master is gone: everything is looked for again.
    std::fs::remove_file(&flag).unwrap();
    ends(&ssh(), 0);
    assert!(server.asked().len() > count);
}

#[test]
fn a_line_that_can_not_be_had_is_said_with_its_exit_code() {
    let world = Arc::new(World::new());
    let path = fake_ssh(&world, 0);
    for (code, said, exit) in [
        (ErrorCode::AgentOffline, "ne-1.jw.ne is not connected", 1),
        (ErrorCode::AgentTimeout, "ne-1.jw.ne did not answer within 15 s", 1),
        (ErrorCode::AgentRefused, "ne-1.jw.ne refuses: its owner has stopped everything", 5),
        (ErrorCode::Unauthenticated, "the token has expired", 4),
        (ErrorCode::Unavailable, "the support centre stops", 7),
    ] {
        let server = centre_with(&world, vec![live(&world)], Err((code, said)));
        let output = run(engineer(&server, &world).env("PATH", &path), &["ssh", "ne-1.jw.ne"]);
        ends(&output, exit);
        assert!(stdout(&output).is_empty() && stderr(&output).contains(said), "{}", stderr(&output));
        // For programs, the form stands before the command.
        let output = run(engineer(&server, &world).env("PATH", &path), &["-o", "json", "ssh", "ne-1.jw.ne", "-v"]);
        let error: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
        assert_eq!(error["error"]["exit"], exit);
    }
}

#[test]
fn an_rsa_key_is_refused_before_anything_is_asked() {
    let world = Arc::new(World::new());
    let server = centre(&world, vec![live(&world)]);
    let path = fake_ssh(&world, 0);
    for (name, passphrase) in [("rsa", ""), ("rsa-locked", "secret")] {
        let key = world.path(name);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "2048", "-N", passphrase, "-f"]).arg(&key).status().unwrap();
        assert!(made.success());
        let mut command = engineer(&server, &world);
        let output = run(command.env("PATH", &path).env("LINEMAN_KEY", &key), &["ssh", "ne-1.jw.ne"]);
        ends(&output, 1);
        assert!(stdout(&output).is_empty() && stderr(&output).contains("RSA keys are not accepted"), "{}", stderr(&output));
        assert!(stderr(&output).contains("ssh-keygen -t ed25519"), "{}", stderr(&output));
    }
    assert!(server.asked().is_empty(), "the centre was asked");
}
