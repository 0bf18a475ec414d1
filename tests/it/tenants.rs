//! A customer can't see, guess or count another customer's anything. Generated from the server's own list of routes.

use lineman_common::id::ConsentId;
use lineman_common::statement::standing::{Devices, ForFault};
use lineman_common::statement::{Namespace, Signed, Standing};
use lineman_tests::{Demo, Http, Reply};
use reqwest::Method;
use serde_json::{Value, json};

/// What JW owns, by the name of the path parameter that asks for it.
fn belongings(demo: &Demo) -> Vec<(&'static str, Vec<String>)> {
    let noc = demo.http(Some("noc-jw"));
    let fault = noc.post("/api/v1/faults", &json!({"equipment": "ne-4.jw.ne", "title": "JW-SECRET-TITLE", "impact": "none"})).ok();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned();
    let number = text(&fault, "number");
    demo.person("engineer-a").args(["fault", "accept", &number]).output().ok();
    let consent = demo.requested(&number, "exec", "10m");
    let equipment = noc.get("/api/v1/equipment/ne-4.jw.ne").ok();
    let alarm = noc.get("/api/v1/alarms").ok()["items"].as_array().and_then(|items| items.first().map(|alarm| text(alarm, "id")));
    let session = noc.get("/api/v1/sessions").ok()["items"].as_array().and_then(|items| items.first().map(|session| text(session, "id")));
    let admin = demo.http(Some("admin-z"));
    let shelf = json!({"customer": "JW", "types": ["never.seen"], "why": "JW-SECRET-TITLE"});
    let shelf = text(&noc.post("/api/v1/alarm-shelves", &shelf).ok(), "id");
    let (from, until) =
        (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(90), jiff::Timestamp::now() + jiff::SignedDuration::from_hours(91));
    let window = json!({"equipment": ["ne-4.jw.ne"], "starts_at": from, "ends_at": until, "why": "JW-SECRET-TITLE"});
    let window = text(&noc.post("/api/v1/maintenance-windows", &window).ok(), "id");
    let profile = json!({"customer": "JW", "alarm_type": "never.seen", "severity": "minor", "why": "JW-SECRET-TITLE"});
    let profile = text(&admin.post("/api/v1/alarm-profiles", &profile).ok(), "id");
    let target = json!({"channel": "webhook", "address": "https://hooks.carrier.example/jw-secret-title"});
    let target = text(&noc.post("/api/v1/notices/targets", &target).ok()["target"], "id");
    let tier = text(&admin.get("/api/v1/customers").ok()["items"].as_array().expect("customers")[0], "tier");
    let contract = json!({"customer": "JW", "tier": tier, "from": "2036-01-01", "contact": {"name": "x"}});
    let contract = text(&admin.post("/api/v1/contracts", &contract).ok(), "id");
    let view = json!({"name": "JW-SECRET-TITLE", "list": "faults", "query": "reporter:me"});
    let view = text(&noc.post("/api/v1/views", &view).ok(), "id");
    vec![
        ("view", vec![view]),
        ("shelf", vec![shelf]),
        ("window", vec![window]),
        ("profile", vec![profile]),
        ("target", vec![target]),
        ("contract", vec![contract]),
        // The support centre's own: no customer's.
        ("problem", vec!["P-1".into()]),
        ("fault", vec![number, text(&fault, "id")]),
        ("consent", vec![consent]),
        ("equipment", vec!["ne-4.jw.ne".into(), text(&equipment, "id")]),
        ("customer", vec!["JW".into()]),
        ("standing", vec![standing(demo, &noc)]),
        // Made by other tests of this run, or not there yet: then an id of the right form that nobody has.
        ("alarm", vec![alarm.unwrap_or_else(|| "alm_01a20110d33674329e3cc56c92182820".into())]),
        ("session", vec![session.unwrap_or_else(|| "ses_01a2011227a477abb05d87ce9be94edd".into())]),
    ]
}

/// A standing statement of JW: the centre takes any sound signature, who signed is for the devices to believe.
fn standing(demo: &Demo, noc: &Http) -> String {
    let key = ssh_key::PrivateKey::read_openssh_file(std::path::Path::new(demo.consent_key())).expect("the approver's key");
    let now = jiff::Timestamp::now();
    let standing = Standing {
        id: ConsentId::new(),
        customer: "JW".parse().expect("a code"),
        devices: Devices::Named(["ne-4.jw.ne".parse().expect("a name")].into()),
        fault: ForFault::Any,
        level: 9,
        doors: "exec".parse().expect("doors"),
        account: "view".into(),
        duration_s: 60,
        roster: 1,
        approver: "approver-jw".parse().expect("a name"),
        issued: now,
        valid_before: now + jiff::SignedDuration::from_hours(1),
    };
    let signed = Signed::sign(&key, Namespace::Standing, standing.write().expect("a text")).expect("a signature");
    noc.post("/api/v1/standing", &json!({"statements": [signed]})).ok();
    standing.id.to_string()
}

/// Parameters that name what belongs to no customer: the support centre's, everybody's, or tested where it is made.
const NOBODYS: &[&str] = &[
    "calendar",
    "case",
    "deflection",
    "figure",
    "gap",
    "group",
    "handover",
    "name",
    "notice",
    "office",
    "rule",
    "terminal",
    "evidence",
    "wall",
];

/// A body that each route would take, so that a refusal is about the tenant and not about the body.
fn body_of(path: &str) -> Value {
    let last = path.rsplit('/').next().unwrap_or_default();
    match last {
        "{customer}" if path.contains("/trust/signers/") => json!({"signed": [{"text": "x", "signature": "y"}]}),
        "resume" if path.contains("/customers/") => json!({"reason": "x"}),
        "recordings" => json!({"quota_bytes": 1_000_000_000}),
        "notes" => json!({"text": "x"}),
        "switch" => json!({"on": true}),
        "activities" => json!({"kind": "phone"}),
        "merge" => json!({"faults": ["F-JW-1"]}),
        "presence" => json!({"doing": "looking"}),
        "links" if path.contains("/faults/") => json!({"kind": "related", "to": "F-JW-1"}),
        "assign" => json!({"to": "engineer-b"}),
        "pending" => json!({"reason": "customer"}),
        "diagnosis" => json!({"cause": "x", "plan": "y"}),
        "resolution" if path.contains("/problems/") => json!({"cause": "x", "resolution": "y"}),
        "faults" if path.contains("/problems/") => json!({"faults": ["F-YW-1"]}),
        "resolution" => json!({"channel": "phone", "note": "x"}),
        "removal" if path.contains("/alarm-") => json!({"why": "x"}),
        "end" if path.contains("/maintenance-windows/") => json!({"why": "x"}),
        "{contract}" => json!({"customer": "JW", "tier": "gold", "from": "2036-01-01", "contact": {"name": "x"}}),
        "unmerge" | "deletion" | "reopening" | "rejection" | "cancellation" | "refusal" | "revocation" | "kill" | "stop" => {
            json!({"reason": "x"})
        }
        "duplicate" => json!({"of": "F-JW-1"}),
        "approval" => json!({"consent": {"text": "x", "signature": "y"}}),
        "statement" | "{customer}" => json!({"text": "x", "signature": "y"}),
        _ => json!({}),
    }
}

/// Nothing in it may speak of JW.
fn clean(reply: &Reply) {
    let text = reply.body.to_string();
    for secret in ["\"JW\"", "F-JW-", ".jw.ne", "noc-jw", "JW-SECRET-TITLE"] {
        assert!(!text.contains(secret), "{} shows `{secret}`: {text}", reply.asked);
    }
}

pub fn a_customer_sees_nothing_of_another(demo: &Demo) {
    let belongings = belongings(demo);
    let stranger = demo.http(Some("noc-yw"));
    let nobody = demo.http(None);
    let api = nobody.get("/api/v1/openapi.json").ok();
    let paths = api["paths"].as_object().expect("paths");
    assert!(paths.len() > 40, "{} routes", paths.len());
    let mut asked = 0;
    for (path, methods) in paths.iter().filter(|(path, _)| path.starts_with("/api/")) {
        for method in methods.as_object().expect("methods").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let is_public = ["/api/v1/login", "/api/v1/setup"].contains(&path.as_str()) || path.starts_with("/api/v1/sign-");
            // Without a token: nothing.
            if !is_public {
                let bare = path.replace(['{', '}'], "");
                assert_eq!(nobody.send(method.clone(), &bare, None).status, 401, "{method} {path} without a token");
            }
            let parameter = path.split('{').nth(1).and_then(|rest| rest.split('}').next());
            match parameter {
                // The log streams for ever; its scope is the list's below.
                None if method == Method::GET
                    && path != "/api/v1/events"
                    && !path.starts_with("/api/v1/sign-in/oidc")
                    && !["/api/v1/cases/suggest", "/api/v1/cases/signals", "/api/v1/cases/search"].contains(&path.as_str()) =>
                {
                    let asked = if path == "/api/v1/sessions/grep" { format!("{path}?q=a") } else { path.clone() };
                    let reply = stranger.get(&asked);
                    // The server itself, and its walls, are the support centre's alone.
                    let is_for_the_centre = ["/api/v1/system", "/api/v1/wall-tokens"].contains(&path.as_str());
                    assert!(reply.status < 300 || (is_for_the_centre && reply.status == 403), "{reply:?}");
                    clean(&reply);
                }
                Some(name) => {
                    let Some((_, values)) = belongings.iter().find(|(known, _)| *known == name) else {
                        assert!(NOBODYS.contains(&name), "whose is a {name} ({path})? It belongs to `belongings` or to `NOBODYS`");
                        continue;
                    };
                    for value in values {
                        let concrete = path.replace(&format!("{{{name}}}"), value);
                        let body = (method != Method::GET).then(|| ("application/json", body_of(path).to_string().into_bytes()));
                        let reply = stranger.send(method.clone(), &concrete, body);
                        assert!(matches!(reply.status, 403 | 404), "{reply:?}");
                        // What exists and is another's looks like what does not exist.
                        if reply.status == 404 {
                            let missing = concrete.replace(value, &unlike(value));
                            let body = (method != Method::GET).then(|| ("application/json", body_of(path).to_string().into_bytes()));
                            let other = stranger.send(method.clone(), &missing, body);
                            assert_eq!(
                                (other.status, &other.body["title"]),
                                (404, &reply.body["title"]),
                                "{} against {}",
                                reply.asked,
                                other.asked
                            );
                        }
                        asked += 1;
                    }
                }
                None => {}
            }
        }
    }
    assert!(asked > 40, "only {asked} questions were asked about JW's things");
    // Filters don't count another's things either.
    for query in ["faults?customer=JW&status=all", "equipment?customer=JW", "standing?customer=JW", "sessions/grep?q=e&customer=JW"] {
        assert_eq!(stranger.get(&format!("/api/v1/{query}")).ok()["items"], json!([]), "{query}");
    }
    // Filing for another's equipment, or under its name.
    let filed = json!({"equipment": "ne-4.jw.ne", "title": "x", "impact": "none"});
    stranger.post("/api/v1/faults", &filed).problem(404, "not_found");
    stranger.post("/api/v1/faults", &json!({"customer": "JW", "title": "x", "impact": "none"})).problem(422, "invalid");
    // The first fault of a customer has the number 1, whatever others have filed.
    assert!(
        demo.http(Some("noc-yw")).get("/api/v1/faults?status=all").ok().to_string().contains("F-YW-1")
            || stranger.get("/api/v1/faults?status=all").ok()["items"] == json!([])
    );
}

/// The same kind of name for a thing that does not exist.
fn unlike(value: &str) -> String {
    match value {
        "JW" => "QQ".into(),
        "ne-4.jw.ne" => "ne-1.qq.ne".into(),
        number if number.starts_with("F-") => "F-QQ-1".into(),
        number if number.starts_with("P-") => "P-999".into(),
        id => format!("{}{}", &id[..id.len() - 4], if id.ends_with("0000") { "1111" } else { "0000" }),
    }
}
