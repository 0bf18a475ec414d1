//! Search through the server's own door: filters, facets, notes, highlights, who sees what, and texts that mean harm; and the bench.

use std::process::{Command, Stdio};

use lineman_tests::{Demo, Http, bin, run};
use serde_json::{Value, json};

/// Percent-encoded whole, so that nothing of a question is taken for the address.
fn path(question: &str, more: &str) -> String {
    let encoded = question.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    format!("/api/v1/cases?q={encoded}{more}")
}

fn ask(http: &Http, question: &str, more: &str) -> Value {
    http.get(&path(question, more)).ok()
}

fn numbers(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().expect("items").iter().filter_map(|hit| hit["number"].as_str()).collect()
}

fn case(http: &Http, title: &str, audience: &str) -> String {
    let body = json!({
        "zh": {"title": title, "symptom": "二号风扇转速为零", "resolution": "更换风扇"},
        "equipment": [{"product": "OLT", "model": "F7000", "versions": "5.2..5.4"}], "codes": ["FND-77001"], "audience": audience
    });
    http.post("/api/v1/cases", &body).ok()["number"].as_str().expect("a number").to_owned()
}

/// A question finds what was just saved, says where it matched, and is narrowed by filters.
pub fn what_is_saved_is_found_with_filters_facets_and_highlights(demo: &Demo) {
    let engineer = demo.http(Some("engineer-a"));
    let number = case(&engineer, "风扇停转需更换（寻找）", "internal");
    for question in
        ["FND-77001", "fnd77001", "FND 77001", "ＦＮＤ－７７００１", "77001", "code:FND-77001", "model:f7000 version:5.3", &number]
    {
        assert_eq!(numbers(&ask(&engineer, question, "")).first(), Some(&number.as_str()), "{question}");
    }
    assert!(!numbers(&ask(&engineer, "FND-77001 -model:F7000", "")).contains(&number.as_str()));
    assert!(!numbers(&ask(&engineer, "风扇停转 version:5.5", "")).contains(&number.as_str()));
    let answer = ask(&engineer, "风扇停转 model:F7000", "&facets=true");
    assert_eq!((answer["total"].as_u64(), answer["items"][0]["highlights"][0]["spans"].clone()), (Some(1), json!([[0, 4]])));
    let state = answer["facets"].as_array().expect("facets").iter().find(|facet| facet["facet"] == "state").expect("by state");
    assert_eq!(state["values"], json!([{"value": "wip", "count": 1}]));
    let typed = ask(&engineer, "model:F7000 FND-7700", "&typing=true");
    assert!(typed["notes"].is_null() || typed["notes"].is_array());
    let refused = engineer.get(&path("modle:F7000", "")).problem(422, "invalid").body;
    assert!(refused["title"].as_str().is_some_and(|title| title.contains("did you mean `model:`")), "{refused}");

    // The carrier's people learn nothing of it, from no part of an answer.
    let noc = demo.http(Some("noc-jw"));
    for question in ["FND-77001", "风扇停转需更换（寻找）", &number, "model:F7000", "product:OLT", ""] {
        let answer = ask(&noc, question, "&facets=true");
        assert!(!numbers(&answer).contains(&number.as_str()), "{question}");
        let told = answer.to_string();
        assert!(!told.contains("F7000") && !told.contains("internal") && !told.contains("audience"), "{question}: {told}");
    }
}

/// What is typed is only ever text.
pub fn no_question_is_an_error(demo: &Demo) {
    let engineer = demo.http(Some("engineer-a"));
    let long = "风扇 fan ALM-25621 ".repeat(400);
    for question in [
        "\"",
        "'",
        "\" OR \"",
        "*",
        "fan*",
        "NEAR(fan board)",
        "title:fan",
        "-fan",
        "NOT",
        "(",
        "^fan",
        "'; DROP TABLE library_case; --",
        "1' OR '1'='1",
        "\0fan\u{1b}[2J",
        "😀👩‍👩‍👧",
        "\u{202e}naf",
        "مروحة توقفت",
        "風扇 вентилятор fan 팬",
        "(a+)+$",
        "?",
        "%",
        "的",
        "a",
        "扇",
        "\u{feff}",
        "http://x/?a=b&c=d",
        "ALM:25621",
        "10:30",
        ".*.*.*.*x",
        "${jndi:ldap://x}",
        "<script>alert(1)</script>",
        &"(".repeat(2_500),
        &long,
    ] {
        let answer = ask(&engineer, question, "&facets=true");
        assert!(answer["items"].is_array(), "{question}");
    }
}

/// Every part of it runs on a made-up set, whose right answers are plain; what the figures of the rest are is not this test's business.
pub fn the_cases_bench_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let set = dir.path().join("tiny");
    std::fs::create_dir(&set).expect("a folder");
    let lines = |lines: &[Value]| lines.iter().fold(String::new(), |text, line| text + &format!("{line}\n"));
    let documents = lines(&[
        json!({"id": "d1", "title": "Fan tray overheats the board", "text": "The fan stopped.\nThe board got hot."}),
        json!({"id": "d2", "title": "", "text": "磁盘空间不足，日志写满"}),
        json!({"id": "d3", "title": "Clock out of sync", "text": "bit errors rise"}),
    ]);
    let questions = lines(&[
        json!({"id": "q1", "text": "fan tray overheating", "body": "", "exclude": []}),
        json!({"id": "q2", "text": "磁盘满了", "body": "", "exclude": []}),
        json!({"id": "q3", "text": "clock sync lost", "body": "", "exclude": ["d3"]}),
    ]);
    std::fs::write(set.join("docs.jsonl"), documents).expect("documents");
    std::fs::write(set.join("queries.jsonl"), questions).expect("questions");
    std::fs::write(set.join("qrels.tsv"), "q1\td1\t1\nq2\td2\t1\n").expect("grades");
    let bench = |args: &[&str]| {
        let mut command = Command::new(bin("bench-cases"));
        run(command.args(args).env("BENCH_DIR", dir.path()).env("SMOKE", "1").stdin(Stdio::null()))
    };
    let folder = set.to_str().expect("a path");
    bench(&["--data", folder]).ok();
    let report: Value = serde_json::from_str(&std::fs::read_to_string(dir.path().join("cases.json")).expect("a report")).expect("JSON");
    for metric in ["tiny.words.ndcg10", "tiny.words.mrr10", "tiny.words.recall10"] {
        assert_eq!(report["metrics"][metric]["value"], 1.0, "{report:#}");
    }
    assert!(
        report["metrics"]["tiny.fts5_trigram.ndcg10"]["value"].is_number()
            && report["metrics"]["tiny.fts5_bigram.ndcg10"]["value"].is_number()
    );
    let written = std::fs::read_to_string(dir.path().join("cases/tiny/run.tsv")).expect("a run");
    assert!(written.lines().next().is_some_and(|line| line.starts_with("q1\td1\t")), "{written}");
    bench(&[]).ok().says("no retrieval set was given");
    bench(&["--data", "/nowhere"]).exits(1).says("no retrieval set");
    bench(&["--data", folder, "--limit", "0"]).exits(1).says("--limit");
}
