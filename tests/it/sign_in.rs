//! Signing in from a browser, as the browser's requests look.

use lineman_tests::Demo;
use serde_json::json;

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
