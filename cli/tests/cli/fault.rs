use jiff::{Timestamp, ToSpan};
use lineman_common::alarm::Severity;
use lineman_common::api::{
    CaseHit, CaseState, Clock, ClockState, Closed, Event, Fault, FaultPage, FaultRow, Interval, Language, List, Listing,
};
use lineman_common::error::ErrorCode;
use lineman_common::fault::{FaultStatus, Impact};
use lineman_common::id::FaultId;

use super::server::{Answer, Server, json, problem};
use super::{at, ends, lineman, run, run_with_stdin, stderr, stdout};

pub fn fault(serial: u32) -> Fault {
    let at = Timestamp::now() - 1.hours();
    Fault {
        id: FaultId::new(),
        number: format!("F-JW-{serial}").parse().unwrap(),
        customer: "JW".parse().unwrap(),
        equipment: Some("ne-1.jw.ne".parse().unwrap()),
        title: "风扇2\t停转 \x1b[2J".into(),
        description: "".into(),
        severity: Severity::Major,
        impact: Impact::Partial,
        status: FaultStatus::Accepted,
        pending_reason: None,
        owner: Some("engineer-a".parse().unwrap()),
        reported_by: "agent:ne-1.jw.ne".into(),
        reported_at: at,
        updated_at: at,
        proposes_restored: false,
        cause: None,
        plan: None,
        resolution: None,
        kind: lineman_common::fault::FaultKind::Fault,
        version: 1,
        customer_reference: None,
        resolved_at: None,
        problem: None,
        warnings: Vec::new(),
        duplicate_of: None,
    }
}

fn row(number: u32) -> FaultRow {
    FaultRow {
        fault: fault(number),
        customer_name: "JW".into(),
        tier: "gold".into(),
        site: None,
        product: None,
        model: None,
        clocks: Vec::new(),
        breached: false,
        trigger: None,
        repeats: 1,
        consent: None,
        live_sessions: 0,
        last: None,
    }
}

fn page(items: Vec<FaultRow>, next: Option<&str>) -> Listing<FaultRow> {
    Listing { items, next: next.map(str::to_owned), ..Listing::empty(Timestamp::now()) }
}

pub fn hit() -> CaseHit {
    CaseHit {
        number: "C-0007".parse().unwrap(),
        title: "Fan tray overheating".into(),
        language: Language::En,
        state: CaseState::Validated,
        score: 3.25,
        why: vec!["fan.speed".into()],
        solved: 4,
        highlights: Vec::new(),
    }
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_list_in_a_pipe_is_whole_and_safe() {
    let server = Server::start(|_, _| json(page(vec![row(1)], None)));
    let home = home();
    let output = run(&mut at(&server, home.path()), &["fault", "list"]);
    ends(&output, 0);
    let text = stdout(&output);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "number\tstatus\tseverity\tequipment\towner\tage\treported\ttitle");
    assert!(lines[1].starts_with("F-JW-1\taccepted\tmajor\tne-1.jw.ne\tengineer-a\t3600\t"), "{text}");
    assert!(lines[1].ends_with("\t风扇2\\t停转 \\u{1b}[2J"), "{text}");
    let asked = &server.asked()[0];
    assert_eq!((asked.header("authorization"), asked.query.as_str()), ("Bearer token-1", "limit=201"));
}

#[test]
fn a_list_has_other_forms() {
    let server = Server::start(|_, _| json(page(vec![row(1), row(2)], None)));
    let home = home();
    let list = |args: &[&str]| stdout(&run(&mut at(&server, home.path()), &[&["fault", "list"], args].concat()));
    let parsed: Vec<Fault> = serde_json::from_str(&list(&["-o", "json"])).unwrap();
    assert_eq!((parsed.len(), parsed[0].title.raw()), (2, "风扇2\t停转 \x1b[2J"));
    assert_eq!(list(&["-o", "jsonl"]).lines().filter(|line| serde_json::from_str::<Fault>(line).is_ok()).count(), 2);
    assert_eq!(list(&["--no-headers"]).lines().count(), 2);
    assert!(list(&["-o", "csv"]).starts_with("number,status,"));
    assert!(list(&["-o", "table"]).starts_with("NUMBER  STATUS"));
}

#[test]
fn long_lists_are_read_page_by_page() {
    let server = Server::start(|_, asked| {
        let second = asked.query.contains("after=p2");
        json(page(vec![row(if second { 2 } else { 1 })], (!second).then_some("p2")))
    });
    let home = home();
    let output = run(&mut at(&server, home.path()), &["fault", "list", "--no-headers"]);
    assert_eq!(stdout(&output).lines().count(), 2);
    let output = run(&mut at(&server, home.path()), &["fault", "list", "--no-headers", "--limit", "1"]);
    assert_eq!(stdout(&output).lines().count(), 1);
    assert!(stderr(&output).contains("there are more"), "{}", stderr(&output));
}

#[test]
fn every_kind_of_no_has_its_exit_code() {
    let home = home();
    for (code, exit) in [
        (ErrorCode::NotFound, 3),
        (ErrorCode::Unauthenticated, 4),
        (ErrorCode::Forbidden, 5),
        (ErrorCode::Conflict, 6),
        (ErrorCode::Unavailable, 7),
        (ErrorCode::Invalid, 1),
    ] {
        let server = Server::start(move |_, _| problem(code, "what was wrong"));
        let output = run(&mut at(&server, home.path()), &["fault", "accept", "F-JW-1"]);
        ends(&output, exit);
        assert!(stderr(&output).starts_with("error: what was wrong"), "{}", stderr(&output));
        assert!(stderr(&output).contains("request id: req-7"));
        assert_eq!(stdout(&output), "");

        let output = run(&mut at(&server, home.path()), &["-o", "json", "fault", "accept", "F-JW-1"]);
        let error: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
        assert_eq!((error["error"]["code"].as_str(), error["error"]["exit"].as_i64()), (Some(code.as_str()), Some(i64::from(exit))));
    }
}

#[test]
fn a_server_that_is_not_there_and_wrong_usage_have_theirs() {
    let home = home();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = run(lineman(home.path()).env("LINEMAN_SERVER", format!("https://{free}")), &["fault", "list"]);
    ends(&output, 7);
    assert!(stderr(&output).contains("is the server running"), "{}", stderr(&output));
    ends(&run(&mut lineman(home.path()), &["fault", "list"]), 2);
    ends(&run(&mut lineman(home.path()), &["fault", "list", "-o", "yaml"]), 2);
    ends(&run(&mut lineman(home.path()), &["fault", "frobnicate"]), 2);
    ends(&run(lineman(home.path()).env("LINEMAN_SERVER", "http://support.example"), &["fault", "list"]), 2);
}

#[test]
fn something_else_than_a_lineman_server_is_said() {
    let server = Server::start(|_, _| Answer(axum::http::StatusCode::BAD_GATEWAY, "text/html", "<h1>proxy</h1>\x1b[2J".into()));
    let output = run(&mut at(&server, home().path()), &["fault", "list"]);
    ends(&output, 1);
    assert!(stderr(&output).contains("502") && stderr(&output).contains("Lineman server"), "{}", stderr(&output));
    assert!(!stderr(&output).contains('\x1b'));
}

#[test]
fn filing_shows_similar_cases_first() {
    let server = Server::start(|route, _| match route {
        "POST /api/v1/cases/suggest" => json(List::from(vec![hit()])),
        "POST /api/v1/cases/signals" => json(lineman_common::api::SignalsStored { offers: 1 }),
        "POST /api/v1/faults" => json(fault(3)),
        other => panic!("{other}"),
    });
    let args = ["fault", "new", "--equipment", "ne-1.jw.ne", "--title", "风扇停转", "--impact", "partial"];
    let output = run(&mut at(&server, home().path()), &args);
    ends(&output, 0);
    assert!(stdout(&output).contains("F-JW-3") && !stdout(&output).contains("C-0007"), "{}", stdout(&output));
    let talk = stderr(&output);
    assert!(talk.contains("before you file") && talk.matches("C-0007").count() == 1, "{talk}");
    let body = server.body("POST", "/api/v1/faults");
    assert_eq!(
        (body["title"].as_str(), body["impact"].as_str(), body["equipment"].as_str()),
        (Some("风扇停转"), Some("partial"), Some("ne-1.jw.ne"))
    );
}

#[test]
fn the_steps_of_a_fault_send_what_they_say() {
    let server = Server::start(|route, _| match route {
        "POST /api/v1/faults/F-JW-1/closure" => json(Closed { fault: fault(1), case: Some("C-0041".parse().unwrap()) }),
        _ => json(fault(1)),
    });
    let home = home();
    let go = |args: &[&str]| {
        let output = run(&mut at(&server, home.path()), &[&["fault"], args].concat());
        ends(&output, 0);
        output
    };
    go(&["accept", "F-JW-1"]);
    go(&["diagnose", "F-JW-1", "--cause", "fan 2 stopped", "--plan", "reset it"]);
    go(&["restore", "F-JW-1"]);
    go(&["resolve", "F-JW-1", "--channel", "remote", "--note", "fan 2 reset"]);
    let closed = go(&["close", "F-JW-1", "--publish-case"]);
    assert!(stderr(&closed).contains("C-0041"));
    assert_eq!(server.body("POST", "/api/v1/faults/F-JW-1/diagnosis")["plan"], "reset it");
    assert_eq!(server.body("POST", "/api/v1/faults/F-JW-1/resolution")["channel"], "remote");
    assert_eq!(server.body("POST", "/api/v1/faults/F-JW-1/closure")["publish_case"], true);
    let output = run_with_stdin(&mut at(&server, home.path()), &["fault", "note", "F-JW-1", "-", "--internal"], "two\nlines");
    ends(&output, 0);
    assert_eq!(server.body("POST", "/api/v1/faults/F-JW-1/notes"), serde_json::json!({"text": "two\nlines", "internal": true}));
}

fn clock(breached: bool) -> Clock {
    let from = Timestamp::now() - 2.hours();
    Clock {
        name: "K6".into(),
        what: "restore".into(),
        state: ClockState::Running,
        breached,
        target_s: Some(3600),
        elapsed_s: 5400,
        percent: Some(150),
        deadline_at: None,
        coverage: "24x7".into(),
        warnings: Vec::new(),
        targets: Vec::new(),
        intervals: vec![
            Interval { from, to: Some(from + 1.hours()), counted: true, why: "running".into() },
            Interval { from: from + 1.hours(), to: None, counted: false, why: "pending: access".into() },
        ],
    }
}

#[test]
fn a_breached_clock_is_explained_and_has_an_exit_code() {
    for (breached, exit) in [(true, 8), (false, 0)] {
        let server = Server::start(move |_, _| json(List::from(vec![clock(breached)])));
        let output = run(&mut at(&server, home().path()), &["fault", "clock", "F-JW-1"]);
        ends(&output, exit);
        assert!(stdout(&output).contains("K6\trestore\t"), "{}", stdout(&output));
        assert!(stdout(&output).contains("\tno\tpending: access"), "{}", stdout(&output));
        assert_eq!(stderr(&output).contains("breached: K6 (restore)"), breached);
    }
}

#[test]
fn a_page_shows_the_evidence() {
    let event = Event {
        seq: 1,
        kind: "fault.reported".into(),
        fault: None,
        equipment: None,
        actor: "agent:ne-1.jw.ne".into(),
        occurred_at: Timestamp::now(),
        recorded_at: Timestamp::now(),
        text: "fan-2 speed 0 rpm".into(),
        data: serde_json::Value::Null,
        internal: false,
    };
    let page = FaultPage {
        fault: fault(1),
        alarms: Vec::new(),
        clocks: vec![clock(false)],
        timeline: vec![event],
        similar: vec![hit()],
        duplicates: Vec::new(),
        around: lineman_common::api::FaultAround::default(),
    };
    let server = Server::start(move |route, _| match route {
        "GET /api/v1/faults/F-JW-1" => json(&page),
        _ => problem(ErrorCode::Forbidden, "not yours"),
    });
    let output = run(&mut at(&server, home().path()), &["fault", "show", "F-JW-1"]);
    ends(&output, 0);
    let text = stdout(&output);
    for part in ["number\tF-JW-1", "# clocks", "# similar cases", "Fan tray overheating", "# timeline", "fan-2 speed 0 rpm"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(stderr(&output).contains("the health of ne-1.jw.ne can't be shown: not yours"));
}

#[test]
fn events_are_resumed_where_they_broke_off() {
    let server = Server::start(|_, asked| {
        let from: u64 = asked.header("last-event-id").parse().unwrap_or(0);
        let event = |seq: u64| {
            let event = serde_json::json!({"seq": seq, "kind": "fault.noted", "actor": "noc-c", "occurred_at": "2026-11-22T00:00:00Z",
                "recorded_at": "2026-11-22T00:00:00Z", "text": "x", "data": {}});
            format!("id: {seq}\nevent: fault\ndata: {event}\n\n")
        };
        Answer(
            axum::http::StatusCode::OK,
            "text/event-stream",
            format!(": hello\n\nevent: beat\ndata: {{\"now\":\"x\"}}\n\n{}{}", event(from + 1), event(from + 2)),
        )
    });
    let output = run(&mut at(&server, home().path()), &["events", "--topics", "fault", "--after", "10", "--count", "3", "-o", "jsonl"]);
    ends(&output, 0);
    let seqs: Vec<u64> = stdout(&output).lines().map(|line| serde_json::from_str::<Event>(line).unwrap().seq).collect();
    assert_eq!(seqs, [11, 12, 13]);
    assert_eq!(server.asked().iter().map(|asked| asked.header("last-event-id").to_owned()).collect::<Vec<_>>(), ["10", "12"]);
    assert_eq!(server.asked()[0].query, "topics=fault");
}

#[test]
fn any_route_can_be_called() {
    let server = Server::start(|_, asked| json(&asked.body));
    let home = home();
    let output = run(&mut at(&server, home.path()), &["api", "POST", "faults/F-JW-1/notes", "-f", "text=seen", "-F", "internal=true"]);
    ends(&output, 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&stdout(&output)).unwrap(), serde_json::json!({"text": "seen", "internal": true}));
    ends(&run(&mut at(&server, home.path()), &["api", "GET", "/api/v1/faults", "-f", "status=all"]), 0);
    assert_eq!(server.asked()[1].query, "status=all");
    ends(&run(&mut at(&server, home.path()), &["api", "GET", "//evil.example/"]), 2);
}
