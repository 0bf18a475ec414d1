//! Figures: each number leads to exactly its faults, in every form, for everybody as far as they may see.

use std::process::{Command, Stdio};

use lineman_tests::{Demo, Http, bin, run};
use serde_json::{Value, json};

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("no list `{name}` in {value}"))
}

/// All pages of a list.
fn pages(http: &Http, path: &str) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let page = http.get(&format!("{path}{after}")).ok();
        items.extend(list(&page, "items").iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return items,
        }
    }
}

/// Three faults: one accepted and solved on site, one only reported, one rejected.
fn live(demo: &Demo) -> Vec<String> {
    let (noc, engineer) = (demo.http(Some("noc-jw")), demo.http(Some("engineer-a")));
    let file = |title: &str| {
        let filed = json!({"equipment": "ne-4.jw.ne", "title": title, "impact": "none", "started_at": "2026-01-01T00:00:00Z"});
        noc.post("/api/v1/faults", &filed).ok()["number"].as_str().expect("a number").to_owned()
    };
    let numbers: Vec<_> = ["=cmd()", "second", "third"].iter().map(|title| file(title)).collect();
    let step = |number: &str, step: &str, body: Value| engineer.post(&format!("/api/v1/faults/{number}/{step}"), &body).ok();
    step(&numbers[0], "accept", json!({}));
    step(&numbers[0], "diagnosis", json!({"cause": "Fan  worn", "plan": "replace"}));
    step(&numbers[0], "restoration", json!({"waiver": "seen by the engineer"}));
    step(&numbers[0], "resolution", json!({"channel": "onsite", "cause": "fan worn", "note": "replaced"}));
    step(&numbers[2], "rejection", json!({"reason": "not ours"}));
    numbers
}

pub fn each_figure_leads_to_its_faults(demo: &Demo) {
    let numbers = live(demo);
    let engineer = demo.http(Some("engineer-a"));
    let report = engineer.get("/api/v1/reports?customer=JW&zone=Asia/Shanghai").ok();
    let (as_of, row) = (report["as_of"].as_str().expect("a time"), &list(&report, "rows")[0]);
    let window = format!(
        "customer=JW&zone=Asia/Shanghai&as_of={as_of}&from={}&until={}",
        report["from"].as_str().expect("a time"),
        report["until"].as_str().expect("a time")
    );
    for figure in list(row, "figures") {
        let name = figure["figure"].as_str().expect("a name");
        for part in ["numerator", "denominator"] {
            let path = format!("/api/v1/reports/figures/{name}/faults?{window}&part={part}&limit=3");
            let listed = pages(&engineer, &path);
            assert_eq!(Some(listed.len() as u64), figure[part].as_u64(), "{name} {part}: {figure}");
            assert!(listed.iter().all(|one| one["customer"] == "JW"));
        }
        if figure["denominator"] == 0 {
            assert_eq!(figure["value"], Value::Null, "{figure}");
        }
    }
    // Who is where, by hand.
    let in_list = |figure: &str, part: &str, number: &str| {
        let listed = pages(&engineer, &format!("/api/v1/reports/figures/{figure}/faults?{window}&part={part}&limit=5000"));
        listed.iter().any(|one| one["fault"] == number)
    };
    assert!(in_list("faults", "denominator", &numbers[0]) && in_list("faults", "denominator", &numbers[1]));
    assert!(!in_list("faults", "denominator", &numbers[2]), "a rejected fault is none");
    assert!(in_list("remote_resolution", "denominator", &numbers[0]) && !in_list("remote_resolution", "numerator", &numbers[0]));
    assert!(in_list("diagnosis_accuracy", "numerator", &numbers[0]), "other capitals are no other cause");
    assert!(in_list("late_entry", "numerator", &numbers[1]), "it began long before it was filed");
    // The same moment, the same report.
    assert_eq!(engineer.get(&format!("/api/v1/reports?{window}")).ok(), report);
    // Groups add up to the whole.
    let grouped = engineer.get(&format!("/api/v1/reports?{window}&by=severity,product,day&figure=faults")).ok();
    let sum: u64 = list(&grouped, "rows").iter().map(|row| row["figures"][0]["denominator"].as_u64().expect("a count")).sum();
    let faults = list(row, "figures").iter().find(|figure| figure["figure"] == "faults").expect("a figure");
    assert_eq!(Some(sum), faults["denominator"].as_u64());
}

pub fn reports_come_in_every_form_and_for_each_reader_their_own(demo: &Demo) {
    let numbers = live(demo);
    let (engineer, noc, stranger) = (demo.http(Some("engineer-a")), demo.http(Some("noc-jw")), demo.http(Some("noc-yw")));
    let csv = engineer.get("/api/v1/reports?by=customer,product&format=csv");
    let text = csv.body.as_str().expect("text");
    assert!(csv.content_type.starts_with("text/csv") && text.starts_with("customer,product,from,until,figure,value,"), "{text}");
    assert!(
        text.lines().all(|line| !line.contains("NaN") && line.split(',').all(|cell| !cell.starts_with(['=', '+', '-', '@']))),
        "{text}"
    );
    let events = engineer.get("/api/v1/reports/events?customer=JW&format=csv&limit=5000");
    assert!(events.body.as_str().is_some_and(|text| text.starts_with("seq,kind,fault,") && !text.contains(",=")), "{events:?}");
    // Another customer's numbers, lists and events hold nothing of JW.
    for path in
        ["reports?by=customer", "reports/figures/faults/faults?limit=5000", "reports/figures/faults/faults?customer=JW", "reports/events"]
    {
        let reply = stranger.get(&format!("/api/v1/{path}"));
        assert!(reply.status == 200 && !reply.body.to_string().contains("JW"), "{reply:?}");
    }
    let own = pages(&noc, "/api/v1/reports/figures/faults/faults?limit=5000");
    assert!(own.iter().any(|one| one["fault"] == numbers[1].as_str()));
    assert!(own.iter().all(|one| one["customer"] == "JW"));
    assert!(pages(&noc, "/api/v1/reports/events?limit=700").iter().all(|event| event["internal"] != true));
    // What is asked wrongly is answered in words.
    engineer.get("/api/v1/reports?zone=Mars/Olympus").problem(422, "invalid");
    engineer.get("/api/v1/reports?by=day,month").problem(422, "invalid");
    engineer.get("/api/v1/reports?by=colour").problem(422, "invalid");
    engineer.get("/api/v1/reports?from=2026-02-30").problem(422, "invalid");
    engineer.get("/api/v1/reports/figures/luck/faults").problem(404, "not_found");
    // The same by `lineman`.
    let lineman = |args: &[&str]| demo.person("engineer-a").args([&["report"], args].concat()).output().ok();
    let definitions = lineman(&["--definitions", "--json"]).json();
    assert!(definitions.as_array().is_some_and(|list| list.len() == 20 && list.iter().all(|one| one["name"]["zh"].is_string())));
    let report = lineman(&["--last", "1d", "--customer", "JW", "--by", "severity", "--figure", "mtta,mttr", "--json"]).json();
    assert_eq!(list(&list(&report, "rows")[0], "figures").len(), 2, "{report}");
    lineman(&["--last", "1d", "-o", "table"]).says("remote_resolution").says("78 %");
    lineman(&["--last", "1d", "--csv"]).says("figure,value,unit");
    lineman(&["--last", "1d", "--customer", "JW", "--faults", "faults", "--csv"]).says(&numbers[0]);
    let told = lineman(&["events", "--customer", "JW", "--jsonl"]).stdout;
    let reported =
        told.lines().filter(|line| line.contains("\"fault.reported\"") && numbers.iter().any(|n| line.contains(&format!("\"{n}\""))));
    assert_eq!(reported.count(), 3);
}

/// Every part of it runs, and says what it is held to; what the figures are is not this test's business.
pub fn the_faults_bench_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let bench = |args: &[&str]| run(Command::new(bin("bench-faults")).args(args).env("BENCH_DIR", dir.path()).stdin(Stdio::null()));
    let out = bench(&["--small", "--json"]).ok();
    let report: Value = serde_json::from_str(&out.stdout).expect("JSON");
    let written = std::fs::read_to_string(dir.path().join("faults.json")).expect("a report");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), report);
    let metrics = report["metrics"].as_object().expect("metrics");
    let goals = metrics.values().filter(|metric| metric["met"].is_boolean()).count();
    assert_eq!(goals, 11, "{report:#}");
    for nothing in ["events.lost", "storm.lost", "clocks.missing"] {
        assert_eq!(metrics[nothing]["value"], 0.0, "{report:#}");
    }
    assert_eq!(metrics["storm.faults"]["value"], 1.0, "{report:#}");
    bench(&["--small", "--only", "luck"]).exits(1).says("luck");
}
