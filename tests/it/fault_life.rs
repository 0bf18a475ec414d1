//! The life of a fault over the wire: two people on one fault, files, keys of requests, and what a kill leaves.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lineman_tests::{Demo, Process, bin, eventually, run};
use reqwest::Method;
use serde_json::{Value, json};

const NE: &str = "ne-4.jw.ne";

/// HTTP with headers, as one person.
#[derive(Clone)]
struct Wire {
    client: reqwest::Client,
    base: String,
    token: String,
}

struct Reply {
    status: u16,
    headers: reqwest::header::HeaderMap,
    bytes: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&self.bytes)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[track_caller]
    fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json());
        self
    }
}

impl Wire {
    fn of(demo: &Demo, person: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = std::fs::read(demo.dir().join("server/ca.pem")).expect("the CA");
        let ca = reqwest::Certificate::from_pem(&ca).expect("a certificate");
        let client = reqwest::Client::builder().tls_certs_only([ca]).timeout(Duration::from_secs(60)).build().expect("a client");
        Self { client, base: demo.server().to_owned(), token: demo.of_person(person, "token") }
    }

    async fn try_send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Reply, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}/api/v1/{path}", self.base)).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, bytes: response.bytes().await?.to_vec() })
    }

    fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.try_send(method, path, headers, body)).unwrap_or_else(|e| panic!("{path}: {e:?}"))
    }

    fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], Vec::new())
    }

    fn json(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let headers = [&[("content-type", "application/json")][..], headers].concat();
        self.send(method, path, &headers, body.to_string().into_bytes())
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        self.json(Method::POST, path, headers, body)
    }
}

fn file(noc: &Wire, title: &str) -> String {
    let fault = noc.post("faults", &[], &json!({"equipment": NE, "title": title, "impact": "none"})).is(200).json();
    fault["number"].as_str().expect("a number").to_owned()
}

pub fn two_people_edit_one_fault_and_nothing_typed_is_lost(demo: &Demo) {
    let (engineer, noc) = (Wire::of(demo, "engineer-a"), Wire::of(demo, "noc-jw"));
    let number = file(&noc, "a fan is loud");
    let path = format!("faults/{number}");
    let seen = engineer.get(&path).is(200);
    let tag = seen.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag == format!("\"{}\"", seen.json()["version"]), "{tag}");

    // Without a version nothing is changed; with the one that was seen it is, once.
    let theirs = json!({"title": "fan 2 is loud", "customer_reference": "INC-4711"});
    engineer.json(Method::PATCH, &path, &[], &theirs).is(428);
    let after = engineer.json(Method::PATCH, &path, &[("if-match", &tag)], &theirs).is(200);
    assert_ne!(after.header("etag"), tag);
    let yours = json!({"title": "the upper fan is loud"});
    let conflict = engineer.json(Method::PATCH, &path, &[("if-match", &tag)], &yours).is(412).json();
    assert_eq!((&conflict["details"]["yours"], &conflict["details"]["current"]["title"]), (&yours, &json!("fan 2 is loud")));
    assert_eq!(conflict["details"]["etag"], after.header("etag"), "what to send next");
    engineer.json(Method::PATCH, &path, &[("if-match", after.header("etag"))], &yours).is(200);

    // Steps take the condition too. What a carrier's people see is a version of its own.
    let own = noc.get(&path).is(200).header("etag").to_owned();
    engineer.post(&format!("{path}/notes"), &[], &json!({"text": "hm", "internal": true})).is(200);
    assert_eq!(noc.get(&path).header("etag"), own, "an internal note is not counted");
    engineer.post(&format!("{path}/accept"), &[("if-match", &tag)], &json!({})).is(412);
    engineer.post(&format!("{path}/accept"), &[("if-match", "*")], &json!({})).is(200);
    noc.post(&format!("{path}/notes"), &[("if-match", &own)], &json!({"text": "any news?"})).is(412);

    // The command line shows both texts, and its exit code says what it was.
    let edit = ["fault", "edit", &number, "--title", "mine", "--seen", "1"];
    demo.person("engineer-a").args(edit).output().exits(6).says("yours:   mine").says("current: the upper fan is loud");
    demo.person("engineer-a").args(["fault", "edit", &number, "--title", "the left fan is loud"]).output().ok();
    let found = demo.person("noc-jw").args(["fault", "list", "--reference", "INC-4711", "-o", "json"]).output().json();
    assert_eq!(found[0]["title"], "the left fan is loud");

    // Who is there.
    engineer.json(Method::PUT, &format!("{path}/presence"), &[], &json!({"doing": "typing"})).is(200);
    let present = noc.json(Method::PUT, &format!("{path}/presence"), &[], &json!({"doing": "looking"})).is(200).json();
    let who: Vec<_> = present["items"].as_array().into_iter().flatten().map(|p| (p["who"].as_str(), p["doing"].as_str())).collect();
    assert_eq!(who, [(Some("noc-jw"), Some("looking")), (Some("support"), Some("typing"))]);
    demo.person("engineer-a").args(["fault", "presence", &number]).output().ok().says("engineer-a");
}

pub fn files_go_in_and_out_as_downloads_and_internal_ones_stay_inside(demo: &Demo) {
    let (engineer, noc, stranger) = (Wire::of(demo, "engineer-a"), Wire::of(demo, "noc-jw"), Wire::of(demo, "noc-yw"));
    let number = file(&noc, "with files");
    let path = format!("faults/{number}/attachments");
    let page = b"<!doctype html><script>alert(1)</script>".to_vec();
    let sent = noc.send(Method::POST, &format!("{path}?name=..%2Fx.html"), &[("content-type", "text/html")], page.clone()).is(200).json();
    assert_eq!(
        (&sent["name"], &sent["media_type"], &sent["internal"]),
        (&json!("x.html"), &json!("text/plain; charset=utf-8"), &json!(false))
    );
    let one = format!("{path}/{}", sent["id"].as_str().expect("an id"));
    let got = engineer.get(&one).is(200);
    assert_eq!(got.bytes, page);
    assert!(got.header("content-disposition").starts_with("attachment;"), "{:?}", got.headers);
    assert_eq!((got.header("x-content-type-options"), got.header("content-security-policy")), ("nosniff", "default-src 'none'; sandbox"));

    // Larger than other bodies may be, and not larger than files may.
    let large = vec![7; 20 << 20];
    engineer.send(Method::POST, &format!("{path}?name=dump"), &[], large.clone()).is(200);
    engineer.send(Method::POST, &path, &[], [large, vec![7]].concat()).is(413);
    noc.send(Method::POST, &path, &[], Vec::new()).is(422);
    noc.send(Method::POST, "faults", &[("content-type", "application/json")], vec![b' '; 2 << 20]).is(413);

    // Internal ones are neither listed nor found nor told of outside.
    let secret = engineer.send(Method::POST, &format!("{path}?name=SECRET&internal=true"), &[], b"inside".to_vec()).is(200).json();
    let secret = format!("{path}/{}", secret["id"].as_str().expect("an id"));
    noc.get(&secret).is(404);
    for shown in [&path, &format!("faults/{number}"), &format!("faults/{number}/timeline")] {
        assert!(!noc.get(shown).is(200).json().to_string().contains("SECRET"), "{shown}");
    }
    for foreign in [&path, &one, &secret] {
        stranger.get(foreign).is(404);
    }
    // Deleted: the content goes, the event stays.
    noc.post(&format!("{one}/deletion"), &[], &json!({"reason": "x"})).is(403);
    engineer.post(&format!("{one}/deletion"), &[], &json!({})).is(422);
    engineer.post(&format!("{one}/deletion"), &[], &json!({"reason": "holds a password"})).is(200);
    engineer.get(&one).is(404);
    let timeline = noc.get(&format!("faults/{number}/timeline")).json().to_string();
    assert!(timeline.contains("holds a password") && timeline.contains("x.html"), "{timeline}");
    let folder = demo.dir().join("server/attachments");
    let place = |sha256: &Value| folder.join(&sha256.as_str().expect("a hash")[..2]).join(sha256.as_str().expect("a hash"));
    assert!(!place(&sent["sha256"]).exists(), "its bytes are gone");

    // The command line, there and back.
    let scratch = demo.scratch("files");
    std::fs::write(scratch.join("fan.txt"), "loud").expect("a file");
    let [from, to] = ["fan.txt", "back.txt"].map(|name| scratch.join(name).display().to_string());
    let attached = demo.person("noc-jw").args(["fault", "attach", &number, &from, "-o", "json"]).output().json();
    let id = attached["id"].as_str().expect("an id");
    demo.person("engineer-a").args(["fault", "attachment", "get", &number, id, "--to", &to]).output().ok();
    assert_eq!(std::fs::read_to_string(&to).expect("a file"), "loud");
    demo.person("engineer-a").args(["fault", "attachment", "get", &number, id, "--to", &to]).output().exits(1);
    demo.person("engineer-a").args(["fault", "attachment", "list", &number]).output().ok().says("fan.txt");

    // They go with a backup.
    let (copy, config) = (scratch.join("copy.db"), demo.dir().join("server/server.toml"));
    run(Command::new(bin("lineman-server")).args(["backup", "--config"]).arg(&config).arg("--to").arg(&copy)).ok();
    let sha256 = attached["sha256"].as_str().expect("a hash");
    let beside = Path::new(&format!("{}.attachments", copy.display())).join(&sha256[..2]).join(sha256);
    assert_eq!(std::fs::read_to_string(beside).expect("a file"), "loud");
}

pub fn a_request_under_a_key_is_carried_out_once(demo: &Demo) {
    let (noc, engineer) = (Wire::of(demo, "noc-jw"), Wire::of(demo, "engineer-a"));
    let count = |title: &str| {
        let list = noc.get(&format!("faults?status=all&text={title}")).is(200).json();
        list["items"].as_array().map_or(0, Vec::len)
    };
    let new = |title: &str| json!({"equipment": NE, "title": title, "impact": "none"});
    let key = [("idempotency-key", "it-1")];
    let first = noc.post("faults", &key, &new("once-a")).is(200);
    let again = noc.post("faults", &key, &new("once-a")).is(200);
    assert_eq!((first.bytes.clone(), first.header("etag")), (again.bytes.clone(), again.header("etag")));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(count("once-a"), 1);
    // Another body, another route: a mistake. Another person: another request.
    noc.post("faults", &key, &new("once-b")).is(422);
    noc.post(&format!("faults/{}/notes", first.json()["number"].as_str().expect("a number")), &key, &json!({"text": "x"})).is(422);
    engineer.post("faults", &key, &new("once-c")).is(200);
    noc.post("faults", &[("idempotency-key", "two words")], &new("once-d")).is(400);
    assert_eq!((count("once-b"), count("once-d")), (0, 0));
    // What was refused leaves its key free.
    let key = [("idempotency-key", "it-2")];
    noc.post("faults", &key, &json!({"equipment": NE, "title": " ", "impact": "none"})).is(422);
    noc.post("faults", &key, &new("once-e")).is(200);
    // Of an upload, too.
    let path = format!("faults/{}/attachments?name=a", first.json()["number"].as_str().expect("a number"));
    let key = [("idempotency-key", "it-3")];
    let upload = |bytes: &[u8]| noc.send(Method::POST, &path, &key, bytes.to_vec());
    assert_eq!(upload(b"one").is(200).bytes, upload(b"one").is(200).bytes);
    upload(b"two").is(422);
    // Routes of other rooms.
    let number = first.json()["number"].as_str().expect("a number").to_owned();
    let draft = json!({"audience": "internal", "equipment": [], "codes": [], "en": {"title": "once", "symptom": "", "cause": "x", "steps": "", "resolution": ""}});
    let key = [("idempotency-key", "it-4")];
    let cases = [(); 2].map(|()| engineer.post("cases", &key, &draft).json()["number"].clone());
    assert!(cases[0].is_string() && cases[0] == cases[1], "{cases:?}");
    // A secret is not kept, and not made twice.
    let key = [("idempotency-key", "it-5")];
    let token = |wire: &Wire| wire.post("people/engineer-a/tokens", &key, &json!({"label": "x"}));
    token(&engineer).is(200);
    token(&engineer).is(409);

    // Many at once, under one key: one effect, and everybody hears of it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let answers = runtime.block_on(async {
        let notes = format!("faults/{number}/notes");
        let send = || async {
            let headers = [("idempotency-key", "it-6"), ("content-type", "application/json")];
            noc.try_send(Method::POST, &notes, &headers, br#"{"text": "said once"}"#.to_vec()).await.expect("an answer")
        };
        futures_util::future::join_all((0..10).map(|_| send())).await
    });
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.bytes == answers[0].bytes));
    let timeline = noc.get(&format!("faults/{number}/timeline")).json().to_string();
    assert_eq!(timeline.matches("said once").count(), 1);
}

pub fn lists_problems_and_merges_from_the_command_line(demo: &Demo) {
    let noc = Wire::of(demo, "noc-jw");
    let (one, two) = (file(&noc, "cli-one"), file(&noc, "cli-two"));
    let engineer = |args: &[&str]| demo.person("engineer-a").args(args).output().ok();
    engineer(&["fault", "accept", &one]);
    engineer(&["fault", "link", "add", &two, "caused_by", &one]).says("caused_by");
    let phone =
        demo.person("engineer-a").args(["fault", "activity", "start", &one, "phone", "--with", "NOC", "-o", "json"]).output().json();
    let phone = phone["id"].as_str().expect("an id");
    engineer(&["fault", "restore", &one, "--waiver", "traffic flows"]);
    let resolve = ["fault", "resolve", &one, "--channel", "phone", "--cause", "a plug", "--note", "plugged in"];
    demo.person("engineer-a").args(resolve).output().exits(6).says(phone);
    engineer(&["fault", "activity", "end", &one, phone, "--outcome", "plugged in"]);
    engineer(&["fault", "merge", &one, &two, "--reason", "the same plug"]);
    engineer(&["fault", "show", &one, "--no-health"]).says(&two).says("phone");
    engineer(&["fault", "unmerge", &two, "--reason", "another plug"]);
    engineer(&resolve);
    demo.person("noc-jw").args(["fault", "reopen", &one, "--reason", "it is back"]).output().ok();
    let mine = demo.person("engineer-a").args(["fault", "list", "--mine", "--text", "cli-", "-o", "json"]).output().json();
    assert_eq!(mine.as_array().map(Vec::len), Some(1), "{mine}");

    let problem = ["problem", "open", "--title", "plugs of week 12", "--fault", &one, "-o", "json"];
    let problem = demo.person("engineer-a").args(problem).output().json();
    let problem = problem["number"].as_str().expect("a number").to_owned();
    engineer(&["problem", "attach", &problem, &two]);
    engineer(&["problem", "edit", &problem, "--workaround", "push harder"]);
    engineer(&["problem", "show", &problem]).says("2 attached");
    engineer(&["problem", "resolve", &problem, "--cause", "soft springs", "--resolution", "new plugs, free of charge"]);
    for number in [&one, &two] {
        demo.person("noc-jw").args(["fault", "timeline", number]).output().ok().says("free of charge");
    }
    demo.person("noc-jw").args(["problem", "show", &problem]).output().exits(3);
    engineer(&["fault", "closing"]).says("all others");
}

fn start(demo: &Demo) -> Process {
    demo.start_server()
}

/// A server is killed again and again while requests arrive; every request is repeated until it is answered.
pub fn kills_lose_and_double_no_request() {
    const REQUESTS: usize = 60;
    const KILLS: usize = 4;
    let demo = Demo::up(1);
    let noc = Arc::new(Wire::of(&demo, "noc-jw"));
    demo.kill("server");
    let mut server = start(&demo);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let sent: Vec<_> = (0..REQUESTS)
        .map(|n| {
            let noc = Arc::clone(&noc);
            runtime.spawn(async move {
                let (key, body) =
                    (format!("kill-{n}"), json!({"customer": "JW", "title": format!("kill-{n}."), "impact": "none"}).to_string());
                loop {
                    let headers = [("idempotency-key", key.as_str()), ("content-type", "application/json")];
                    match noc.try_send(Method::POST, "faults", &headers, body.clone().into_bytes()).await {
                        Ok(reply) if reply.status == 200 => return reply.json()["number"].as_str().map(str::to_owned),
                        Ok(reply) if reply.status < 500 => panic!("{}", reply.json()),
                        Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                    // Spread over the time in which servers die.
                    tokio::time::sleep(Duration::from_millis(7 * n as u64)).await;
                }
            })
        })
        .collect();
    for _ in 0..KILLS {
        server.kill9();
        server = start(&demo);
    }
    let numbers: Vec<_> = sent.into_iter().map(|task| runtime.block_on(task).expect("an end").expect("a number")).collect();
    let mut different = numbers.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), REQUESTS);
    let listed = noc.get("faults?status=all&text=kill-&limit=1000").is(200).json();
    let listed: Vec<_> =
        listed["items"].as_array().into_iter().flatten().map(|fault| fault["title"].as_str().unwrap_or_default()).collect();
    assert_eq!(listed.len(), REQUESTS, "each once: {listed:?}");
    // And with the answers it was told before the kill, still.
    for (n, number) in numbers.iter().enumerate() {
        let body = json!({"customer": "JW", "title": format!("kill-{n}."), "impact": "none"});
        let again = noc.post("faults", &[("idempotency-key", &format!("kill-{n}"))], &body).is(200).json();
        assert_eq!(again["number"], **number);
    }

    // What a kill left of an upload is collected at the start; what is named stays.
    let path = format!("faults/{}/attachments?name=kept", numbers[0]);
    let kept = noc.send(Method::POST, &path, &[], b"kept".to_vec()).is(200).json();
    let folder = demo.dir().join("server/attachments");
    server.kill9();
    std::fs::create_dir_all(folder.join("ab")).expect("a folder");
    std::fs::write(folder.join("incoming/half"), "half").expect("a file");
    std::fs::write(folder.join("ab").join("ab".repeat(32)), "orphan").expect("a file");
    let server = start(&demo);
    assert!(!folder.join("incoming/half").exists() && !folder.join("ab").join("ab".repeat(32)).exists());
    let one = format!("faults/{}/attachments/{}", numbers[0], kept["id"].as_str().expect("an id"));
    assert_eq!(noc.get(&one).is(200).bytes, b"kept");

    // A resolved fault closes by itself, and nobody else does it.
    let (engineer, admin) = (Wire::of(&demo, "engineer-a"), Wire::of(&demo, "admin-z"));
    admin.json(Method::PUT, "closing", &[], &json!({"after_s": 0})).is(200);
    let step = |step: &str, body: Value| engineer.post(&format!("faults/{}/{step}", numbers[1]), &[], &body).is(200);
    step("accept", json!({}));
    step("restoration", json!({"waiver": "traffic flows"}));
    step("resolution", json!({"channel": "self", "cause": "x", "note": "gone"}));
    eventually("it closes by itself", || {
        let fault = noc.get(&format!("faults/{}", numbers[1])).is(200).json();
        if fault["status"] == "closed" { Ok(()) } else { Err(fault["status"].to_string()) }
    });
    drop(server);
}
