//! What the carrier's people do besides approving: standing statements, signer lists, the switch, notices.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use lineman_common::api::{DeviceReceipt, NoticeSettings, NoticesView, SignersView};
use lineman_common::error::ErrorCode;
use lineman_common::statement::{CarrierSigners, Namespace, Signed, Standing};
use serde_json::json;

use super::consents::now;
use super::desk::Centre;
use super::server::{Server, json as answer, problem};
use super::{at, ends, run, stderr, stdout};

fn carrier(server: &Server, centre: &Centre) -> Command {
    let mut command = at(server, centre.world.home());
    command.env("LINEMAN_TRUST", centre.world.carrier_trust());
    command
}

fn file(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn statements(server: &Server) -> Vec<Standing> {
    let body = server.body("POST", "/api/v1/standing");
    let signed: Vec<Signed> = serde_json::from_value(body["statements"].clone()).unwrap();
    signed.iter().map(|signed| Standing::read_unverified(signed).unwrap()).collect()
}

// ---- Standing statements --------------------------------------------------------------------------------------------

const GRANT: [&str; 14] = [
    "standing",
    "grant",
    "--devices",
    "ne-1.jw.ne",
    "--fault",
    "F-JW-1",
    "--level",
    "2",
    "--doors",
    "shell,exec",
    "--for",
    "2h",
    "--until",
    "1d",
];

#[test]
fn a_standing_statement_is_shown_signed_and_handed_in() {
    let centre = Centre::new();
    let server = centre.start();
    // A script names its key, or says yes.
    ends(&run(carrier(&server, &centre).env("LINEMAN_KEY", centre.world.path("approver")), &GRANT), 2);
    let key = centre.world.path("approver");
    let output = run(&mut carrier(&server, &centre), &[&GRANT[..], &["--key", file(&key)]].concat());
    ends(&output, 0);
    let [standing] = &statements(&server)[..] else { panic!("one statement") };
    assert_eq!((standing.level, standing.doors.to_string().as_str(), standing.duration_s), (2, "shell,exec", 7200));
    assert_eq!((standing.approver.as_str(), standing.roster, standing.account.as_str()), ("approver-jw", 7, "view"));
    let life = standing.valid_before.as_second() - now().as_second();
    assert!((86_000..=86_400).contains(&life), "{life}");
    let said = stderr(&output);
    for line in standing.write().unwrap().lines() {
        assert!(said.contains(&format!("  {line}\n")), "`{line}` was signed and not shown in {said}");
    }
    assert!(said.contains("lets in, by roster 7: engineer-a"), "{said}");
    assert!(stdout(&output).contains("\tstanding\tJW\tne-1.jw.ne\tF-JW-1\t2\t"), "{}", stdout(&output));
    assert!(stdout(&run(&mut carrier(&server, &centre), &["standing", "list", "--customer", "JW"])).contains("\tstanding\tJW\t"));
}

#[test]
fn nobody_is_let_in_by_the_wrong_key_or_for_the_wrong_thing() {
    let centre = Centre::new();
    let server = centre.start();
    let key = centre.world.path("approver");
    let grant = |more: &[&str], code: i32, why: &str| {
        let output = run(
            &mut carrier(&server, &centre),
            &[&["standing", "grant", "--level", "2", "--doors", "shell", "--for", "1h"], more].concat(),
        );
        ends(&output, code);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    };
    let engineer = centre.world.engineer_key_file();
    grant(&["--until", "1d", "--key", file(&engineer)], 8, "is not in your signer list for standing@lineman");
    grant(&["--until", "2020-01-01T00:00:00Z", "--key", file(&key)], 2, "ended at 2020-01-01T00:00:00Z already");
    grant(&["--until", "1d", "--devices", "ne-1.yw.ne", "--key", file(&key)], 2, "ne-1.yw.ne is not a device of JW");
    grant(&["--until", "soon", "--key", file(&key)], 2, "or a duration like 30d");
    assert!(!server.asked().iter().any(|asked| asked.path == "/api/v1/standing"), "something was sent");
}

#[test]
fn two_people_sign_the_same_terms() {
    let centre = Centre::new();
    let server = centre.start();
    let (first, second, paper) = (centre.world.path("approver"), centre.world.path("second"), centre.world.path("standing-jw"));
    let output = run(&mut carrier(&server, &centre), &[&GRANT[..], &["--key", file(&first), "--write", file(&paper)]].concat());
    ends(&output, 0);
    assert!(!server.asked().iter().any(|asked| asked.path == "/api/v1/standing"), "it was handed in with one signature");
    let sign = |key: &Path| run(&mut carrier(&server, &centre), &["standing", "sign", file(&paper), "--key", file(key)]);
    let output = sign(&first);
    ends(&output, 6);
    assert!(stderr(&output).contains("approver-jw has signed it already"), "{}", stderr(&output));
    // A letter that was changed on the way to the second person.
    let whole = std::fs::read_to_string(&paper).unwrap();
    std::fs::write(&paper, whole.replace("level: 2", "level: 1")).unwrap();
    ends(&sign(&second), 8);
    std::fs::write(&paper, whole).unwrap();
    ends(&sign(&second), 0);
    let [one, two] = &statements(&server)[..] else { panic!("two statements") };
    assert_eq!((one.approver.as_str(), two.approver.as_str()), ("approver-jw", "second-jw"));
    assert_eq!(Standing { approver: one.approver.clone(), issued: one.issued, ..two.clone() }, *one);
}

// ---- Consent while filing -------------------------------------------------------------------------------------------

fn filing(centre: &Arc<Centre>) -> (Server, Arc<Mutex<Vec<Signed>>>) {
    let handed: Arc<Mutex<Vec<Signed>>> = Arc::default();
    let (centre, known) = (centre.clone(), handed.clone());
    let server = Server::start(move |route, asked| match route {
        "GET /api/v1/whoami" => answer(json!({
            "id": lineman_common::id::PersonId::new(), "name": "approver-jw", "role": "approver", "customer": "JW", "created_at": now()
        })),
        "POST /api/v1/cases/suggest" => answer(json!({"items": []})),
        "POST /api/v1/cases/signals" => answer(json!({"offers": 1})),
        "POST /api/v1/faults" => answer(json!({
            "id": lineman_common::id::FaultId::new(), "number": "F-JW-9", "customer": "JW", "equipment": "ne-1.jw.ne",
            "title": "fan 2", "description": "", "severity": "major", "impact": "none", "status": "reported",
            "reported_by": "approver-jw", "reported_at": now(), "updated_at": now(), "proposes_restored": false,
        })),
        "GET /api/v1/trust/JW" => answer(centre.world.bundle()),
        "POST /api/v1/standing" => {
            let signed: Vec<Signed> = serde_json::from_value(asked.body["statements"].clone()).unwrap();
            let standing = Standing::read_unverified(&signed[0]).unwrap();
            known.lock().unwrap().extend(signed.clone());
            answer(json!({
                "id": standing.id, "state": "standing", "customer": "JW", "devices": standing.devices, "fault": standing.fault,
                "level": standing.level, "doors": standing.doors, "account": standing.account, "duration_s": standing.duration_s,
                "approvers": [standing.approver], "issued": standing.issued, "valid_before": standing.valid_before, "statements": signed,
            }))
        }
        other => problem(ErrorCode::NotFound, other),
    });
    (server, handed)
}

const FILE: [&str; 12] =
    ["fault", "new", "--equipment", "ne-1.jw.ne", "--title", "fan 2", "--impact", "none", "--allow", "shell,exec", "--level", "2"];

#[test]
fn a_fault_is_filed_with_the_consent_for_it() {
    let centre = Centre::new();
    let (server, handed) = filing(&centre);
    let key = centre.world.path("approver");
    let output = run(&mut carrier(&server, &centre), &[&FILE[..], &["--for", "2h", "--key", file(&key)]].concat());
    ends(&output, 0);
    let list = CarrierSigners::parse(&centre.world.pinned_signers(), &centre.world.customer).unwrap();
    let standing = Standing::verify(&handed.lock().unwrap()[0], &list, now()).unwrap();
    assert_eq!((standing.fault.to_string().as_str(), standing.devices.to_string().as_str()), ("F-JW-9", "ne-1.jw.ne"));
    assert_eq!((standing.level, standing.duration_s), (2, 7200));
    assert!(stderr(&output).contains(&format!("lineman standing revoke {}", standing.id)), "{}", stderr(&output));
    // Half a permission is none.
    ends(&run(&mut carrier(&server, &centre), &FILE), 2);
    ends(
        &run(&mut carrier(&server, &centre), &["fault", "new", "--customer", "JW", "--title", "x", "--impact", "none", "--level", "2"]),
        2,
    );
}

#[test]
fn a_fault_stays_filed_when_its_consent_can_not_be_signed() {
    let centre = Centre::new();
    let (server, handed) = filing(&centre);
    let output = run(&mut carrier(&server, &centre), &[&FILE[..], &["--for", "2h", "--key", "/nowhere/key"]].concat());
    ends(&output, 1);
    assert!(stdout(&output).contains("F-JW-9"), "{}", stdout(&output));
    let said = stderr(&output);
    assert!(said.contains("F-JW-9 is filed, but nothing was allowed for it: can't read the key /nowhere/key"), "{said}");
    assert!(said.contains("lineman standing grant --devices ne-1.jw.ne --fault F-JW-9 --level 2 --doors shell,exec"), "{said}");
    assert!(handed.lock().unwrap().is_empty());
}

// ---- Signer lists ---------------------------------------------------------------------------------------------------

fn signers(server: &Server, centre: &Centre, args: &[&str]) -> Output {
    run(&mut carrier(server, centre), &[&["signers"], args].concat())
}

#[test]
fn a_new_list_is_made_signed_by_two_and_published() {
    let centre = Centre::new();
    let server = centre.start();
    let output = signers(&server, &centre, &["new", "--customer", "JW"]);
    ends(&output, 0);
    let list = centre.world.path("signers-2");
    std::fs::write(&list, stdout(&output)).unwrap();
    assert!(stdout(&output).starts_with("# lineman-list: signers JW\n# counter: 2\n"), "{}", stdout(&output));
    ends(&signers(&server, &centre, &["check", file(&list)]), 0);
    ends(&signers(&server, &centre, &["publish", file(&list)]), 2);
    let sign = |name: &str| signers(&server, &centre, &["sign", file(&list), "--key", file(&centre.world.path(name))]);
    // An approver's key changes no list.
    ends(&sign("approver"), 8);
    ends(&sign("officer"), 0);
    ends(&sign("officer"), 6);
    ends(&sign("officer-2"), 0);
    // Stock tools say the same.
    for (signature, who) in [("signers-2.sig", "officer-jw"), ("signers-2.2.sig", "other-jw")] {
        let trust = centre.world.carrier_trust();
        let verify = format!("ssh-keygen -Y verify -f {}/signers -I {who} -n signers@lineman -s {signature} < signers-2", trust.display());
        let output = Command::new("sh").args(["-c", &verify]).current_dir(centre.world.home()).output().unwrap();
        assert!(output.status.success(), "{verify}: {}", stderr(&output));
    }
    ends(&signers(&server, &centre, &["publish", file(&list)]), 0);
    let published: Vec<Signed> = serde_json::from_value(server.body("PUT", "/api/v1/trust/signers/JW")["signed"].clone()).unwrap();
    let before = CarrierSigners::parse(&centre.world.pinned_signers(), &centre.world.customer).unwrap();
    assert_eq!(before.replaced_by(&published, &centre.world.customer, 2, now()).unwrap().counter(), 2);
}

#[test]
fn a_list_that_no_device_would_take_is_not_published() {
    let centre = Centre::new();
    let server = centre.start();
    let list = centre.world.path("signers-2");
    let bad = |text: String, why: &str| {
        std::fs::write(&list, text).unwrap();
        let output = signers(&server, &centre, &["check", file(&list)]);
        ends(&output, 8);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        let key = centre.world.path("officer");
        ends(&signers(&server, &centre, &["sign", file(&list), "--key", file(&key)]), 8);
        assert!(!list.with_extension("sig").exists() && !centre.world.path("signers-2.sig").exists());
    };
    let next = centre.world.signers_numbered(2);
    bad(next.replace("signers@lineman", "consent@lineman"), "it could never be changed again");
    bad(centre.world.signers_numbered(1) + "# changed\n", "number 1 is not above number 1");
    bad(next.replace("# lineman-list: signers JW", "# lineman-list: roster"), "is a `roster`, not a signer list");
    bad(next.replace("namespaces=\"device@lineman\"", "namespaces=\"device@lineman\",level=\"3\""), "`level");
    // Signed by somebody whom the pinned list does not know.
    std::fs::write(&list, &next).unwrap();
    let forged = Signed::sign(&centre.world.gateway, Namespace::Signers, next).unwrap();
    std::fs::write(centre.world.path("signers-2.sig"), forged.signature).unwrap();
    let output = signers(&server, &centre, &["publish", file(&list)]);
    ends(&output, 8);
    assert!(!server.asked().iter().any(|asked| asked.method == "PUT"), "something was published");
}

#[test]
fn a_list_that_is_kept_back_from_a_device_is_noticed() {
    let centre = Centre::new();
    let server = centre.start();
    let world = &centre.world;
    std::fs::write(world.carrier_trust().join("signers"), world.signers_numbered(7)).unwrap();
    let pinned = world.pinned_signers();
    let status = |view: SignersView, code: i32| {
        *centre.signers.lock().unwrap() = Some(view);
        let output = signers(&server, &centre, &["status", "-o", "json"]);
        ends(&output, code);
        let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        rows[0].clone()
    };
    let row = status(world.signers_view(&world.receipt(&pinned, 2), &world.host_key), 0);
    assert_eq!(
        (row["list"].as_str(), row["holds"].as_u64(), row["approvals"].as_u64(), row["stopped"].as_str()),
        (Some("same"), Some(7), Some(2), Some("no"))
    );
    let row = status(world.signers_view(&world.receipt(&world.signers_numbered(6), 1), &world.host_key), 8);
    assert_eq!((row["list"].as_str(), row["holds"].as_u64()), (Some("older"), Some(6)));
    let row = status(world.signers_view(&world.receipt(&(pinned.clone() + "#\n"), 1), &world.host_key), 8);
    assert_eq!(row["list"], "other");
    // The centre can't write a receipt, nor a statement for another host key.
    let row = status(world.signers_view(&world.receipt(&pinned, 1), &world.gateway), 8);
    assert_eq!((row["list"].as_str(), row["holds"].as_u64()), (Some("not believed"), None));
    assert!(row["says"].as_str().unwrap().contains("receipt does not verify"), "{row}");
    // It can keep one back, and that shows.
    let none = DeviceReceipt {
        device: world.device.clone(),
        receipt: None,
        received_at: None,
        refusal: Some("not signed by two".into()),
        device_statement: None,
    };
    let row = status(SignersView { signed: Vec::new(), devices: vec![none] }, 0);
    assert_eq!(row["list"], "no receipt");
    assert!(row["says"].as_str().unwrap().contains("the device refused the list: not signed by two"), "{row}");
}

// ---- The switch and the notices -------------------------------------------------------------------------------------

#[test]
fn everything_stops_for_a_customer_and_goes_on() {
    let centre = Centre::new();
    let server = centre.start();
    let stop = ["customer", "stop", "JW", "--reason", "suspected break-in"];
    let output = run(&mut carrier(&server, &centre), &stop);
    ends(&output, 2);
    assert!(
        stderr(&output).contains("every session and consent of JW ends now") && stderr(&output).contains("--yes"),
        "{}",
        stderr(&output)
    );
    assert!(centre.stopped.lock().unwrap().is_none());
    ends(&run(&mut carrier(&server, &centre), &[&stop[..], &["--yes"]].concat()), 0);
    for show in [&["customer", "list"][..], &["customer", "show", "JW"], &["admin", "customer", "list"]] {
        let output = run(&mut carrier(&server, &centre), show);
        ends(&output, 0);
        assert!(stdout(&output).contains("suspected break-in"), "{show:?}: {}", stdout(&output));
    }
    ends(&run(&mut carrier(&server, &centre), &["customer", "show", "YW"]), 3);
    ends(&run(&mut carrier(&server, &centre), &["customer", "resume", "JW", "--reason", "cleared", "--yes"]), 0);
    assert!(centre.stopped.lock().unwrap().is_none());
    assert!(!stdout(&run(&mut carrier(&server, &centre), &["customer", "show", "JW"])).contains("break-in"));
}

#[test]
fn an_engineer_hears_that_the_customer_stopped_everything() {
    let centre = Centre::new();
    *centre.stopped.lock().unwrap() =
        Some(lineman_common::api::Stopped { at: now(), by: "noc-c".parse().unwrap(), reason: "suspected break-in".into() });
    let stopping = centre.clone();
    let server = Server::start(move |route, _| match route {
        "GET /api/v1/whoami" => answer(json!({
            "id": lineman_common::id::PersonId::new(), "name": "engineer-a", "role": "engineer", "created_at": now()
        })),
        "GET /api/v1/faults/F-JW-1" => answer(json!({
            "id": lineman_common::id::FaultId::new(), "number": "F-JW-1", "customer": "JW", "equipment": "ne-1.jw.ne",
            "title": "fan 2", "description": "", "severity": "major", "impact": "none", "status": "accepted",
            "reported_by": "agent:ne-1.jw.ne", "reported_at": now(), "updated_at": now(),
            "proposes_restored": false, "alarms": [], "clocks": [], "timeline": [], "similar": [],
        })),
        "GET /api/v1/customers" => answer(lineman_common::api::List::from(vec![stopping.customer()])),
        other => problem(ErrorCode::NotFound, other),
    });
    let mut command = at(&server, centre.world.home());
    command.env("LINEMAN_KEY", centre.world.engineer_key_file()).env("LINEMAN_TRUST", centre.world.vendor_trust());
    let output = run(&mut command, &["consent", "request", "F-JW-1", "--doors", "shell", "--for", "1h"]);
    ends(&output, 6);
    let said = stderr(&output);
    assert!(said.contains("JW stopped everything at") && said.contains("noc-c: suspected break-in"), "{said}");
    assert!(!server.asked().iter().any(|asked| asked.path.ends_with("/challenge")), "the device was asked");
}

#[test]
fn notices_are_set_shown_and_tested() {
    let centre = Centre::new();
    let settings: Arc<Mutex<NoticeSettings>> = Arc::default();
    let known = settings.clone();
    let server = Server::start(move |route, asked| {
        let view = || NoticesView {
            settings: known.lock().unwrap().clone(),
            recent: vec![
                serde_json::from_value(json!({
                    "id": lineman_common::id::NoticeId::new(), "at": now(), "target": "noc@carrier.example",
                    "target_id": lineman_common::id::TargetId::new(), "kind": "consent.requested", "severity": "major",
                    "subject": "engineer-a asks\x1b[2J", "state": "waiting", "attempts": 3, "problem": "connection refused",
                }))
                .unwrap(),
            ],
            secrets: Vec::new(),
        };
        match route {
            "GET /api/v1/whoami" => answer(json!({
                "id": lineman_common::id::PersonId::new(), "name": "noc-c", "role": "noc", "customer": "JW", "created_at": now()
            })),
            "PUT /api/v1/customers/JW/notices" => {
                *known.lock().unwrap() = serde_json::from_value(asked.body.clone()).unwrap();
                answer(view())
            }
            "GET /api/v1/customers/JW/notices" | "POST /api/v1/customers/JW/notices/test" => answer(view()),
            other => problem(ErrorCode::NotFound, other),
        }
    });
    let notices = |args: &[&str]| run(&mut carrier(&server, &centre), &[&["notices"], args].concat());
    ends(&notices(&["set"]), 2);
    let output = notices(&["set", "--mail", "noc@carrier.example", "--webhook", "https://chat.carrier.example/hook"]);
    ends(&output, 0);
    assert_eq!(settings.lock().unwrap().mail, ["noc@carrier.example"]);
    let shown = stdout(&output);
    assert!(shown.contains("https://chat.carrier.example/hook") && shown.contains("connection refused"), "{shown}");
    assert!(shown.contains("engineer-a asks\\u{1b}[2J"), "{shown}");
    ends(&notices(&["test", "JW"]), 0);
    ends(&notices(&["set", "JW", "--none"]), 0);
    assert_eq!(*settings.lock().unwrap(), NoticeSettings::default());
}
