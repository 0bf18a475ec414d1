//! Notices end to end: a real server, a webhook that answers as the test wants, `lineman notices`, and a `kill -9` in between.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use lineman_tests::{Demo, eventually, run_with_input};
use serde_json::{Value, json};

/// One POST as it came.
#[derive(Clone, Debug)]
struct Post {
    head: String,
    body: String,
}

impl Post {
    fn header(&self, name: &str) -> String {
        let found = self.head.lines().find_map(|line| line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name)));
        found.unwrap_or_else(|| panic!("no {name} in {}", self.head)).1.to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A webhook on this machine: takes connections one after the other.
struct Hook {
    url: String,
    heard: Arc<Mutex<Vec<Post>>>,
    /// Whether it answers, or takes the request and says nothing.
    answers: Arc<Mutex<bool>>,
}

impl Hook {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let hook = Self { url, heard: Arc::default(), answers: Arc::new(Mutex::new(true)) };
        let (heard, answers) = (Arc::clone(&hook.heard), Arc::clone(&hook.answers));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Some(post) = receive(stream, *answers.lock().expect("a lock")) {
                    heard.lock().expect("a lock").push(post);
                }
            }
        });
        hook
    }

    fn heard(&self) -> Vec<Post> {
        self.heard.lock().expect("a lock").clone()
    }

    fn answer(&self, yes: bool) {
        *self.answers.lock().expect("a lock") = yes;
    }
}

/// Reads one request; without an answer the connection is dropped when the request is whole.
fn receive(mut stream: TcpStream, answers: bool) -> Option<Post> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                if answers {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthank").ok()?;
                }
                return Some(Post { head: head.to_owned(), body: body.to_owned() });
            }
        }
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            Ok(_) | Err(_) => return None,
        }
    }
}

/// What stock `openssl` makes of it.
fn hmac(secret: &str, text: &str) -> String {
    let output = run_with_input(Command::new("openssl").args(["dgst", "-sha256", "-hmac", secret]), text).ok();
    output.stdout.trim().rsplit(' ').next().unwrap_or_default().to_owned()
}

fn file(demo: &Demo, title: &str) -> String {
    let new = json!({"customer": "JW", "title": title, "impact": "partial"});
    let fault = demo.http(Some("noc-jw")).post("/api/v1/faults", &new).ok();
    fault["number"].as_str().expect("a number").to_owned()
}

fn delivered(demo: &Demo, target: &str, count: usize) -> Vec<Value> {
    eventually("delivered", || {
        let log = demo.http(Some("admin-z")).get(&format!("/api/v1/notices?target={target}&state=delivered")).ok();
        let items = log["items"].as_array().cloned().unwrap_or_default();
        if items.len() >= count { Ok(items) } else { Err(log.to_string()) }
    })
}

pub fn a_person_is_told_signed_logged_and_told_again_on_demand() {
    let demo = Demo::up(1);
    let hook = Hook::open();
    let admin = |args: &[&str]| demo.person("admin-z").args(["notices"].iter().chain(args).copied()).output();
    let added = admin(&["target", "add", "webhook", &hook.url, "--person", "engineer-a", "-o", "json"]).json();
    let target = added["target"]["id"].as_str().expect("an id").to_owned();
    let secret = added["secret"]["secret"].as_str().expect("a secret").to_owned();
    let engineer = |args: &[&str]| demo.person("engineer-a").args(["notices"].iter().chain(args).copied()).output();
    // The secret was shown once; the owner sees the target, nobody else of the centre does.
    assert!(!engineer(&["target", "show", &target, "-o", "json"]).ok().stdout.contains(&secret));
    demo.person("engineer-b").args(["notices", "target", "show", &target]).output().exits(3);
    demo.person("noc-jw").args(["notices", "target", "show", &target]).output().exits(3);

    // A reply from the customer reaches the owner of the fault.
    let fault = file(&demo, "no light");
    demo.person("engineer-a").args(["fault", "accept", &fault]).output().ok();
    demo.http(Some("noc-jw")).post(&format!("/api/v1/faults/{fault}/notes"), &json!({"text": "still dark"})).ok();
    let notice = delivered(&demo, &target, 1).remove(0);
    let post = hook.heard().remove(0);
    assert_eq!((post.json()["kind"].as_str(), post.json()["fault"]["number"].as_str()), (Some("fault.note"), Some(fault.as_str())));
    assert_eq!(post.json()["words"], json!(["still dark"]));
    let id = notice["id"].as_str().expect("an id").to_owned();
    assert_eq!((post.header("lineman-delivery"), post.json()["id"].as_str()), (id.clone(), Some(id.as_str())));
    let signature = hmac(&secret, &format!("{}.{}", post.header("lineman-timestamp"), post.body));
    let (key, signed) =
        post.header("lineman-signature").split_once('=').map(|(key, hex)| (key.to_owned(), hex.to_owned())).expect("a signature");
    assert_eq!((key.as_str(), signed), (added["secret"]["key"].as_str().expect("a key"), signature));

    // Again on demand: the same under the same id; the log has both attempts.
    engineer(&["replay", &id]).ok();
    eventually("it came again", || if hook.heard().len() == 2 { Ok(()) } else { Err(format!("{:?}", hook.heard())) });
    assert_eq!(hook.heard()[1].body, post.body);
    let page = eventually("both are logged", || {
        let page = engineer(&["delivery", &id, "-o", "json"]).json();
        if page["log"].as_array().is_some_and(|log| log.len() == 2) { Ok(page) } else { Err(page.to_string()) }
    });
    assert_eq!(page["log"][0]["status"], 200);

    // A new secret: for a day both sign.
    let rotated = engineer(&["target", "rotate-secret", &target, "-o", "json"]).json();
    engineer(&["target", "test", &target]).ok();
    eventually("the test came", || if hook.heard().len() == 3 { Ok(()) } else { Err(format!("{:?}", hook.heard())) });
    let test = hook.heard().remove(2);
    let text = format!("{}.{}", test.header("lineman-timestamp"), test.body);
    let new = rotated["secret"]["secret"].as_str().expect("a secret");
    let expected = [(&rotated["secret"]["key"], new), (&added["secret"]["key"], &secret)];
    let expected = expected.map(|(key, secret)| format!("{}={}", key.as_str().expect("a key"), hmac(secret, &text)));
    assert_eq!(test.header("lineman-signature"), expected.join(" "));

    // What the person does not want is not told; what is internal is told to no customer.
    engineer(&["prefer", "--language", "zh", "--zone", "Asia/Shanghai", "--quiet-hours", "none", "--topic", "reply=none"]).ok();
    assert!(engineer(&["preferences"]).ok().stdout.contains("Asia/Shanghai"));
    engineer(&["prefer", "--zone", "Mars/Olympus"]).exits(1);
    demo.http(Some("noc-jw")).post(&format!("/api/v1/faults/{fault}/notes"), &json!({"text": "and now?"})).ok();
    demo.http(Some("engineer-b")).post(&format!("/api/v1/faults/{fault}/notes"), &json!({"text": "HUSH", "internal": true})).ok();
    let log = eventually("the note is told", || {
        let log = engineer(&["log", "--fault", &fault, "-o", "json"]).json();
        if log.to_string().contains("HUSH") { Ok(log) } else { Err(log.to_string()) }
    });
    assert!(!log.to_string().contains("and now?"), "{log}");
}

/// The server is killed while deliveries are under way: every event still arrives, each under one id.
pub fn a_killed_server_tells_everything_all_the_same() {
    let demo = Demo::up(1);
    let hook = Hook::open();
    let settings = json!({"webhooks": [hook.url], "topics": ["reported"]});
    let set = demo.http(Some("admin-z")).put("/api/v1/customers/JW/notices", &settings).ok();
    let target = set["secrets"][0]["target"].as_str().expect("a target").to_owned();
    // It hears and says nothing: nobody at the centre can know whether it was told.
    hook.answer(false);
    let mut filed = BTreeSet::new();
    for n in 0..3 {
        filed.insert(file(&demo, &format!("before {n}")));
    }
    eventually("something is on its way", || if hook.heard().is_empty() { Err("nothing") } else { Ok(()) }.map_err(str::to_owned));
    demo.kill("server");
    let mut server = demo.start_server();
    filed.insert(file(&demo, "between"));
    server.kill9();
    hook.answer(true);
    let _server = demo.start_server();
    filed.insert(file(&demo, "after"));
    delivered(&demo, &target, filed.len());
    let heard = hook.heard();
    let told: BTreeSet<String> = heard.iter().map(|post| post.json()["fault"]["number"].as_str().expect("a number").to_owned()).collect();
    assert_eq!(told, filed);
    let ids: BTreeSet<(String, String)> =
        heard.iter().map(|post| (post.header("lineman-delivery"), post.json()["fault"]["number"].to_string())).collect();
    assert_eq!(ids.len(), filed.len(), "one id for each, however often it came: {ids:?}");
    assert!(heard.len() > ids.len(), "something came twice");
}
