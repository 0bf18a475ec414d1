//! Bad input everywhere: a clear answer, and nothing lost.

use std::process::Command;

use lineman_common::link::EnrolmentToken;
use lineman_tests::{Demo, bin, run};
use reqwest::Method;
use serde_json::{Value, json};

pub fn every_wrong_request_is_told_what_is_wrong(demo: &Demo) {
    let noc = demo.http(Some("noc-jw"));
    let engineer = demo.http(Some("engineer-a"));
    let raw = |body: &[u8]| noc.send(Method::POST, "/api/v1/faults", Some(("application/json", body.to_vec())));

    // Bodies.
    raw(b"{\"title\": ").problem(400, "bad_request");
    raw(b"\xff\xfe\xfd").problem(400, "bad_request");
    raw(b"[]").problem(422, "invalid");
    raw(b"").problem(400, "bad_request");
    raw(&vec![b' '; 10 * 1024 * 1024]).problem(413, "too_large");
    noc.send(Method::POST, "/api/v1/faults", Some(("text/plain", b"{}".to_vec()))).problem(415, "unsupported_media_type");
    let file =
        |body: Value| noc.post("/api/v1/faults", &body).problem(422, "invalid").body["title"].as_str().unwrap_or_default().to_owned();
    assert!(file(json!({"equipment": "ne-4.jw.ne", "title": "x", "impact": "huge"})).contains("partial"), "it names the right words");
    assert!(file(json!({"equipment": "ne-4.jw.ne", "titel": "x", "impact": "none"})).contains("titel"), "it names the wrong field");
    assert!(file(json!({"equipment": "NE 1", "title": "x", "impact": "none"})).contains("ne-17.jw.ne"), "it shows the right form");
    assert!(file(json!({"equipment": "ne-4.jw.ne", "title": "  ", "impact": "none"})).contains("empty"));
    assert!(file(json!({"equipment": "ne-4.jw.ne", "title": "x".repeat(301), "impact": "none"})).contains("300"));
    assert!(
        file(json!({"equipment": "ne-4.jw.ne", "title": "x", "impact": "none", "started_at": "2099-01-01T00:00:00Z"})).contains("future")
    );

    // Names that name nothing.
    for path in [
        "faults/F-JW-99999",
        "faults/flt_00000000000000000000000000000000",
        "faults/..%2f..",
        "equipment/ne-99.jw.ne",
        "consents/x",
        "sessions/ses_1",
        "cases/C-9999",
        "alarms/%00",
        "nothing",
    ] {
        engineer.get(&format!("/api/v1/{path}")).problem(404, "not_found");
    }
    engineer.send(Method::DELETE, "/api/v1/faults", None).problem(405, "method_not_allowed");
    engineer.get("/api/v1/faults?status=opne").problem(422, "invalid");
    engineer.get("/api/v1/faults?limit=many").problem(400, "bad_request");

    // Credentials.
    demo.http(None).get("/api/v1/faults").problem(401, "unauthenticated");
    for token in ["", "lm_0000", "x y", "lm_248f705675f644868ebca8a766cd105383c0d953965d4d82b724e0f31328491c"] {
        let reply =
            lineman_tests::Http::new(demo.server(), &demo.dir().join("server/ca.pem"), Some(token.to_owned())).get("/api/v1/whoami");
        reply.problem(401, "unauthenticated");
    }
    // Guessing passwords is braked, and an unknown name looks like a wrong password.
    let guess = |name: &str| demo.http(None).post("/api/v1/login", &json!({"name": name, "password": "wrong wrong wrong"}));
    assert_eq!(
        guess("admin-z").problem(401, "unauthenticated").body["title"],
        guess("nobody-here").problem(401, "unauthenticated").body["title"]
    );
    let braked = (0..8).map(|_| guess("manager-d")).find(|reply| reply.status == 429).expect("a brake");
    braked.problem(429, "rate_limited");

    // Roles.
    noc.post("/api/v1/customers", &json!({"code": "XX", "name": "x", "tier": "gold"})).problem(403, "forbidden");
    engineer.put("/api/v1/trust/roster", &json!({"text": "x", "signature": "y"})).problem(403, "forbidden");
    demo.http(Some("admin-z")).put("/api/v1/trust/roster", &json!({"text": "x", "signature": "y"})).problem(422, "statement_refused");

    // Steps out of order name the steps that are possible.
    let fault = noc.post("/api/v1/faults", &json!({"customer": "JW", "title": "steps", "impact": "none"})).ok();
    let number = fault["number"].as_str().expect("a number");
    let reply = engineer.post(&format!("/api/v1/faults/{number}/closure"), &json!({})).problem(409, "conflict");
    assert!(reply.body["title"].as_str().unwrap_or_default().contains("accept"), "{reply:?}");

    // The command line says the same, with its exit codes.
    demo.person("engineer-a").args(["fault", "show", "F-JW-99999"]).output().exits(3);
    demo.person("engineer-a").args(["fault", "show", "nonsense"]).output().says("F-JW-42");
    demo.person("engineer-a").args(["fault", "frobnicate"]).output().exits(2);
    demo.person("noc-jw").args(["fault", "accept", number]).output().exits(5).says("may not");
    run(demo.person("engineer-a").args(["fault", "list"]).command().env("LINEMAN_TOKEN", "wrong")).exits(4);
    run(demo.person("engineer-a").args(["fault", "list"]).command().env("LINEMAN_SERVER", "https://127.0.0.1:1")).exits(7);
}

pub fn hostile_texts_are_shown_harmless(demo: &Demo) {
    let title = "\u{1b}[2Jgone\u{202e}\nF-JW-1\tfake\u{7}";
    let filed = json!({"equipment": "ne-4.jw.ne", "title": title, "impact": "none"});
    let fault = demo.http(Some("noc-jw")).post("/api/v1/faults", &filed).ok();
    // Kept as it came, for programs.
    assert_eq!(fault["title"], title);
    let number = fault["number"].as_str().expect("a number");
    for args in
        [vec!["fault", "list"], vec!["fault", "show", number], vec!["fault", "list", "-o", "csv"], vec!["fault", "timeline", number]]
    {
        let output = demo.person("engineer-a").args(args).output().ok();
        let raw = [&output.stdout, &output.stderr].into_iter().flat_map(|text| text.chars());
        assert!(raw.clone().all(|c| c != '\u{1b}' && c != '\u{202e}' && c != '\u{7}'), "{}", output.stdout.escape_debug());
        assert!(
            output.stdout.lines().filter(|line| line.starts_with("F-JW-1\t") && line.contains("fake")).count() == 0,
            "{}",
            output.stdout
        );
    }
    // A formula does not reach a spreadsheet as one.
    let filed = json!({"equipment": "ne-4.jw.ne", "title": "=HYPERLINK(\"x\")", "impact": "none"});
    demo.http(Some("noc-jw")).post("/api/v1/faults", &filed).ok();
    let csv = demo.person("engineer-a").args(["fault", "list", "-o", "csv"]).output().ok().stdout;
    assert!(!csv.contains(",=HYPERLINK") && !csv.contains("\"=HYPERLINK"), "{csv}");
}

pub fn enrolment_tokens_work_once_and_for_their_centre_only(demo: &Demo) {
    let admin = demo.http(Some("admin-z"));
    let sites = admin.get("/api/v1/sites").ok();
    let site = sites["items"].as_array().into_iter().flatten().find(|site| site["customer"] == "JW").expect("a site")["id"].clone();
    let new = json!({"customer": "JW", "handle": "ne-77", "site": site, "product": "test", "model": "test", "serial": "0"});
    admin.post("/api/v1/equipment", &new).ok();
    let token =
        || admin.post("/api/v1/equipment/ne-77.jw.ne/enrolment-token", &json!({})).ok()["token"].as_str().expect("a token").to_owned();
    let dir = demo.scratch("enrol");
    let trust = demo.of_person("approver-jw", "trust");
    let enrol = |name: &str, token: &str| {
        let (file, state) = (dir.join(format!("{name}.token")), dir.join(name));
        std::fs::write(&file, token).expect("a file");
        let mut command = Command::new(bin("lineman-agent"));
        command.arg("enrol").arg("--token-file").arg(file).arg("--state").arg(state).args(["--vouched-by", "tech-jw"]);
        run(command.arg("--signers").arg(format!("{trust}/signers")).arg("--vendor-root").arg(format!("{trust}/vendor-root")))
    };

    enrol("garbage", "not a token").exits(1).says("enrolment token");
    let good = token();
    // The right address with another centre's key: the device does not even say its secret.
    let parsed: EnrolmentToken = good.parse().expect("a token");
    let impostor = EnrolmentToken { ca_spki_sha256: "0".repeat(64), ..parsed };
    enrol("impostor", &impostor.to_string()).exits(1);
    enrol("first", &good).ok();
    assert!(dir.join("first/device-statement").exists());
    enrol("second", &good).exits(1).says("used");
    // A statement that somebody else's technician signed is not taken.
    let statement = dir.join("first/device-statement").display().to_string();
    let vouch = ["equipment", "vouch", "ne-77.jw.ne", "--statement", &statement, "--key", &demo.of_person("approver-yw", "key")];
    let refused = demo.person("noc-jw").args(vouch).output();
    assert_ne!(refused.code, Some(0), "{refused:?}");
}
