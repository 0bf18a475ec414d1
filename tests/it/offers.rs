//! Search is filing, over the wire and from the command line: suggestions, duplicates, drafts with their masking, evidence, signals.

use lineman_tests::{Demo, eventually};
use reqwest::Method;
use serde_json::{Value, json};

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

/// From a fault that is filed twice to a case with evidence, and what is told to whom.
pub fn what_is_offered_while_filing_and_what_comes_of_it(demo: &Demo) {
    let (noc, stranger) = (demo.http(Some("noc-jw")), demo.http(Some("noc-yw")));
    let (engineer, reviewer, admin) = (demo.http(Some("engineer-a")), demo.http(Some("engineer-b")), demo.http(Some("admin-z")));

    // The same trouble, filed twice: the second time the first is offered, to its own customer only.
    let file = json!({"equipment": "ne-3.jw.ne", "title": "zigzag noise from shelf 7", "impact": "none",
        "description": "call Zhang Wei 13812345678, snmp community zigzag9"});
    let fault = text(&noc.post("/api/v1/faults", &file).ok(), "number");
    let found = noc.post("/api/v1/cases/suggest", &json!({"text": "zigzag noise again", "equipment": "ne-3.jw.ne"})).ok();
    let open = &found["duplicates"][0];
    assert_eq!((&open["number"], &open["why"][0]), (&json!(fault), &json!("same equipment")), "{found}");
    assert!(stranger.get("/api/v1/cases/suggest?text=zigzag%20noise").ok()["duplicates"].as_array().is_some_and(Vec::is_empty));
    stranger.get("/api/v1/cases/suggest?text=x&equipment=ne-3.jw.ne").problem(404, "not_found");
    stranger.get("/api/v1/cases/suggest?text=x&customer=JW").problem(422, "invalid");
    let asked = ["fault", "file", "--equipment", "ne-3.jw.ne", "--title", "zigzag noise is back", "--impact", "none"];
    demo.person("noc-jw").args(asked).output().ok().says("open faults that may be the same").says(&fault);
    demo.person("engineer-a").args(["case", "suggest", "--fault", &fault]).output().ok().says("zigzag noise is back");
    let page = noc.get(&format!("/api/v1/faults/{fault}")).ok();
    let titles: Vec<_> = page["duplicates"].as_array().into_iter().flatten().map(|open| text(open, "title")).collect();
    assert!(titles.contains(&"zigzag noise is back".to_owned()), "the fault's page has them too: {titles:?}");

    // Worked on and solved; the draft says nothing of the customer, and its masking shows both sides.
    let engineer_does = |args: &[&str]| demo.person("engineer-a").args(args).output().ok();
    engineer_does(&["fault", "accept", &fault]);
    let file = demo.scratch("offers").join("shelf.log");
    std::fs::write(&file, "shelf 7 rattles\n").expect("a file");
    engineer_does(&["fault", "attach", &fault, &file.display().to_string(), "--internal"]);
    engineer_does(&["fault", "diagnose", &fault, "--cause", "a loose screw on ne-3", "--plan", "tighten it"]);
    engineer_does(&["fault", "restore", &fault, "--waiver", "quiet"]);
    engineer_does(&["fault", "resolve", &fault, "--channel", "phone", "--note", "tightened by Zhang Wei"]);
    let case = text(&engineer.post(&format!("/api/v1/faults/{fault}/case-draft"), &json!({})).ok(), "number");
    let path = |rest: &str| format!("/api/v1/cases/{case}{rest}");
    let whole = engineer.get(&path("")).ok().to_string();
    for leaked in ["13812345678", "zigzag9", "ne-3"] {
        assert!(!whole.contains(leaked), "{leaked}: {whole}");
    }
    let review = engineer.get(&path("/draft")).ok();
    assert!(review.to_string().contains("13812345678"), "{review}");
    noc.get(&path("/draft")).problem(404, "not_found");
    let taken_out = json!({"take_out": [{"text": "zhang wei", "rule": "person"}]});
    noc.post(&path("/draft"), &taken_out).problem(403, "forbidden");
    reviewer.post(&path("/draft"), &taken_out).ok();
    assert!(!engineer.get(&path("")).ok().to_string().contains("Zhang Wei"));
    demo.person("engineer-b").args(["case", "draft", &case]).output().ok().says("13812345678").says("[phone]");

    // Evidence: the fault's file is copied, and stays when the fault's own goes.
    let attachments = engineer.get(&format!("/api/v1/faults/{fault}/attachments")).ok();
    let attachment = text(&attachments["items"][0], "id");
    let new = json!({"attachment": {"fault": fault, "attachment": attachment}});
    let evidence = text(&engineer.post(&path("/evidence"), &new).ok(), "id");
    engineer.post(&format!("/api/v1/faults/{fault}/attachments/{attachment}/deletion"), &json!({"reason": "test"})).ok();
    let content = path(&format!("/evidence/{evidence}/content"));
    let reply = engineer.get(&content);
    assert_eq!((reply.status, reply.content_type.as_str()), (200, "text/plain; charset=utf-8"));
    noc.get(&content).problem(404, "not_found");
    engineer.post(&path(&format!("/evidence/{evidence}/release")), &json!({"reason": "looked"})).problem(403, "forbidden");
    let clip = json!({"clip": {"session": "ses_01a2011227a477abb05d87ce9be94edd", "from_s": 0, "to_s": 1}});
    engineer.post(&path("/evidence"), &clip).problem(404, "not_found");

    // Deflection and signals: masked, and nothing of it for others.
    let gone =
        text(&engineer.post(&path("/deflections"), &json!({"question": "noise, call 13812345678", "equipment": "ne-3.jw.ne"})).ok(), "id");
    let listed = noc.get("/api/v1/cases/deflections").ok().to_string();
    assert!(listed.contains(&gone) && !listed.contains("13812345678"), "{listed}");
    assert!(!stranger.get("/api/v1/cases/deflections").ok().to_string().contains(&gone));
    engineer.post(&path(&format!("/deflections/{gone}/undo")), &json!({})).ok();
    stranger.post(&path("/deflections"), &json!({"question": "noise"})).problem(404, "not_found");
    let missing = "/api/v1/cases/C-9999/deflections";
    stranger.post(missing, &json!({"question": "noise"})).problem(404, "not_found");
    let offer = "ofr_01a2011227a477abb05d87ce9be94edd";
    let told = json!({"offers": [{"offer": offer, "place": "search", "query": "noise at 10.0.0.7", "none_fits": true,
        "shown": [{"case": case, "score": 1.0}]}]});
    for _ in 0..2 {
        stranger.post("/api/v1/cases/signals", &told).ok();
        engineer.post("/api/v1/cases/signals", &told).ok();
    }
    noc.get("/api/v1/cases/signals").problem(403, "forbidden");
    let kept = admin.get("/api/v1/cases/signals?limit=1000").ok();
    let mine: Vec<_> = kept["items"].as_array().into_iter().flatten().filter(|kept| kept["offer"] == offer).collect();
    assert_eq!(mine.len(), 2, "{kept}");
    for kept in mine {
        assert_eq!((&kept["query"], &kept["none_fits"]), (&json!("noise at [ip]"), &json!(true)));
        let shown = kept["shown"].as_array().map_or(0, Vec::len);
        assert_eq!(shown, usize::from(kept["person"] == "engineer-a"), "a carrier's person was shown no internal case: {kept}");
    }
    demo.person("admin-z").args(["case", "signals", "export", "-o", "json"]).output().ok().says(offer);
    engineer
        .send(Method::PUT, "/api/v1/cases/signals/retention", Some(("application/json", b"{\"months\":6}".to_vec())))
        .problem(403, "forbidden");
    demo.person("admin-z").args(["case", "signals", "retention", "--months", "13"]).output().ok().says("13");

    // A stretch of a real recording, cut.
    let session = eventually("a session of JW's is recorded", || {
        let sessions = engineer.get("/api/v1/sessions").ok();
        let whole = |session: &&Value| session["state"] == "ended" && session["chunks"] == session["chunks_stored"];
        match sessions["items"].as_array().into_iter().flatten().find(whole) {
            Some(session) => Ok(Some(text(session, "id"))),
            // Other tests make sessions; without one this part has nothing to look at.
            None => Ok(None),
        }
    });
    if let Some(session) = session {
        let beyond = json!({"clip": {"session": session, "from_s": 0, "to_s": 3599.0}});
        engineer.post(&path("/evidence"), &beyond).problem(422, "invalid");
    }
}

/// A stretch of a session's recording proves a case: cut, looked at, released by somebody else.
pub fn a_stretch_of_a_recording_is_evidence(demo: &Demo) {
    let (engineer, reviewer, noc) = (demo.http(Some("engineer-a")), demo.http(Some("engineer-b")), demo.http(Some("noc-jw")));
    let inside = demo.let_in("ne-3.jw.ne", "exec");
    inside.ssh(&["ne-3.jw.ne", "echo zigzag-began; sleep 1; echo zigzag-ended"]).ok().says("zigzag-ended");
    let session = text(&inside.sessions(1)[0], "id");
    let case = json!({"en": {"title": "what a clip proves", "resolution": "see the clip"}, "audience": "customer"});
    let case = text(&engineer.post("/api/v1/cases", &case).ok(), "number");
    let path = |rest: &str| format!("/api/v1/cases/{case}/evidence{rest}");
    let clip = |to_s: f64| json!({"clip": {"session": session, "from_s": 0, "to_s": to_s, "title": "from the first word to the last"}});

    // Nobody need know how long it is: a refusal says it.
    let refused = engineer.post(&path(""), &clip(3_599.0)).problem(422, "invalid").body.to_string();
    let length_s = refused.split("the recording is ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    let to_s = length_s.unwrap_or_else(|| panic!("no length: {refused}")) - 0.1;
    noc.post(&path(""), &clip(to_s)).problem(403, "forbidden");
    let added = engineer.post(&path(""), &clip(to_s)).ok();
    let evidence = text(&added, "id");
    assert!(engineer.get(&path("")).ok().to_string().contains(&evidence));
    for version in [2, 3] {
        let cast = reviewer.get(&path(&format!("/{evidence}/content?version={version}")));
        assert_eq!((cast.status, cast.content_type.as_str()), (200, "application/x-asciicast"));
        let lines = cast.body.as_str().expect("lines");
        let header: Value = serde_json::from_str(lines.lines().next().expect("a header")).expect("JSON");
        assert_eq!(header["version"], version);
        assert!(lines.contains("zigzag-began"), "{lines}");
    }
    engineer.get(&path(&format!("/{evidence}/content?version=1"))).problem(422, "invalid");
    noc.get(&path(&format!("/{evidence}/content"))).problem(404, "not_found");
    engineer.post(&path(&format!("/{evidence}/release")), &json!({"reason": "looked"})).problem(403, "forbidden");
    reviewer.post(&path(&format!("/{evidence}/release")), &json!({"reason": "looked"})).ok();
    engineer.post(&path(&format!("/{evidence}/removal")), &json!({"reason": "a test"})).ok();
    engineer.get(&path(&format!("/{evidence}/content"))).problem(404, "not_found");
}
