//! The library over the wire and by command: two people on one case, duplicates, readers, what nobody found.

use lineman_tests::{Demo, Http, eventually};
use reqwest::Method;
use serde_json::{Value, json};

/// A case of its own for each test, by `engineer-a`.
fn written(demo: &Demo, word: &str, audience: &str) -> String {
    let text = json!({"title": format!("{word} stops"), "symptom": format!("{word} hums"), "steps": "restart it"});
    let body = json!({"en": text, "equipment": [{"product": "OLT", "model": "C320"}], "audience": audience});
    let case = demo.http(Some("engineer-a")).post("/api/v1/cases", &body).ok();
    case["number"].as_str().expect("a number").to_owned()
}

fn published(demo: &Demo, word: &str, audience: &str) -> String {
    let case = written(demo, word, audience);
    demo.person("engineer-a").args(["case", "submit", &case]).output().ok();
    demo.person("engineer-b").args(["case", "publish", &case]).output().ok();
    case
}

fn fault(demo: &Demo, title: &str) -> String {
    let new = json!({"equipment": "ne-4.jw.ne", "title": title, "impact": "none"});
    demo.http(Some("noc-jw")).post("/api/v1/faults", &new).ok()["number"].as_str().expect("a number").to_owned()
}

fn found(http: &Http, question: &str) -> Vec<String> {
    let answer = http.get(&format!("/api/v1/cases?q={question}")).ok();
    answer["items"].as_array().into_iter().flatten().filter_map(|hit| Some(hit["number"].as_str()?.to_owned())).collect()
}

pub fn a_case_is_reviewed_sent_back_edited_and_brought_back(demo: &Demo) {
    let case = written(demo, "quillion", "internal");
    let scratch = demo.scratch("library");
    let file = scratch.join("case.toml").display().to_string();
    let (author, reviewer) = (|| demo.person("engineer-a"), || demo.person("engineer-b"));
    author().args(["case", "submit", &case]).output().ok();
    let waits = reviewer().args(["case", "reviews", "--mine", "-o", "json"]).output().json();
    let item = waits.as_array().into_iter().flatten().find(|item| item["number"] == case.as_str()).expect("it waits").clone();
    assert_eq!((&item["why"], &item["may_review"]), (&json!("submitted"), &json!(true)));
    let own = author().args(["case", "reviews", "--mine", "-o", "json"]).output().json();
    assert!(!own.to_string().contains(&case), "nobody reviews what they wrote: {own}");

    reviewer().args(["case", "claim", &case]).output().ok();
    demo.person("admin-z").args(["case", "publish", &case]).output().exits(6).says("engineer-b is reviewing it");
    reviewer().args(["case", "return", &case]).output().exits(2);
    reviewer().args(["case", "return", &case, "--reason", "which quillion?"]).output().ok();
    author().args(["case", "show", &case]).output().ok().says("which quillion?");

    // Two edits of one version: the second is refused with both texts.
    let text = |steps: &str| format!("[en]\ntitle = \"quillion stops\"\nsymptom = \"quillion hums\"\nsteps = \"{steps}\"\n");
    std::fs::write(&file, text("restart it twice")).expect("a file");
    author().args(["case", "edit", &case, "--file", &file, "--note", "twice is needed"]).output().ok();
    std::fs::write(&file, text("kick it")).expect("a file");
    reviewer().args(["case", "edit", &case, "--file", &file, "--seen", "1"]).output().exits(6).says("kick it").says("restart it twice");
    let http = demo.http(Some("engineer-b"));
    let body = json!({"en": {"title": "quillion stops"}});
    http.put(&format!("/api/v1/cases/{case}"), &body).problem(428, "precondition_required");

    author().args(["case", "versions", &case]).output().ok().says("twice is needed");
    author().args(["case", "versions", &case, "--show", "1"]).output().ok().says("restart it");
    let diff = author().args(["case", "diff", &case, "-o", "json"]).output().json();
    let steps = diff["fields"].as_array().into_iter().flatten().find(|field| field["field"] == "steps").expect("steps").clone();
    assert_eq!(steps["pieces"], json!([{"op": "same", "text": "restart it"}, {"op": "added", "text": " twice"}]));
    author().args(["case", "restore", &case, "1", "--note", "once is enough"]).output().ok();
    let now = author().args(["case", "show", &case, "-o", "json"]).output().json();
    assert_eq!((&now["version"], &now["en"]["steps"]), (&json!(3), &json!("restart it")));

    author().args(["case", "submit", &case]).output().ok();
    author().args(["case", "publish", &case]).output().exits(5).says("somebody else");
    reviewer().args(["case", "publish", &case]).output().ok();
    assert!(found(&http, "quillion").contains(&case));
    author().args(["case", "archive", &case, "--yes"]).output().ok();
    assert!(!found(&http, "quillion").contains(&case));
    author().args(["case", "unarchive", &case]).output().ok();
    let waits = reviewer().args(["case", "reviews", "-o", "json"]).output().json();
    assert!(waits.as_array().into_iter().flatten().any(|item| item["number"] == case.as_str() && item["why"] == "unarchived"), "{waits}");

    // Owners.
    author().args(["case", "handover", &case, "--to", "engineer-b", "--reason", "knows quillions"]).output().ok().says("engineer-b");
    author().args(["case", "handover", &case, "--to", "noc-jw"]).output().exits(1).says("noc-jw");
    let mine = reviewer().args(["case", "list", "--owner", "me", "-o", "json"]).output().json();
    assert!(mine.to_string().contains(&case));
}

pub fn the_number_of_a_duplicate_answers_with_the_other_case(demo: &Demo) {
    let (one, two) = (published(demo, "zorbel", "internal"), published(demo, "zorbelmat", "internal"));
    let fault = fault(demo, "zorbel is loud");
    let engineer = || demo.person("engineer-a");
    engineer().args(["case", "link", &one, "--fault", &fault, "--verdict", "solved"]).output().ok();
    engineer().args(["case", "merge", &one, "--into", &two]).output().ok().says(&two);
    engineer().args(["case", "show", &one]).output().ok().says(&format!("{one} is the same as {two}"));
    let asked = engineer().args(["case", "show", &one, "-o", "json"]).output().json();
    assert_eq!((&asked["number"], &asked["asked_as"], &asked["solved"]), (&json!(two), &json!(one), &json!(1)));
    engineer().args(["case", "merge", &two, "--into", &one]).output().exits(6).says("itself");
    engineer().args(["case", "archive", &one, "--yes"]).output().exits(6).says(&two);
    let links = engineer().args(["case", "links", &two, "-o", "json"]).output().json();
    assert_eq!((&links[0]["fault"], &links[0]["of"]), (&json!(fault), &json!(one)));
    let http = demo.http(Some("engineer-a"));
    assert!(!found(&http, "zorbel").contains(&one), "search shows it no more");
    engineer().args(["case", "unmerge", &one]).output().ok();
    assert!(found(&http, "zorbel").contains(&one));
    let back = engineer().args(["case", "show", &one, "-o", "json"]).output().json();
    assert_eq!((&back["number"], &back["state"], &back["solved"]), (&json!(one), &json!("validated"), &json!(1)));

    // A wrong link says why and doubts the case; taken away, the link is gone and the doubt is for people to answer.
    engineer().args(["case", "link", &two, "--fault", &fault, "--verdict", "wrong"]).output().exits(2);
    http.post(&format!("/api/v1/cases/{two}/links"), &json!({"fault": fault, "verdict": "wrong"})).problem(422, "invalid");
    let wrong = ["case", "link", &two, "--fault", &fault, "--verdict", "wrong", "--reason", "another model"];
    engineer().args(wrong).output().ok().says("wrong_link");
    engineer().args(["case", "list", "--flag", "wrong_link"]).output().ok().says(&two);
    engineer().args(["case", "flags", &two]).output().ok().says("another model");
    engineer().args(["case", "unlink", &two, "--fault", &fault, "--reason", "mistyped"]).output().ok();
    demo.person("engineer-b").args(["case", "confirm", &two, "--note", "fits the C320"]).output().ok();
    engineer().args(["case", "flags", &two]).output().ok().says("fits the C320");
}

pub fn customers_read_judge_and_doubt_what_is_published_for_them(demo: &Demo) {
    let (internal, public) = (published(demo, "grumkin", "internal"), published(demo, "flumkin", "customer"));
    let (noc, stranger) = (demo.http(Some("noc-jw")), demo.http(Some("noc-yw")));
    let engineer = demo.http(Some("engineer-a"));
    // Whatever the route: an internal case is not there.
    let api = engineer.get("/api/v1/openapi.json").ok();
    let mut asked = 0;
    for (path, methods) in api["paths"].as_object().expect("paths").iter().filter(|(path, _)| path.contains("/cases/{case}")) {
        for method in methods.as_object().expect("methods").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let concrete = path.replace("{case}", &internal).replace("{version}", "1");
            let body = body_of(path);
            let body = (method != Method::GET).then(|| ("application/json", body.to_string().into_bytes()));
            let reply = noc.send(method.clone(), &concrete, body.clone());
            assert!(matches!(reply.status, 400 | 403 | 404 | 422), "{method} {path}: {reply:?}");
            assert!(!reply.body.to_string().contains("grumkin"), "{reply:?}");
            let other = noc.send(method.clone(), &concrete.replace(&internal, "C-999999"), body);
            assert_eq!((reply.status, &reply.body["title"]), (other.status, &other.body["title"]), "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 20, "only {asked} routes");

    demo.person("noc-jw").args(["case", "feedback", &public, "--no", "--comment", "step 1 fails"]).output().ok();
    demo.person("noc-jw").args(["case", "feedback", &public, "--yes", "--comment", "JW-SECRET-COMMENT"]).output().ok();
    let all = demo.person("engineer-a").args(["case", "feedback", &public, "-o", "json"]).output().json();
    assert_eq!((all.as_array().map(Vec::len), &all[0]["helpful"], &all[0]["customer"]), (Some(1), &json!(true), &json!("JW")));
    assert_eq!(stranger.get(&format!("/api/v1/cases/{public}/feedback")).ok()["items"], json!([]));
    assert_eq!(noc.get(&format!("/api/v1/cases/{public}/feedback")).ok()["items"].as_array().map(Vec::len), Some(1));

    demo.person("noc-jw").args(["case", "doubt", &public, "--reason", "JW-SECRET-DOUBT"]).output().ok();
    demo.person("engineer-a").args(["case", "flags", &public]).output().ok().says("JW-SECRET-DOUBT");
    for (http, path) in [(&stranger, "flags"), (&stranger, "links"), (&noc, "flags")] {
        assert_eq!(http.get(&format!("/api/v1/cases/{public}/{path}")).ok()["items"], json!([]), "{path}");
    }
    let theirs = stranger.get(&format!("/api/v1/cases/{public}")).ok();
    for internal in ["flags", "review", "returned", "same_as", "duplicates", "to_translate"] {
        assert!(theirs.get(internal).is_none(), "{internal}: {theirs}");
    }
    noc.get(&format!("/api/v1/cases/{public}/versions")).problem(404, "not_found");
    assert_eq!(noc.get("/api/v1/cases/all?flag=reader&owner=engineer-a").ok()["items"], json!([]), "a filter tells nothing");
    noc.get("/api/v1/cases?q=flag:reader").problem(422, "invalid");
    let engineer = demo.http(Some("engineer-a"));
    let flagged = engineer.get("/api/v1/cases?q=flag:reader&limit=100").ok();
    assert!(flagged["items"].as_array().is_some_and(|items| items.iter().any(|hit| hit["number"] == public.as_str())), "{flagged}");
    assert!(["whole", "rebuilding"].map(Value::from).contains(&engineer.get("/healthz").ok()["case_index"]));
    assert!(noc.get("/healthz").ok().get("case_index").is_none());
    for path in ["cases/reviews", "cases/to-translate", "case-gaps", "cases/health/reuse"] {
        assert_eq!(noc.get(&format!("/api/v1/{path}")).ok()["items"], json!([]), "{path}");
    }
    assert_eq!(noc.get("/api/v1/cases/health").ok()["rows"], json!([]));
    // Archived, and merged into an internal one: gone for them.
    demo.person("engineer-a").args(["case", "merge", &public, "--into", &internal]).output().ok();
    noc.get(&format!("/api/v1/cases/{public}")).problem(404, "not_found");
}

/// Bodies that the routes take, so that a refusal is about who asks.
fn body_of(path: &str) -> Value {
    match path.rsplit('/').next().unwrap_or_default() {
        "{case}" => json!({"en": {"title": "x"}}),
        "links" => json!({"fault": "F-JW-1", "verdict": "solved"}),
        "unlink" => json!({"fault": "F-JW-1", "reason": "x"}),
        "owner" => json!({"to": "engineer-b"}),
        "merge" => json!({"into": "C-0001"}),
        "translation" => json!({"language": "en"}),
        "feedback" => json!({"helpful": true}),
        "return" | "flags" => json!({"reason": "x"}),
        _ => json!({}),
    }
}

pub fn languages_questions_and_health_are_seen_side_by_side(demo: &Demo) {
    let case = written(demo, "brindle", "internal");
    let engineer = || demo.person("engineer-a");
    engineer().args(["case", "to-translate", "--language", "zh"]).output().ok().says(&case);
    let file = demo.scratch("languages").join("case.toml").display().to_string();
    let both = "[zh]\ntitle = \"布林停转\"\nsymptom = \"布林啸叫\"\nsteps = \"重启\"\n[en]\ntitle = \"brindle stops\"\nsymptom = \"brindle hums\"\nsteps = \"restart it\"\n";
    std::fs::write(&file, both).expect("a file");
    engineer().args(["case", "edit", &case, "--file", &file]).output().ok();
    let shown = engineer().args(["case", "show", &case, "--side-by-side"]).output().ok();
    shown.says("布林啸叫").says("brindle hums");
    std::fs::write(&file, both.replace("restart it", "restart it, then wait")).expect("a file");
    engineer().args(["case", "edit", &case, "--file", &file]).output().ok();
    engineer().args(["case", "show", &case, "--side-by-side"]).output().ok().says("zh older (since version 3)");
    let translated = ["case", "translated", &case, "--language", "zh", "--field", "steps", "-o", "json"];
    assert_eq!(engineer().args(translated).output().json().get("to_translate"), None);

    // What nobody found is a list, without the words that belong to a customer.
    let question = "vexillion ne-4.jw.ne password=hunter22 collapses";
    demo.http(Some("noc-jw")).get(&format!("/api/v1/cases?q={}", question.replace(' ', "%20").replace('=', "%3D"))).ok();
    let gap = eventually("the question is recorded", || {
        let gaps = engineer().args(["case", "gaps", "--limit", "1000", "-o", "json"]).output().json();
        let mine = gaps.as_array().into_iter().flatten().find(|gap| gap["text"].as_str().is_some_and(|text| text.contains("vexillion")));
        mine.cloned().ok_or_else(|| gaps.to_string())
    });
    for secret in ["ne-4", "hunter22"] {
        assert!(!gap.to_string().contains(secret), "{gap}");
    }
    // A question that no address can hold is asked all the same.
    let long = format!("brindle {}", "风".repeat(10_240));
    engineer().args(["case", "search", &long]).output().ok().says(&case).says("characters of the question were read");
    let found = demo.http(Some("noc-jw")).post("/api/v1/cases/search", &serde_json::json!({"q": long, "limit": 1})).ok();
    assert!(found["items"].is_array(), "{found}");
    let id = gap["id"].to_string();
    engineer().args(["case", "gap", &id]).output().exits(2);
    engineer().args(["case", "gap", &id, "--written", &case, "--note", "brindles do this"]).output().ok().says(&case);
    assert!(!engineer().args(["case", "gaps", "--limit", "1000", "-o", "json"]).output().json().to_string().contains("vexillion"));

    // Each figure leads to what it counted.
    let health = engineer().args(["case", "health", "-o", "json"]).output().json();
    let until = health["until"].as_str().expect("a time");
    let from = health["from"].as_str().expect("a time");
    for value in health["rows"][0]["figures"].as_array().expect("figures") {
        let figure = value["figure"].as_str().expect("a figure");
        // Other tests write at the same time: both are asked for again until nothing came between.
        eventually(&format!("{figure} leads to what it counted"), || {
            let health = engineer().args(["case", "health", "--from", from, "--until", until, "-o", "json"]).output().json();
            let mut figures = health["rows"][0]["figures"].as_array().into_iter().flatten();
            let value = figures.find(|value| value["figure"] == figure).expect("the figure").clone();
            let list = ["case", "health", figure, "--from", from, "--until", until, "--limit", "5000", "-o", "json"];
            let lines = engineer().args(list).output().json().as_array().map_or(0, Vec::len);
            if value["behind"].as_u64() == Some(lines as u64) { Ok(()) } else { Err(format!("{value}, {lines} lines")) }
        });
    }
    engineer().args(["case", "health", "--by", "product"]).output().ok().says("OLT");
    engineer().args(["case", "health", "--definitions"]).output().ok().says("KCS v6");
    engineer().args(["case", "settings"]).output().ok().says("12");
    engineer().args(["case", "settings", "--stale-after-months", "6"]).output().exits(5);
}
