//! Alarms end to end: a device on its own link, the API, and the commands that people type.

use lineman_common::alarm::{AlarmKey, AlarmReport, EventType, ProbableCause, ResourceState, Severity};
use lineman_common::link::Report;
use lineman_tests::{Demo, HostileDevice, eventually};
use serde_json::{Value, json};

fn said(alarm_type: &str, qualifier: &str, cause: ProbableCause) -> AlarmReport {
    AlarmReport {
        key: AlarmKey { alarm_type: alarm_type.into(), qualifier: qualifier.into() },
        state: ResourceState::Raised,
        severity: Severity::Major,
        event_type: EventType::Communications,
        probable_cause: cause,
        text: format!("{alarm_type} {qualifier}"),
        value: None,
        threshold: None,
        at: jiff::Timestamp::now(),
    }
}

/// A storm, its root after it, over a kill of the server; then what people do with what is left.
pub fn a_storm_is_one_fault_and_the_list_answers() {
    let demo = Demo::up(8);
    let engineer = demo.http(Some("engineer-a"));
    let person = |args: &[&str]| demo.person("engineer-a").args(args).output().ok().stdout;
    let one = |args: &[&str]| -> Value {
        let value = demo.person("engineer-a").args(args).output().json();
        value.as_array().and_then(|list| list.first()).cloned().unwrap_or(value)
    };

    // By commands: what hangs on what.
    person(&["equipment", "topology", "set", "ne-2.jw.ne", "--link", "ne-1"]);
    assert!(person(&["equipment", "topology", "show", "ne-1.jw.ne"]).contains("ne-2.jw.ne"));
    demo.person("engineer-a").args(["equipment", "topology", "set", "ne-1.jw.ne", "--link", "ne-2"]).output().exits(6).says("circle");

    // Children first, then their cause, on two links.
    let (leaf, top) = (HostileDevice::take_over(&demo, "ne-2"), HostileDevice::take_over(&demo, "ne-1"));
    for port in 0..1000 {
        leaf.report(&Report::Alarm(said("port.los", &format!("port-{port}"), ProbableCause::LossOfSignal)));
    }
    top.report(&Report::Alarm(said("uplink.down", "", ProbableCause::LossOfSignal)));
    leaf.acknowledged();
    top.acknowledged();
    let fault = eventually("the root's fault", || demo.open_fault("ne-1.jw.ne"))["number"].as_str().expect("a number").to_owned();
    let count = |query: &str| {
        // A connection of its own: the server is killed in between.
        let (http, mut found, mut after) = (demo.http(Some("engineer-a")), 0, String::new());
        loop {
            let page = http.get(&format!("/api/v1/alarms?limit=1000&{query}{after}")).ok();
            found += page["items"].as_array().map_or(0, Vec::len);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return found,
            }
        }
    };
    assert_eq!(count("suppressed=true&under=ne-1.jw.ne"), 1000);
    assert!(demo.open_fault("ne-2.jw.ne").is_err(), "its alarms are explained");
    let root = engineer.get("/api/v1/alarms?equipment=ne-1.jw.ne&text=uplink").ok()["items"][0].clone();
    let id = root["id"].as_str().expect("an id").to_owned();
    assert_eq!(root["fault"], fault.as_str());
    assert_eq!(engineer.get(&format!("/api/v1/alarms/{id}")).ok()["suppresses"], 1000);
    assert_eq!(count(&format!("root={id}")), 1000);

    // Who, when, why.
    demo.person("engineer-a").args(["alarm", "ack", &id]).output().exits(2);
    engineer.post(&format!("/api/v1/alarms/{id}/acknowledgement"), &json!({})).problem(422, "invalid");
    person(&["alarm", "ack", &id, "--why", "a digger"]);
    assert!(person(&["alarm", "show", &id]).contains("a digger"));
    let summary = engineer.get("/api/v1/alarms/summary").ok();
    assert!(summary["raised"].as_u64() >= Some(1001), "{summary}");
    person(&["alarm", "summary"]);

    // A window and a shelf, each with its own end.
    let window = one(&["alarm", "window", "plan", "ne-2.jw.ne", "--for", "1h", "--why", "splicing", "-o", "json"]);
    assert_eq!(window["state"], "active");
    eventually("the window covers its alarms", || match count("maintenance=true") {
        1000 => Ok(()),
        other => Err(other.to_string()),
    });
    person(&["alarm", "window", "end", window["id"].as_str().expect("an id"), "--why", "done"]);
    let shelf = one(&["alarm", "shelve", "--customer", "JW", "--type", "port.*", "--why", "one fibre", "-o", "json"]);
    eventually("the shelf holds them", || match count("shelved=true") {
        1000 => Ok(()),
        other => Err(other.to_string()),
    });
    assert!(person(&["alarm", "shelves", "list"]).contains("one fibre"));
    assert_eq!(demo.http(Some("noc-yw")).get("/api/v1/alarm-shelves").ok()["items"], json!([]));
    person(&["alarm", "unshelve", shelf["id"].as_str().expect("an id"), "--why", "done"]);

    // A server that is killed goes on where it was.
    demo.kill("server");
    let address = demo.server().trim_start_matches("https://").to_owned();
    eventually("it is gone", || match std::net::TcpStream::connect(&address) {
        Err(_) => Ok(()),
        Ok(_) => Err("it still takes connections".to_owned()),
    });
    let _server = demo.start_server();
    assert_eq!(count("suppressed=true&under=ne-1.jw.ne"), 1000);
    eventually("nothing is shelved any more", || match count("shelved=true") {
        0 => Ok(()),
        other => Err(other.to_string()),
    });

    // Rules and profiles are for few.
    assert!(person(&["alarm", "rule", "list"]).contains("link-down"));
    demo.person("engineer-a").args(["alarm", "rule", "off", "link-down", "--why", "x"]).output().exits(5);
    person(&["alarm", "rule", "dry-run", "--rule", "link-down"]);
    let admin = |args: &[&str]| demo.person("admin-z").args(args).output().ok();
    admin(&["alarm", "profile", "set", "port.*", "--severity", "warning", "--why", "few customers there"]);
    eventually("the profile counts", || match count("severity=warning&text=port.los") {
        1000 => Ok(()),
        other => Err(other.to_string()),
    });
    // Nothing of it has cleared: nothing is purged, and nobody is asked for nothing.
    demo.person("admin-z").args(["alarm", "purge", "--customer", "JW", "--why", "x"]).output().says("--yes");
    admin(&["alarm", "purge", "--customer", "JW", "--why", "x", "--dry-run"]);
}
