use std::process::Command;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use lineman::exit::Exit;
use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::error::ErrorCode;
use lineman_common::id::PersonId;
use lineman_common::statement::Signed;
use serde_json::json;

use super::server::{Answer, Server, json as answer, problem};
use super::testing::World;
use super::{at, ends, run, stderr, stdout};

/// A centre that passes papers on, and a device that answers with `verdict`.
fn centre(world: &Arc<World>, verdict: ConsentState) -> Server {
    let consent: Arc<Mutex<Option<ConsentView>>> = Arc::default();
    let world = world.clone();
    Server::start(move |route, asked| {
        let id = world.id;
        match route {
            "GET /api/v1/whoami" => {
                answer(json!({"id": PersonId::new(), "name": "engineer-a", "role": "engineer", "created_at": Timestamp::now()}))
            }
            "GET /api/v1/faults/F-JW-1" => answer(json!({
                "id": lineman_common::id::FaultId::new(), "number": "F-JW-1", "customer": "JW", "equipment": "ne-1.jw.ne",
                "title": "fan 2\nstopped", "description": "", "severity": "major", "impact": "none", "status": "accepted",
                "reported_by": "agent:ne-1.jw.ne", "reported_at": Timestamp::now(), "updated_at": Timestamp::now(),
                "proposes_restored": false, "alarms": [], "clocks": [], "timeline": [], "similar": [],
            })),
            "GET /api/v1/trust/JW" => answer(world.bundle()),
            "POST /api/v1/consents/challenge" => answer(world.challenge()),
            "POST /api/v1/consents" => {
                let request: Signed = serde_json::from_value(asked.body["request"].clone()).unwrap();
                answer(consent.lock().unwrap().insert(world.view(request)))
            }
            route if route == format!("POST /api/v1/consents/{id}/approval") => {
                let mut view = consent.lock().unwrap();
                let view = view.as_mut().unwrap();
                view.consents = vec![serde_json::from_value(asked.body["consent"].clone()).unwrap()];
                view.state = verdict;
                view.device_says = (verdict == ConsentState::RefusedByDevice).then(|| "the roster expired".into());
                answer(ConsentView { state: ConsentState::Approved, ..view.clone() })
            }
            route if route == format!("GET /api/v1/consents/{id}") => {
                consent.lock().unwrap().as_ref().map_or_else(|| problem(ErrorCode::NotFound, "no such consent"), answer)
            }
            other => Answer(axum::http::StatusCode::NOT_FOUND, "text/plain", other.to_owned()),
        }
    })
}

fn engineer(server: &Server, world: &World) -> Command {
    let mut command = at(server, world.home());
    command.env("LINEMAN_KEY", world.engineer_key_file()).env("LINEMAN_TRUST", world.vendor_trust());
    command
}

fn approver(server: &Server, world: &World) -> Command {
    let mut command = at(server, world.home());
    command.env("LINEMAN_TRUST", world.carrier_trust());
    command
}

const ASK: [&str; 7] = ["consent", "request", "F-JW-1", "--doors", "shell,exec", "--for", "2h"];

#[test]
fn the_road_from_request_to_live() {
    let world = Arc::new(World::new());
    let server = centre(&world, ConsentState::Live);
    let output = run(&mut engineer(&server, &world), &ASK);
    ends(&output, 0);
    assert!(stderr(&output).contains("lineman consent approve cns_"), "{}", stderr(&output));
    let request = server.body("POST", "/api/v1/consents")["request"]["text"].as_str().unwrap().to_owned();
    assert!(
        request.contains("doors: shell,exec\naccount: view\nduration-s: 7200\n") && request.contains("reason: fan 2 stopped\n"),
        "{request}"
    );

    let id = world.id.to_string();
    let key = world.approver_key_file();
    let approve = ["consent", "approve", &id, "--key", key.to_str().unwrap(), "--doors", "shell", "--for", "30m"];
    let output = run(&mut approver(&server, &world), &approve);
    ends(&output, 0);
    let consent = server.body("POST", &format!("/api/v1/consents/{id}/approval"))["consent"]["text"].as_str().unwrap().to_owned();
    assert!(consent.contains("approver: approver-jw\ndoors: shell\nduration-s: 1800\nroster: 7\n"), "{consent}");
    for line in consent.lines() {
        assert!(stderr(&output).contains(&format!("  {line}\n")), "`{line}` was signed but not shown in {}", stderr(&output));
    }
    assert!(stderr(&output).contains("live") && stdout(&output).contains("\tlive\t"), "{}", stdout(&output));

    // Anyone can check it, with this program and without.
    let papers = world.path("papers");
    let save = ["consent", "verify", &id, "--save", papers.to_str().unwrap(), "-o", "json"];
    let output = run(&mut approver(&server, &world), &save);
    ends(&output, 0);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["good"], true);
    let commands: Vec<_> = report["commands"].as_array().unwrap().iter().map(|command| command.as_str().unwrap()).collect();
    assert_eq!(commands.len(), 5, "{commands:?}");
    for command in commands {
        let output = Command::new("sh").args(["-c", command]).current_dir(&papers).output().unwrap();
        assert!(output.status.success(), "{command}: {}{}", stdout(&output), stderr(&output));
    }
    drop(server);
    let mut offline = super::lineman(world.home());
    offline.env("LINEMAN_TRUST", world.carrier_trust());
    ends(&run(&mut offline, &["consent", "verify", papers.to_str().unwrap()]), 0);

    // One letter changed is found by both.
    let consent = std::fs::read_to_string(papers.join("consent")).unwrap();
    std::fs::write(papers.join("consent"), consent.replace("duration-s: 1800", "duration-s: 1801")).unwrap();
    let mut offline = super::lineman(world.home());
    offline.env("LINEMAN_TRUST", world.carrier_trust());
    let output = run(&mut offline, &["consent", "verify", papers.to_str().unwrap()]);
    ends(&output, 8);
    assert!(stdout(&output).contains("consent\tBAD\t"), "{}", stdout(&output));
}

#[test]
fn the_devices_refusal_is_told() {
    let world = Arc::new(World::new());
    let server = centre(&world, ConsentState::RefusedByDevice);
    ends(&run(&mut engineer(&server, &world), &ASK), 0);
    let (id, key) = (world.id.to_string(), world.approver_key_file());
    let output = run(&mut approver(&server, &world), &["consent", "approve", &id, "--key", key.to_str().unwrap()]);
    ends(&output, 5);
    assert!(stderr(&output).contains("ne-1.jw.ne refused it: the roster expired"), "{}", stderr(&output));
}

#[test]
fn an_approver_signs_nothing_by_accident() {
    let world = Arc::new(World::new());
    let server = centre(&world, ConsentState::Live);
    ends(&run(&mut engineer(&server, &world), &ASK), 0);
    let (id, key) = (world.id.to_string(), world.approver_key_file());
    let key = key.to_str().unwrap();
    let approve = |command: &mut Command, args: &[&str]| run(command, &[&["consent", "approve", &id], args].concat());
    // A default key, in a script, without --yes.
    ends(&approve(approver(&server, &world).env("LINEMAN_KEY", key), &[]), 2);
    // Wider than was asked for.
    ends(&approve(&mut approver(&server, &world), &["--key", key, "--doors", "shell,sftp-write"]), 2);
    ends(&approve(&mut approver(&server, &world), &["--key", key, "--for", "3h"]), 2);
    // The engineer's own key.
    let own = world.engineer_key_file();
    ends(&approve(&mut approver(&server, &world), &["--key", own.to_str().unwrap()]), Exit::CheckFailed.code().into());
    // Pinned files of another carrier.
    let other = World::new();
    let output = approve(at(&server, world.home()).env("LINEMAN_TRUST", other.carrier_trust()), &["--key", key]);
    ends(&output, 8);
    assert!(!server.asked().iter().any(|asked| asked.path.ends_with("/approval")), "something was sent");
}

#[test]
fn an_engineer_without_a_pinned_root_or_a_listed_key_asks_for_nothing() {
    let world = Arc::new(World::new());
    let server = centre(&world, ConsentState::Live);
    let output = run(engineer(&server, &world).env("LINEMAN_TRUST", world.path("empty")), &ASK);
    ends(&output, 1);
    assert!(stderr(&output).contains("not from the centre"), "{}", stderr(&output));
    let output = run(engineer(&server, &world).env("LINEMAN_KEY", world.approver_key_file()), &ASK);
    ends(&output, 8);
    assert!(stderr(&output).contains("must be in the vendor's roster"), "{}", stderr(&output));
    assert!(!server.asked().iter().any(|asked| asked.path == "/api/v1/consents"), "something was sent");
}

#[test]
fn dangerous_things_are_not_done_unasked() {
    let world = World::new();
    let server = Server::start(|route, _| panic!("{route} was called"));
    let (consent, session) = (world.id.to_string(), lineman_common::id::SessionId::new().to_string());
    for args in
        [vec!["consent", "revoke", &consent], vec!["session", "kill", &session], vec!["case", "archive", "C-0001"], vec!["logout", "--all"]]
    {
        let output = run(&mut at(&server, world.home()), &args);
        ends(&output, 2);
        assert!(stderr(&output).contains("--yes"), "{}", stderr(&output));
    }
}
