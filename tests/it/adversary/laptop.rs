//! A stolen engineer's laptop: the key, the token, everything that was pinned there.

use std::path::Path;
use std::process::{Command, Stdio};

use lineman_common::statement::{Consent, Namespace, Signed, sha256_hex};
use lineman_tests::{Demo, Process, eventually, run};
use serde_json::{Value, json};

use super::{PLAIN, fault, key, papers, signed, terms, view};

/// The roster as published, with a higher number and without the engineer, signed by the vendor root as it would be in its safe.
fn roster_without(demo: &Demo, engineer: &str) -> Signed {
    let published: Value = demo.http(Some("admin-z")).get("/api/v1/trust/roster").ok();
    let text = signed(&published).text;
    let kept = text.lines().filter(|line| !line.starts_with(&format!("{engineer},"))).collect::<Vec<_>>().join("\n") + "\n";
    let counter = text.lines().find_map(|line| line.strip_prefix("# counter: ")?.parse::<u64>().ok()).expect("a counter");
    let newer = kept.replace(&format!("# counter: {counter}"), &format!("# counter: {}", counter + 1));
    assert_ne!(newer, kept);
    let root = key(demo.dir().join("keys/root/vendor-root-key"));
    Signed::sign(&root, Namespace::Roster, newer).expect("a signature")
}

/// What a thief can do: what the carrier has allowed this engineer, until the roster lists the key no more. Nothing else.
pub fn a_thief_enters_where_the_engineer_may_until_the_roster_says_otherwise() {
    let demo = Demo::up(2);
    // No consent, no entry.
    demo.ssh(&[PLAIN, "true"]).exits(255).says("no consent is live");
    let number = fault(&demo, PLAIN);
    let consent = demo.consented(&number, "shell,exec", "1h");
    demo.ssh(&[PLAIN, "echo in"]).ok().says("in");
    // A session is under way when the theft is noticed; the vendor publishes a roster without the key.
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(demo.ssh_config()).args([PLAIN, "echo inside; sleep 600"]);
    let mut ssh = Process::spawn(ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    eventually("the thief is inside", || {
        let live = demo.http(Some("noc-jw")).get("/api/v1/sessions?state=live").ok();
        if live["items"].as_array().is_some_and(|list| !list.is_empty()) { Ok(()) } else { Err(live.to_string()) }
    });
    let config = demo.ssh_config();
    demo.http(Some("admin-z")).put("/api/v1/trust/roster", &json!(roster_without(&demo, "engineer-a"))).ok();
    eventually("the session is over", || ssh.0.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| "it runs".to_owned()));
    eventually("the consent is over", || {
        let view = view(&demo, &consent);
        if view["state"] == "ended" { Ok(()) } else { Err(view.to_string()) }
    });
    run(Command::new("ssh").arg("-F").arg(&config).args([PLAIN, "true"]).stdin(Stdio::null())).exits(255);
}

/// The thief can't say yes in the carrier's name, nor vouch for a device, nor touch what was recorded.
pub fn a_thief_can_not_approve_vouch_or_change_the_record() {
    let demo = Demo::up(2);
    let number = fault(&demo, PLAIN);
    let id = demo.requested(&number, "exec", "1h");
    let asked = view(&demo, &id);
    let request = signed(&asked["request"]);
    let thief = demo.http(Some("engineer-a"));
    let consent = Consent {
        id: terms(&request).id,
        request_sha256: sha256_hex(&request.text),
        approver: "approver-jw".parse().expect("a name"),
        doors: terms(&request).doors,
        duration_s: 3600,
        roster: 1,
        issued: jiff::Timestamp::now(),
    };
    let forged = Signed::sign(&key(demo.engineer_key()), Namespace::Consent, consent.write().expect("a consent")).expect("a signature");
    thief.post(&format!("/api/v1/consents/{id}/approval"), &json!({"consent": forged})).problem(403, "forbidden");
    thief.put(&format!("/api/v1/equipment/{PLAIN}/statement"), &json!(forged)).problem(403, "forbidden");
    thief.put("/api/v1/trust/roster", &json!(roster_without(&demo, "engineer-b"))).problem(403, "forbidden");
    thief.post("/api/v1/customers/JW/resume", &json!({"reason": "x"})).problem(403, "forbidden");
    demo.ssh(&[PLAIN, "true"]).exits(255);
    // Signed with the engineer's key, handed in by a carrier's person who was fooled: the device is not.
    demo.http(Some("noc-jw")).post(&format!("/api/v1/consents/{id}/approval"), &json!({"consent": forged})).ok();
    eventually("the device refuses", || {
        let view = view(&demo, &id);
        if view["state"] == "refused_by_device" { Ok(()) } else { Err(view.to_string()) }
    });
}

/// What was allowed stays as narrow for the thief as it was for the engineer, and what the thief reads is what the engineer could.
pub fn a_thief_can_not_widen_what_was_allowed() {
    let demo = Demo::up(4);
    let consent = demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    let (request, consents) = papers(&view(&demo, &consent));
    demo.ssh(&["-tt", PLAIN]).exits(255).says("no door `shell`");
    demo.ssh(&["-W", "10.0.0.1:80", PLAIN]).exits(255).says("forward");
    demo.ssh(&["ne-2.jw.ne", "true"]).exits(255).says("no consent is live");
    // The same request again, the same consent again: used.
    let thief = demo.http(Some("engineer-a"));
    thief.post("/api/v1/consents", &json!({"request": request})).problem(409, "conflict");
    let again = demo.http(Some("noc-jw")).post(&format!("/api/v1/consents/{consent}/approval"), &json!({"consent": consents[0]}));
    again.problem(409, "conflict");
    // Another carrier's things are the centre's to show, as they are to every engineer; its secrets are not.
    assert!(!Path::new(&demo.of_person("engineer-a", "trust")).join("signers").exists(), "engineers hold no carrier's list");
}
