//! Calendars, tiers and contracts over the wire; and what is said when a clock comes due, also by a server that was killed.

use jiff::Timestamp;
use lineman_tests::{Demo, eventually};
use reqwest::Method;
use serde_json::{Value, json};

fn items(value: &Value) -> Vec<Value> {
    value["items"].as_array().cloned().unwrap_or_default()
}

/// (percent, due, recorded) of all that was said of K1, in order.
fn said(demo: &Demo, fault: &str) -> Vec<(u64, Timestamp, Timestamp)> {
    let timeline = demo.http(Some("engineer-a")).get(&format!("/api/v1/faults/{fault}/timeline")).ok();
    let time = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).expect("a time");
    let of_k1 = |event: &Value| {
        let kind = event["kind"].as_str().unwrap_or_default();
        let percent = event["data"]["percent"].as_u64().unwrap_or_default();
        (kind.starts_with("clock.") && event["data"]["clock"] == "K1").then(|| {
            assert_eq!(kind == "clock.breached", percent == 100, "{event}");
            (percent, time(&event["data"]["due_at"]), time(&event["recorded_at"]))
        })
    };
    items(&timeline).iter().filter_map(of_k1).collect()
}

fn file(demo: &Demo, title: &str) -> String {
    let new = json!({"customer": "JW", "title": title, "impact": "partial"});
    demo.http(Some("noc-jw")).post("/api/v1/faults", &new).ok()["number"].as_str().expect("a number").to_owned()
}

fn clock(demo: &Demo, fault: &str, name: &str) -> Value {
    let clocks = demo.http(Some("noc-jw")).get(&format!("/api/v1/faults/{fault}/clocks")).ok();
    items(&clocks).into_iter().find(|clock| clock["name"] == name).unwrap_or(Value::Null)
}

pub fn warnings_come_once_also_after_a_kill() {
    let demo = Demo::up(1);
    let admin = || demo.person("admin-z");
    admin().args(["tier", "set", "platinum", "--accept", "4s"]).output().ok();
    let fault = file(&demo, "warned while it runs");
    let warned = eventually("K1 is missed", || {
        let said = said(&demo, &fault);
        if said.iter().any(|(percent, ..)| *percent == 100) { Ok(said) } else { Err(format!("{said:?}")) }
    });
    assert_eq!(warned.last().map(|(percent, ..)| *percent), Some(100));
    let output = demo.person("engineer-a").args(["fault", "clock", &fault, "-o", "table"]).output().exits(8);
    output.says("K1").says("█").says("100 %");

    // Killed before anything of the next fault is due, and started when all of it has been.
    admin().args(["tier", "set", "platinum", "--accept", "10s"]).output().ok();
    let late = file(&demo, "due while nobody was there");
    demo.kill("server");
    let filed = Timestamp::now();
    eventually("the target has passed", || {
        let waited = Timestamp::now().duration_since(filed).as_secs();
        if waited > 10 { Ok(()) } else { Err(format!("{waited} s")) }
    });
    let server = demo.start_server();
    let told = eventually("the breach is in the log", || {
        let said = said(&demo, &late);
        if said.is_empty() { Err("nothing".to_owned()) } else { Ok(said) }
    });
    assert_eq!(told.len(), 1, "of what came due together only the last is news: {told:?}");
    let (percent, due, recorded) = told[0];
    assert_eq!(percent, 100);
    assert!(due < recorded, "it says when it was due: {told:?}");
    assert!(clock(&demo, &late, "K1")["warnings"][0]["due_at"] == json!(due), "{}", clock(&demo, &late, "K1"));
    // An acceptance now changes nothing of that; and nothing of the first fault was said again.
    demo.person("engineer-a").args(["fault", "accept", &late]).output().ok();
    assert_eq!(clock(&demo, &late, "K1")["state"], "breached");
    assert_eq!(said(&demo, &fault), warned);
    assert_eq!(said(&demo, &late), told);
    drop(server);
}

pub fn calendars_tiers_and_contracts_are_kept_with_their_guards() {
    let demo = Demo::up(1);
    let (admin, noc, stranger) = (demo.http(Some("admin-z")), demo.http(Some("noc-jw")), demo.http(Some("noc-yw")));
    let hours = ["calendar", "set", "cn-office", "--hours", "mon-fri 09:00-12:00,13:00-18:00"];
    let days = ["--holiday", "2026-10-01..2026-10-07=国庆节", "--extra", "2026-10-10 09:00-18:00=国庆节调休"];
    demo.person("admin-z").args(hours).args(days).output().ok();
    demo.person("noc-jw").args(["calendar", "show", "cn-office", "-o", "table"]).output().ok().says("2026-10-07").says("国庆节调休");
    // When would four hours end that begin an hour before the holidays?
    let preview = ["calendar", "preview", "cn-office", "4h", "--zone", "Asia/Shanghai", "--from", "2026-09-30T09:00:00Z", "-o", "json"];
    let preview = demo.person("noc-jw").args(preview).output().json();
    assert_eq!(preview["ends_at"], "2026-10-08T04:00:00Z", "{preview}");
    assert!(preview.to_string().contains("holiday: 国庆节"), "{preview}");
    let wrong = json!({"name": "x", "kind": "hours", "week": [{"days": ["mon"], "hours": ["22:00-06:00"]}]});
    let reply = admin.put("/api/v1/calendars/x", &wrong).problem(422, "invalid");
    assert!(reply.body.to_string().contains("22:00-24:00"), "{reply:?}");
    noc.put("/api/v1/calendars/x", &json!({"name": "x", "kind": "24x7"})).problem(403, "forbidden");
    noc.get("/api/v1/calendars/cn-office/preview?target_s=60&zone=Mars/Olympus").problem(422, "invalid");

    // A tier that follows it; what is in use stays.
    let kinds = ["--kind", "consulting=4h,8h,5d"];
    demo.person("admin-z").args(["tier", "set", "platinum", "--calendar", "cn-office"]).args(kinds).output().ok();
    admin.send(Method::DELETE, "/api/v1/calendars/cn-office", None).problem(409, "conflict");
    admin.send(Method::DELETE, "/api/v1/tiers/platinum", None).problem(409, "conflict");
    admin.get("/api/v1/tiers/lead").problem(404, "not_found");
    let fault = file(&demo, "by the office's hours");
    let k6 = clock(&demo, &fault, "K6");
    assert!(k6["coverage"].as_str().is_some_and(|coverage| coverage.starts_with("cn-office in ")), "{k6}");
    assert_eq!(k6["target_s"], 4 * 3600, "{k6}");
    let request = json!({"customer": "JW", "title": "which card fits?", "impact": "none", "kind": "consulting"});
    let request = noc.post("/api/v1/faults", &request).ok()["number"].as_str().expect("a number").to_owned();
    assert_eq!(clock(&demo, &request, "K1")["target_s"], 4 * 3600);
    assert_eq!(clock(&demo, &request, "K4"), Value::Null, "advice needs no session");

    // A contract takes the place of the customer's own tier, for open faults too, and the past stays.
    let contract = ["contract", "add", "JW", "--tier", "gold", "--from", "2026-01-01", "--contact", "engineer-a", "-o", "json"];
    let contract = demo.person("admin-z").args(contract).output().json();
    assert_eq!(contract["in_force"], true);
    let id = contract["id"].as_str().expect("an id").to_owned();
    let targets = eventually("the clock goes by the contract", || {
        let targets = clock(&demo, &fault, "K6")["targets"].clone();
        if targets.as_array().is_some_and(|targets| targets.len() == 2) { Ok(targets) } else { Err(targets.to_string()) }
    });
    assert_eq!((&targets[0]["target_s"], &targets[1]["target_s"]), (&json!(4 * 3600), &json!(8 * 3600)), "{targets}");
    assert_eq!(targets[1]["coverage"], "24x7");
    assert_eq!(items(&noc.get("/api/v1/contracts").ok()).len(), 1);
    assert_eq!(items(&stranger.get("/api/v1/contracts").ok()).len(), 0);
    stranger.get(&format!("/api/v1/contracts/{id}")).problem(404, "not_found");
    admin.send(Method::DELETE, &format!("/api/v1/contracts/{id}"), None).problem(409, "conflict");
    demo.person("admin-z").args(["contract", "set", &id, "--tier", "silver"]).output().exits(6).says("has begun");
    demo.person("admin-z").args(["contract", "set", &id, "--until", "2099-12-31", "-o", "table"]).output().ok().says("2099-12-31");
}
