//! Signing in from a browser, as the browser's requests look.

use std::path::Path;

use lineman_tests::{Demo, Http, Reply};
use reqwest::Method;
use serde_json::{Value, json};

pub fn a_browser_signs_in_with_a_cookie_that_no_other_site_can_use(demo: &Demo) {
    let admin = demo.http(Some("admin-z"));
    let (name, password) = ("browser-a", "a password for the test");
    admin.post("/api/v1/people", &json!({"name": name, "role": "engineer", "password": password})).ok();
    let login = json!({"name": name, "password": password});
    demo.http(None).post("/api/v1/sign-in", &json!({"name": name, "password": "wrong"})).problem(401, "unauthenticated");
    let signed_in = demo.http(None).post("/api/v1/sign-in", &login);
    let cookie = signed_in.cookie.clone().expect("a cookie");
    assert_eq!(signed_in.ok()["name"], name);
    for attribute in ["__Host-lineman=lm_", "Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age="] {
        assert!(cookie.contains(attribute), "{attribute}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let pair = cookie.split(';').next().expect("a pair").to_owned();
    let browser = || demo.http(None).with("cookie", pair.clone());
    let here = || browser().with("origin", demo.server());
    assert_eq!(browser().get("/api/v1/whoami").ok()["name"], name);

    // A change says where it comes from, and other sites are not here.
    let secret = "/api/v1/second-factor";
    browser().post(secret, &json!({})).problem(403, "forbidden");
    browser().with("origin", "https://evil.example").post(secret, &json!({})).problem(403, "forbidden");
    let begun = here().post(secret, &json!({})).ok();
    assert!(begun["uri"].as_str().is_some_and(|uri| uri.starts_with("otpauth://totp/Lineman:browser-a?secret=")), "{begun}");
    here().post("/api/v1/second-factor/confirmation", &json!({"code": "nothing"})).problem(422, "invalid");
    demo.http(None).post("/api/v1/sign-in", &login).ok();

    // Out, and nothing of it is left; who still has the cookie is nobody, and may sign in again.
    let out = here().post("/api/v1/sign-out", &json!({}));
    assert!(out.cookie.clone().is_some_and(|cookie| cookie.contains("__Host-lineman=;") && cookie.contains("Max-Age=0")), "{out:?}");
    browser().get("/api/v1/whoami").problem(401, "unauthenticated");
    let again = here().post("/api/v1/sign-in", &login).cookie.expect("a cookie");
    let pair = again.split(';').next().expect("a pair").to_owned();
    let browser = || demo.http(None).with("cookie", pair.clone()).with("origin", demo.server());
    let token = browser().post(&format!("/api/v1/people/{name}/tokens"), &json!({"label": "laptop", "days": 1})).ok();
    assert!(token["token"].is_string());
    browser().post(&format!("/api/v1/people/{name}/sign-out"), &json!({})).ok();
    browser().get("/api/v1/whoami").problem(401, "unauthenticated");
    browser().post("/api/v1/people/admin-z/sign-out", &json!({})).problem(401, "unauthenticated");
    demo.http(Some("engineer-a")).post("/api/v1/people/admin-z/sign-out", &json!({})).problem(403, "forbidden");
    admin.post(&format!("/api/v1/people/{name}/disable"), &json!({"reason": "the test is over"})).ok();
}

fn delete(http: &Http, path: &str) -> Reply {
    http.send(Method::DELETE, path, None)
}

pub fn links_roles_and_tokens_are_the_administrators(demo: &Demo) {
    let admin = demo.http(Some("admin-z"));
    let name = "links-a";
    admin.post("/api/v1/people", &json!({"name": name, "role": "engineer"})).ok();
    let at = |path: &str| format!("/api/v1/people/{name}/{path}");
    let ways = demo.http(None).get("/api/v1/sign-in/ways").ok();
    assert_eq!((&ways["setup"], &ways["demo"], ways.get("oidc")), (&json!(false), &json!(true), None), "{ways}");
    demo.http(None)
        .post("/api/v1/setup", &json!({"code": "aaaa-bbbb-cccc", "name": "x-1", "password": "a password for it"}))
        .problem(409, "conflict");
    demo.http(None).get("/api/v1/sign-in/oidc").problem(404, "not_found");

    // A link, once; in this demo another one as often as one likes.
    demo.http(Some("engineer-a")).post(&at("sign-in-links"), &json!({})).problem(403, "forbidden");
    admin.post(&at("sign-in-links"), &json!({"minutes": 0})).problem(422, "invalid");
    let link = admin.post(&at("sign-in-links"), &json!({"minutes": 5})).ok();
    assert_eq!(link["url"], format!("{}/sign-in?code={}", demo.server(), link["code"].as_str().expect("a code")));
    let use_it = |link: &serde_json::Value| demo.http(None).post("/api/v1/sign-in/code", &json!({"code": link["code"]}));
    let signed_in = use_it(&link);
    let cookie = signed_in.cookie.clone().expect("a cookie");
    assert_eq!(signed_in.ok()["name"], name);
    use_it(&link).problem(401, "unauthenticated");
    let often = admin.post(&at("sign-in-links"), &json!({"reusable": true})).ok();
    use_it(&often).ok();
    use_it(&often).ok();
    let of_demo = demo.of_person("noc-jw", "sign_in");
    let code = of_demo.split_once("code=").expect("a code").1.to_owned();
    assert_eq!(use_it(&json!({"code": code})).ok()["name"], "noc-jw");
    let password = demo.of_person("noc-jw", "password");
    demo.http(None).post("/api/v1/sign-in", &json!({"name": "noc-jw", "password": password})).ok();

    // What somebody is signed in with; one of it is ended.
    let browser = demo.http(None).with("cookie", cookie.split(';').next().expect("a pair")).with("origin", demo.server());
    let tokens = browser.get(&at("tokens")).ok();
    let current = tokens["items"].as_array().expect("tokens").iter().find(|token| token["current"] == true).expect("this one");
    demo.http(Some("engineer-a")).get(&at("tokens")).problem(403, "forbidden");
    let id = current["id"].as_str().expect("an id");
    delete(&demo.http(Some("engineer-a")), &at(&format!("tokens/{id}"))).problem(403, "forbidden");
    delete(&admin, &at("tokens/0123456789abcdef")).problem(404, "not_found");
    demo.person("admin-z").args(["person", "end-token", name, id, "--yes"]).output().ok();
    let browser = demo.http(None).with("cookie", cookie.split(';').next().expect("a pair"));
    browser.get("/api/v1/whoami").problem(401, "unauthenticated");

    // Another role, of the same side.
    let role = |role: &str, reason: &str| admin.put(&at("role"), &json!({"role": role, "reason": reason}));
    role("noc", "x").problem(409, "conflict");
    role("engineer", "x").problem(409, "conflict");
    role("duty_manager", " ").problem(422, "invalid");
    assert_eq!(role("duty_manager", "leads the shift").ok()["role"], "duty_manager");
    admin.put("/api/v1/people/admin-z/role", &json!({"role": "engineer", "reason": "x"})).problem(409, "conflict");
    demo.person("admin-z").args(["person", "show", name, "-o", "json"]).output().ok();
    admin.post(&at("disable"), &json!({"reason": "the test is over"})).ok();
    use_it(&often).problem(401, "unauthenticated");
}

fn ca(demo: &Demo) -> &Path {
    Path::new(demo.facts["ca"].as_str().expect("the CA"))
}

/// The live log, as somebody with a token follows it.
struct Followed {
    runtime: tokio::runtime::Runtime,
    stream: reqwest::Response,
}

impl Followed {
    fn begin(demo: &Demo, token: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let root = reqwest::Certificate::from_pem(&std::fs::read(ca(demo)).expect("the CA")).expect("a certificate");
        let client = reqwest::Client::builder().tls_certs_only([root]).timeout(lineman_tests::PATIENCE).build().expect("a client");
        let asked = client.get(format!("{}/api/v1/events", demo.server())).bearer_auth(token);
        let mut stream = runtime.block_on(async { asked.send().await }).expect("a stream");
        assert!(runtime.block_on(stream.chunk()).expect("the first beat").is_some());
        Self { runtime, stream }
    }

    /// It ends by itself and cleanly, long before the client's patience.
    fn ends(mut self) {
        while self.runtime.block_on(self.stream.chunk()).expect("an end, not a timeout").is_some() {}
    }
}

pub fn what_streams_to_somebody_ends_with_their_sign_in(demo: &Demo) {
    let admin = demo.http(Some("admin-z"));
    let (name, password) = ("streams-a", "a password for the test");
    admin.post("/api/v1/people", &json!({"name": name, "role": "engineer", "password": password})).ok();
    let at = |path: &str| format!("/api/v1/people/{name}/{path}");
    let text = |reply: Value| reply["token"].as_str().expect("a token").to_owned();
    let login = || text(demo.http(None).post("/api/v1/login", &json!({"name": name, "password": password})).ok());
    let with = |token: &str| Http::new(demo.server(), ca(demo), Some(token.to_owned()));

    let (one, other) = (login(), login());
    let (of_one, of_other) = (Followed::begin(demo, &one), Followed::begin(demo, &other));
    with(&one).post("/api/v1/logout", &json!({})).ok();
    of_one.ends();
    let tokens = with(&other).get(&at("tokens")).ok();
    let current = tokens["items"].as_array().expect("tokens").iter().find(|token| token["current"] == true).expect("this one");
    delete(&admin, &at(&format!("tokens/{}", current["id"].as_str().expect("an id")))).ok();
    of_other.ends();

    let everywhere = Followed::begin(demo, &login());
    admin.post(&at("sign-out"), &json!({})).ok();
    everywhere.ends();
    let by_password = Followed::begin(demo, &login());
    admin.put(&at("password"), &json!({"new": password})).ok();
    by_password.ends();
    let token = login();
    let disabled = Followed::begin(demo, &token);
    admin.post(&at("disable"), &json!({"reason": "the test is over"})).ok();
    disabled.ends();
    with(&token).get("/api/v1/whoami").problem(401, "unauthenticated");
}

pub fn no_secret_lies_in_a_table(demo: &Demo) {
    let name = "secrets-a";
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no secret: {value}")).to_owned();
    let ask =
        |who: Http, path: &str, body: &Value| who.with("idempotency-key", format!("secret {path}").replace(' ', "-")).post(path, body).ok();
    let admin = |path: &str, body: &Value| ask(demo.http(Some("admin-z")), path, body);
    let kept = admin("/api/v1/people", &json!({"name": name, "role": "engineer"}));
    let token = text(&admin(&format!("/api/v1/people/{name}/tokens"), &json!({"label": "laptop", "days": 1}))["token"]);
    let own = |path: &str, body: &Value| ask(Http::new(demo.server(), ca(demo), Some(token.clone())), path, body);
    let sites = demo.http(Some("admin-z")).get("/api/v1/sites").ok();
    let site = sites["items"].as_array().expect("sites").iter().find(|site| site["customer"] == "JW").expect("a site")["id"].clone();
    admin(
        "/api/v1/equipment",
        &json!({"customer": "JW", "handle": "ne-78", "site": site, "product": "test", "model": "test", "serial": "0"}),
    );
    let target = own("/api/v1/notices/targets", &json!({"channel": "webhook", "address": "https://example.net/hook"}));
    let id = text(&target["target"]["id"]);
    let secrets = [
        token.clone(),
        text(&target["secret"]["secret"]),
        text(&own(&format!("/api/v1/notices/targets/{id}/secret"), &json!({}))["secret"]["secret"]),
        text(&own("/api/v1/second-factor", &json!({}))["secret"]),
        text(&admin(&format!("/api/v1/people/{name}/sign-in-links"), &json!({}))["code"]),
        text(&admin("/api/v1/wall-tokens", &json!({"name": "a wall of secrets"}))["token"]),
        text(&admin("/api/v1/equipment/ne-78.jw.ne/enrolment-token", &json!({}))["token"]),
    ];
    let database = rusqlite::Connection::open(demo.dir().join("server/lineman.db")).expect("the server's database");
    let replies = "SELECT group_concat(CAST(reply AS TEXT), char(10)) FROM idempotency WHERE reply IS NOT NULL";
    let replies: String = database.query_row(replies, [], |row| row.get(0)).expect("replies");
    assert!(replies.contains(kept["id"].as_str().expect("an id")), "other answers are kept");
    for secret in secrets {
        assert!(secret.len() > 16 && !replies.contains(&secret), "{secret} lies in the table");
    }
    demo.http(Some("admin-z")).post(&format!("/api/v1/people/{name}/disable"), &json!({"reason": "the test is over"})).ok();
}
