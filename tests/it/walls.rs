//! Walls end to end: what a wall token opens, and that it opens nothing else.

use std::path::Path;

use lineman_tests::{Demo, Http};
use reqwest::Method;
use serde_json::{Value, json};

fn ca(demo: &Demo) -> &Path {
    Path::new(demo.facts["ca"].as_str().expect("the CA"))
}

/// As a screen that has this token.
fn screen(demo: &Demo, made: &Value) -> Http {
    Http::new(demo.server(), ca(demo), Some(made["token"].as_str().expect("a token").to_owned()))
}

/// Whatever the server says it serves, asked for with a wall's token.
fn opens_nothing_else(demo: &Demo, wall: &Http) {
    const OPEN: [&str; 3] = ["/api/v1/wall", "/api/v1/events", "/healthz"];
    let api = demo.http(None).get("/api/v1/openapi.json").ok();
    let paths = api["paths"].as_object().expect("paths");
    assert!(OPEN.iter().all(|path| paths.contains_key(*path)));
    let mut refused = 0;
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            if OPEN.contains(&path.as_str()) && method == Method::GET {
                continue;
            }
            let concrete = path.replace(['{', '}'], "");
            let body = (method != Method::GET).then(|| ("application/json", b"{}".to_vec()));
            let reply = wall.send(method, &concrete, body);
            assert!(matches!(reply.status, 401 | 403), "{reply:?}");
            refused += 1;
        }
    }
    assert!(refused > 100, "only {refused} routes were tried");
    // Nor what is not described: the page's own files need no token, and take none.
    for path in ["/", "/api/v1/openapi.json", "/api/v1/no-such-thing", "/agent/v1/link"] {
        let reply = wall.get(path);
        assert!(reply.status >= 400, "{reply:?}");
    }
}

pub fn a_wall_token_opens_its_wall_and_nothing_else(demo: &Demo) {
    let admin = demo.http(Some("admin-z"));
    let name = json!({"name": "the corridor"});
    demo.http(Some("engineer-a")).post("/api/v1/wall-tokens", &name).problem(403, "forbidden");
    demo.http(Some("noc-jw")).get("/api/v1/wall-tokens").problem(403, "forbidden");
    admin.post("/api/v1/wall-tokens", &json!({"name": "x", "customer": "QQ"})).problem(404, "not_found");
    admin.post("/api/v1/wall-tokens", &json!({"name": "x", "nmae": "y"})).problem(422, "invalid");
    let made = admin.post("/api/v1/wall-tokens", &name).ok();
    admin.post("/api/v1/wall-tokens", &name).problem(409, "conflict");
    let wall = screen(demo, &made);

    let picture = wall.get("/api/v1/wall?zone=Asia/Shanghai").ok();
    assert_eq!(picture["name"], "the corridor");
    assert!(picture["agents"]["total"].as_u64() >= Some(1), "{picture}");
    wall.get("/api/v1/wall?zone=Mars").problem(422, "invalid");
    assert!(wall.get("/healthz").ok()["agents_online"].is_null(), "no more than anybody may know");
    opens_nothing_else(demo, &wall);

    // A fault shows, and so does its event, without anybody's words.
    let seq = picture["seq"].as_u64().expect("a place in the log");
    let new = json!({"equipment": "ne-4.jw.ne", "title": "a wall sees this", "impact": "full"});
    let fault = demo.http(Some("noc-jw")).post("/api/v1/faults", &new).ok();
    let number = fault["number"].as_str().expect("a number");
    let later = wall.get("/api/v1/wall").ok();
    let row = later["countdown"].as_array().expect("rows").iter().find(|row| row["fault"] == number).expect("the fault's row");
    assert_eq!((row["title"].as_str(), row["severity"].as_str()), (Some("a wall sees this"), Some("critical")));
    assert!(row["deadline_at"].is_string() && row["clock"].is_string(), "{row}");
    let token = made["token"].as_str().expect("a token");
    let heard = wall.follow("/api/v1/events", Some(&seq.to_string()), "fault.reported");
    assert!(heard.contains("event: beat"), "{heard}");
    assert!(!heard.contains("\"data\":{"), "particulars: {heard}");

    // One customer's wall.
    let theirs = admin.post("/api/v1/wall-tokens", &json!({"name": "the corridor of YW", "customer": "YW"})).ok();
    let text = screen(demo, &theirs).get("/api/v1/wall").ok().to_string();
    assert!(!text.contains("JW") && !text.contains("jw"), "{text}");

    // Dark at once, and for good.
    let listed = admin.get("/api/v1/wall-tokens").ok();
    assert!(!listed.to_string().contains(token));
    let id = made["wall"]["id"].as_str().expect("an id");
    let own = listed["items"].as_array().expect("items").iter().find(|item| item["id"] == id).expect("the token");
    assert!(own["last_used_at"].is_string(), "{own}");
    admin.send(Method::DELETE, &format!("/api/v1/wall-tokens/{id}"), None).ok();
    wall.get("/api/v1/wall").problem(401, "unauthenticated");
    wall.get("/healthz").problem(401, "unauthenticated");
    let again = admin.send(Method::DELETE, &format!("/api/v1/wall-tokens/{id}"), None).ok();
    assert_eq!(again["revoked_by"], "admin-z");
    admin.post(&format!("/api/v1/faults/{number}/cancellation"), &json!({"reason": "the test is over"})).ok();
}

/// A stream that hangs on a wall ends with its token.
pub fn a_revoked_wall_goes_dark_while_it_is_watched(demo: &Demo) {
    let admin = demo.http(Some("admin-z"));
    let made = admin.post("/api/v1/wall-tokens", &json!({"name": "to be dark"})).ok();
    let (token, id) = (made["token"].as_str().expect("a token"), made["wall"]["id"].as_str().expect("an id"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let root = reqwest::Certificate::from_pem(&std::fs::read(ca(demo)).expect("the CA")).expect("a certificate");
    let client = reqwest::Client::builder().tls_certs_only([root]).timeout(lineman_tests::PATIENCE).build().expect("a client");
    let asked = client.get(format!("{}/api/v1/events", demo.server())).bearer_auth(token);
    let mut stream = runtime.block_on(async { asked.send().await }).expect("a stream");
    assert!(runtime.block_on(stream.chunk()).expect("the first beat").is_some());
    admin.send(Method::DELETE, &format!("/api/v1/wall-tokens/{id}"), None).ok();
    // It ends by itself, long before the client's patience.
    while runtime.block_on(stream.chunk()).expect("an end, not a timeout").is_some() {}
    // Who asks once more, because the first answer was lost, hears that it is done.
    let again = demo.person("admin-z").args(["wall-token", "revoke", "to be dark", "--yes", "-o", "json"]).output().ok().json();
    let again = again.get(0).unwrap_or(&again);
    assert_eq!((again["id"].as_str(), again["revoked_by"].as_str()), (Some(id), Some("admin-z")), "{again}");
}

pub fn the_log_is_read_by_whom_it_concerns(demo: &Demo) {
    let admin = demo.http(Some("admin-z"));
    let first = admin.get("/api/v1/audit?limit=5").ok();
    let numbers = |list: &Value| list["items"].as_array().expect("items").iter().map(|e| e["seq"].as_u64()).collect::<Vec<_>>();
    let page = numbers(&first);
    assert!(page.len() == 5 && page.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {page:?}");
    let next = first["next"].as_str().expect("there is more");
    let second = numbers(&admin.get(&format!("/api/v1/audit?limit=5&after={next}")).ok());
    assert!(second[0] < page[4], "{second:?} after {page:?}");
    let signed_in = admin.get("/api/v1/audit?kind=token.issued,person.signed_in&limit=50").ok();
    let kinds = signed_in["items"].as_array().expect("items").iter().map(|e| e["kind"].clone()).collect::<Vec<_>>();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| kind == "token.issued" || kind == "person.signed_in"), "{kinds:?}");
    admin.get("/api/v1/audit?kind=nothing.like.it").problem(422, "invalid");
    let own = demo.http(Some("noc-jw")).get("/api/v1/audit?limit=1000").ok().to_string();
    assert!(!own.contains("F-YW-") && !own.contains(".yw.ne") && !own.contains("\"internal\":true"), "another's, or internal");
    demo.http(Some("engineer-a")).get("/api/v1/audit").problem(403, "forbidden");

    let system = admin.get("/api/v1/system").ok();
    assert!(system["database"]["size_bytes"].as_u64() > Some(0) && system["counts"]["events"].as_u64() > Some(0), "{system}");
    for other in ["noc-jw", "engineer-a"] {
        demo.http(Some(other)).get("/api/v1/system").problem(403, "forbidden");
    }
    let wall = demo.person("admin-z").args(["wall", "-o", "json"]).output().ok();
    assert!(wall.json()["countdown"].is_array());
    let audit = demo.person("admin-z").args(["audit", "list", "--limit", "3", "-o", "json"]).output().ok();
    assert_eq!(audit.json().as_array().map(Vec::len), Some(3));
    assert!(demo.person("admin-z").args(["system"]).output().ok().stdout.contains("database"));
}
