//! What a hostile centre, a thief or a liar might hand to a device: it believes none of it.

use std::fs;
use std::path::Path;

use lineman_common::statement::{Consent, Namespace, Request, Signed};
use lineman_tests::{Demo, Reply, eventually};
use serde_json::{Value, json};
use ssh_key::PrivateKey;

const NE: &str = "ne-5.yw.ne";

fn key(path: &str) -> PrivateKey {
    PrivateKey::read_openssh_file(Path::new(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn signed(value: &Value) -> Signed {
    serde_json::from_value(value.clone()).expect("a signed statement")
}

/// A fresh request, and the consent that answers it as asked.
fn asked(demo: &Demo, fault: &str) -> (String, Signed, Consent) {
    let id = demo.requested(fault, "exec", "30m");
    let view = demo.http(Some("approver-yw")).get(&format!("/api/v1/consents/{id}")).ok();
    let request = signed(&view["request"]);
    let terms = Request::read_unverified(&request).expect("a request");
    let consent = Consent {
        id: terms.id,
        request_sha256: lineman_common::statement::sha256_hex(&request.text),
        approver: "approver-yw".parse().expect("a name"),
        doors: terms.doors,
        duration_s: terms.duration_s,
        roster: 1,
        issued: jiff::Timestamp::now(),
    };
    (id, request, consent)
}

fn hand_in(demo: &Demo, id: &str, consent: &Signed) -> Reply {
    demo.http(Some("noc-yw")).post(&format!("/api/v1/consents/{id}/approval"), &json!({"consent": consent}))
}

/// The centre took it; the device must not have.
fn device_refuses(demo: &Demo, id: &str, why: &str) {
    let said = eventually("the device answers", || {
        let view = demo.http(Some("noc-yw")).get(&format!("/api/v1/consents/{id}")).ok();
        match view["state"].as_str() {
            Some("refused_by_device") => Ok(view["device_says"].as_str().unwrap_or_default().to_owned()),
            Some("live") => panic!("the device believed it: {view}"),
            _ => Err(view.to_string()),
        }
    });
    assert!(said.contains(why), "the device says `{said}`, expected something about `{why}`");
    demo.ssh(&[NE, "true"]).exits(255).says("refuses");
}

pub fn the_device_believes_no_forged_or_foreign_consent(demo: &Demo) {
    let fault = demo.broken("ne-5", NE, "link");
    let approver = key(&demo.of_person("approver-yw", "key"));
    let sign = |key: &PrivateKey, namespace: Namespace, consent: &Consent| {
        Signed::sign(key, namespace, consent.write().expect("a statement")).expect("a signature")
    };

    // The engineer consents to herself; the other carrier's approver consents: both are taken in by a centre that
    // can't tell, and refused by the device that can.
    let (id, _, consent) = asked(demo, &fault);
    hand_in(demo, &id, &sign(&key(demo.engineer_key()), Namespace::Consent, &consent)).ok();
    device_refuses(demo, &id, "not listed");
    let (id, _, consent) = asked(demo, &fault);
    let foreign = Consent { approver: "approver-jw".parse().expect("a name"), ..consent };
    hand_in(demo, &id, &sign(&key(demo.consent_key()), Namespace::Consent, &foreign)).ok();
    device_refuses(demo, &id, "not listed");

    // Signed with the right key for another purpose, over other terms, or not signed at all: the centre sees it already.
    let (id, _, consent) = asked(demo, &fault);
    hand_in(demo, &id, &sign(&approver, Namespace::Device, &consent)).problem(422, "statement_refused");
    let wider = Consent { duration_s: consent.duration_s + 1, ..consent.clone() };
    hand_in(demo, &id, &sign(&approver, Namespace::Consent, &wider)).problem(422, "statement_refused");
    let doors = Consent { doors: "exec,shell".parse().expect("doors"), ..consent.clone() };
    hand_in(demo, &id, &sign(&approver, Namespace::Consent, &doors)).problem(422, "statement_refused");
    let good = sign(&approver, Namespace::Consent, &consent);
    let changed = Signed { text: good.text.replace("exec", "shell"), ..good.clone() };
    hand_in(demo, &id, &changed).problem(422, "statement_refused");
    hand_in(demo, &id, &Signed { signature: "no signature".into(), ..good.clone() }).problem(422, "statement_refused");
    // An answer to another request.
    let (other, _, _) = asked(demo, &fault);
    hand_in(demo, &other, &good).problem(422, "statement_refused");

    // A roster that the approver can't have checked: newer than any that the device has.
    let future = Consent { roster: 99, ..consent.clone() };
    hand_in(demo, &id, &sign(&approver, Namespace::Consent, &future)).ok();
    device_refuses(demo, &id, "roster");

    // And the honest one works, so the refusals above meant something.
    let (id, request, consent) = asked(demo, &fault);
    hand_in(demo, &id, &sign(&approver, Namespace::Consent, &consent)).ok();
    eventually("the honest consent is live", || {
        let view = demo.http(Some("noc-yw")).get(&format!("/api/v1/consents/{id}")).ok();
        if view["state"] == "live" { Ok(()) } else { Err(view.to_string()) }
    });
    demo.ssh(&[NE, "echo in"]).ok().says("in");
    // A request is used once: the same one can't be handed in again.
    demo.http(Some("engineer-a")).post("/api/v1/consents", &json!({"request": request})).problem(409, "conflict");
    demo.person("noc-yw").args(["consent", "revoke", &id, "--reason", "done", "--yes"]).output().ok();
    demo.ssh(&[NE, "true"]).exits(255).says("refuses");
    demo.repair("ne-5", "link");
}

pub fn a_recording_that_was_changed_is_found_out(demo: &Demo) {
    const NE: &str = "ne-7.yw.ne";
    let filed = json!({"equipment": NE, "title": "test of recordings", "impact": "partial"});
    let fault = demo.http(Some("noc-yw")).post("/api/v1/faults", &filed).ok()["number"].as_str().expect("a number").to_owned();
    demo.consented(&fault, "exec", "30m");
    demo.ssh(&[NE, "for n in 1 2 3; do echo line-$n; sleep 1.2; done"]).ok().says("line-3");
    let auditor = demo.http(Some("noc-yw"));
    let session = eventually("the recording is whole", || {
        let session = auditor.get(&format!("/api/v1/sessions?fault={fault}")).ok()["items"][0].clone();
        if session["state"] == "ended" && session["chunks"] == session["chunks_stored"] { Ok(session) } else { Err(session.to_string()) }
    });
    let id = session["id"].as_str().expect("an id").to_owned();
    let dir = demo.scratch("recordings");
    let file = dir.join("raw.lrec").display().to_string();
    demo.person("noc-yw").args(["session", "export", &id, "--format", "raw", "-o", &file]).output().ok();
    let reply = auditor.get(&format!("/api/v1/sessions/{id}/recording")).ok();
    let statement = dir.join("statement").display().to_string();
    fs::write(&statement, reply["device_statement"]["text"].as_str().expect("a statement")).expect("a file");
    fs::write(statement.clone() + ".sig", reply["device_statement"]["signature"].as_str().expect("a signature")).expect("a file");
    let verify = |file: &str| demo.person("noc-yw").args(["session", "verify", file, "--statement", &statement]).output();

    let good = fs::read_to_string(&file).expect("the export");
    let lines: Vec<_> = good.lines().collect();
    assert!(lines.len() >= 3, "the chain has several chunks: {}", lines.len());
    let try_with = |name: &str, text: &str| {
        let path = dir.join(name).display().to_string();
        fs::write(&path, text).expect("a file");
        verify(&path)
    };
    let reply = try_with("whole", &good);
    assert_eq!(reply.code, Some(0), "{reply:?}");
    // One byte of one chunk.
    let at = lines.iter().position(|line| line.contains("line-2")).expect("the second line");
    try_with("changed", &good.replacen("line-2", "line-9", 1)).exits(8).says(&format!("chunk {at}"));
    // One chunk left out, two swapped, the end cut off.
    let without: Vec<_> = lines.iter().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| *line).collect();
    try_with("dropped", &(without.join("\n") + "\n")).exits(8).says("chunk 1");
    let mut swapped = lines.clone();
    swapped.swap(0, 1);
    try_with("swapped", &(swapped.join("\n") + "\n")).exits(8).says("chunk 0");
    let cut = lines[..lines.len() - 1].join("\n") + "\n";
    try_with("cut", &cut).exits(8).says("truncated");
}
