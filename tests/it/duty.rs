//! The support centre's organisation, from outside: offices, shifts, routing, escalation, hand-over, and who is inside.

use lineman_tests::{Demo, eventually};
use reqwest::Method;
use serde_json::{Value, json};

/// Beside the demo's own offices: a desk for JW, and experts above it who have no shifts.
fn organise(demo: &Demo) {
    let lineman = |args: &[&str]| demo.person("admin-z").args(args).output().ok();
    lineman(&["office", "add", "jw-experts", "--kind", "subcentre", "--parent", "hq", "--zone", "Europe/Berlin"]);
    let desk = ["office", "add", "jw-desk", "--kind", "local", "--parent", "jw-experts", "--zone", "Asia/Shanghai"];
    let covers = ["--customer", "JW", "--member", "engineer-a", "--member", "engineer-b", "--staffed", "00:00-00:00"];
    lineman(&[&desk[..], &covers[..]].concat());
    let around_the_clock = ["--from", "00:00", "--to", "00:00", "--start", "2026-01-01"];
    lineman(&[&["shift", "set", "jw-desk", "always", "--turn", "engineer-a"], &around_the_clock[..]].concat());
}

fn one(value: &Value) -> Value {
    value.as_array().and_then(|list| list.first()).unwrap_or(value).clone()
}

pub fn a_fault_finds_its_office_and_goes_up_and_a_shift_is_handed_over() {
    let demo = Demo::up(1);
    organise(&demo);
    let json = |person: &str, args: &[&str]| demo.person(person).args(args).args(["-o", "json"]).output().json();

    // Who is there, and where would it go?
    let now = json("engineer-a", &["duty", "now"]);
    let desk = now.as_array().expect("a list").iter().find(|office| office["office"] == "jw-desk").expect("the desk").clone();
    assert_eq!(desk["on_duty"][0]["person"], "engineer-a", "{desk}");
    let route = json("engineer-a", &["office", "route", "ne-1.jw.ne"]);
    assert_eq!((&route["office"], &route["person"]), (&json!("jw-desk"), &json!("engineer-a")), "{route}");

    // It does go there, and up by hand; the experts have nobody on duty, so the hq gets it.
    let noc = demo.http(Some("noc-jw"));
    let fault = noc.post("/api/v1/faults", &json!({"equipment": "ne-1.jw.ne", "title": "no light", "impact": "none"})).ok();
    let number = fault["number"].as_str().expect("a number").to_owned();
    assert_eq!(json("engineer-a", &["duty", "show", &number])["office"], "jw-desk");
    let up = json("engineer-a", &["duty", "escalate", &number, "--reason", "needs an expert"]);
    assert_eq!((&up["office"], &up["proposed"]), (&json!("hq"), &json!("manager-d")), "{up}");
    let kinds: Vec<_> = up["steps"].as_array().expect("steps").iter().map(|step| step["kind"].clone()).collect();
    assert_eq!(kinds, [json!("fault.routed"), json!("fault.escalated")]);
    let down = json("engineer-b", &["duty", "de-escalate", &number, "--reason", "the rest is local"]);
    assert_eq!(down["office"], "jw-desk");

    // From one shift to the next.
    let given = json("engineer-a", &["shift", "hand-over", "jw-desk", "--note", "waits for light"]);
    assert_eq!(given["faults"][0]["number"], number, "{given}");
    let id = given["id"].as_str().expect("an id").to_owned();
    let waiting = json("engineer-b", &["shift", "hand-overs", "jw-desk", "--waiting"]);
    assert_eq!(waiting.as_array().map(Vec::len), Some(1));
    let own = demo.person("engineer-a").args(["shift", "take-over", &id, "--note", "mine"]).output();
    assert!(own.stderr.contains("somebody else"), "{own:?}");
    let taken = json("engineer-b", &["shift", "take-over", &id, "--note", "read"]);
    assert_eq!((&taken["taken"]["by"], &taken["taken"]["note"]), (&json!("engineer-b"), &json!("read")));

    what_lies_where(&demo, &number);
    nothing_of_it_shows_to_a_carrier(&demo, &number);
    inside_shows_to_both(&demo);
    who_is_disabled_is_out(&demo, &number);
}

fn what_lies_where(demo: &Demo, number: &str) {
    let admin = demo.http(Some("admin-z"));
    demo.person("engineer-a").args(["fault", "accept", number]).output().ok();
    let load = admin.get("/api/v1/duty/workload").ok();
    let person = load["people"].as_array().expect("people").iter().find(|one| one["person"] == "engineer-a").expect("engineer-a").clone();
    assert_eq!(person["faults"]["total"], 1, "{person}");
    // An office in use stays.
    let refused = admin.send(Method::DELETE, "/api/v1/offices/jw-desk", None).problem(409, "conflict");
    assert!(refused.body["title"].as_str().expect("a title").contains("open faults are with it"), "{refused:?}");
    admin.get("/api/v1/offices/nowhere").problem(404, "not_found");
    let ring = json!({"name": "jw-experts", "kind": "subcentre", "parent": "jw-desk", "zone": "UTC"});
    admin
        .send(Method::PUT, "/api/v1/offices/jw-experts", Some(("application/json", ring.to_string().into_bytes())))
        .problem(422, "invalid");
}

fn nothing_of_it_shows_to_a_carrier(demo: &Demo, number: &str) {
    let noc = demo.http(Some("noc-jw"));
    for path in ["offices", "duty/now", "duty/faults", "duty/rules"] {
        assert_eq!(noc.get(&format!("/api/v1/{path}")).ok()["items"], json!([]), "{path}");
    }
    assert_eq!(noc.get("/api/v1/duty/workload").ok()["people"], json!([]));
    noc.get("/api/v1/offices/jw-desk").problem(404, "not_found");
    noc.get(&format!("/api/v1/faults/{number}/duty")).problem(403, "forbidden");
    noc.post("/api/v1/duty/route", &json!({"equipment": "ne-1.jw.ne"})).problem(403, "forbidden");
    noc.post(&format!("/api/v1/faults/{number}/escalation"), &json!({"reason": "x"})).problem(403, "forbidden");
    let timeline = noc.get(&format!("/api/v1/faults/{number}")).ok().to_string();
    assert!(!timeline.contains("jw-desk") && !timeline.contains("fault.escalated"), "{timeline}");
}

/// Somebody is inside: the centre sees it, the customer sees it, another customer doesn't.
fn inside_shows_to_both(demo: &Demo) {
    let noc = demo.http(Some("noc-jw"));
    let fault = noc.post("/api/v1/faults", &json!({"equipment": "ne-1.jw.ne", "title": "slow", "impact": "none"})).ok();
    let number = fault["number"].as_str().expect("a number").to_owned();
    demo.person("engineer-a").args(["fault", "accept", &number]).output().ok();
    demo.consented(&number, "exec", "10m");
    let mut command = std::process::Command::new("ssh");
    command.arg("-F").arg(demo.ssh_config()).args(["ne-1.jw.ne", "sleep 60"]).stdin(std::process::Stdio::null());
    let _session = lineman_tests::Process::spawn(&mut command);
    let seen = eventually("somebody is inside", || {
        let seen = demo.person("engineer-b").args(["duty", "inside", "-o", "json"]).output().json();
        if one(&seen)["engineer"] == "engineer-a" { Ok(one(&seen)) } else { Err(seen.to_string()) }
    });
    assert_eq!((&seen["device"], &seen["fault"]), (&json!("ne-1.jw.ne"), &json!(number)), "{seen}");
    assert!(seen["left_s"].as_u64().is_some_and(|left| left <= 600), "{seen}");
    assert_eq!(noc.get("/api/v1/duty/inside").ok()["items"][0]["session"], seen["session"]);
    assert_eq!(demo.http(Some("noc-yw")).get("/api/v1/duty/inside").ok()["items"], json!([]));
}

fn who_is_disabled_is_out(demo: &Demo, number: &str) {
    let admin = demo.http(Some("admin-z"));
    demo.person("admin-z").args(["person", "set", "engineer-a", "--skill", "OLT", "--level", "2"]).output().ok();
    let disabled = demo.person("admin-z").args(["person", "disable", "engineer-a", "--reason", "left", "--yes", "-o", "json"]).output();
    assert!(disabled.stderr.contains("still owns open faults"), "{disabled:?}");
    let person = disabled.json();
    assert_eq!((&person["skills"], &person["disabled"]["reason"]), (&json!(["olt"]), &json!("left")), "{person}");
    demo.http(Some("engineer-a")).get("/api/v1/whoami").problem(401, "unauthenticated");
    let left = admin.get("/api/v1/duty/faults?owner=engineer-a").ok().to_string();
    assert!(left.contains(number), "{left}");
    // The desk is empty now: the next fault goes up at once.
    let route = admin.post("/api/v1/duty/route", &json!({"equipment": "ne-1.jw.ne"})).ok();
    assert_eq!(route["office"], "hq", "{route}");
    let gaps = demo.person("admin-z").args(["shift", "plan", "jw-desk"]).output();
    assert_eq!(gaps.code, Some(8), "a gap: {gaps:?}");
}
