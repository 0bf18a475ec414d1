//! The index of the case library beside a real server: what is saved is found, whatever becomes of the file.

use std::path::PathBuf;
use std::process::Command;

use lineman_tests::{Demo, Output, bin, eventually, run};
use serde_json::json;

fn file(demo: &Demo) -> PathBuf {
    demo.dir().join("server/case-index")
}

fn rebuild(demo: &Demo) -> Output {
    run(Command::new(bin("lineman-server")).args(["cases", "rebuild", "--config"]).arg(demo.dir().join("server/server.toml")))
}

fn found(demo: &Demo, word: &str) -> Vec<String> {
    let answer = demo.http(Some("engineer-a")).get(&format!("/api/v1/cases?q={word}")).ok();
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("no list in {answer}"));
    items.iter().filter_map(|hit| hit["number"].as_str().map(str::to_owned)).collect()
}

fn add(demo: &Demo, word: &str) -> String {
    let body = json!({"en": {"title": format!("{word} stopped"), "resolution": "replaced"}});
    demo.http(Some("engineer-a")).post("/api/v1/cases", &body).ok()["number"].as_str().expect("a number").to_owned()
}

pub fn saved_cases_are_found_whatever_becomes_of_the_file() {
    let demo = Demo::up(1);
    let first = add(&demo, "zoqbexa");
    assert_eq!(found(&demo, "zoqbexa"), [first.as_str()], "at once");

    // By command, while the server runs.
    rebuild(&demo).ok().says("the server builds").says("rebuilt the index of");
    assert!(file(&demo).exists(), "with its snapshot");
    let second = add(&demo, "zoqduxa");
    assert_eq!((found(&demo, "zoqbexa"), found(&demo, "zoqduxa")), (vec![first.clone()], vec![second.clone()]));

    // While it is down, over a file that is none.
    demo.kill("server");
    std::fs::write(file(&demo), b"no index").expect("a file");
    rebuild(&demo).ok().says("no server runs").says("rebuilt the index of");
    let server = demo.start_server();
    assert_eq!((found(&demo, "zoqbexa"), found(&demo, "zoqduxa")), (vec![first.clone()], vec![second.clone()]));

    // By itself, after a kill, over a file that is cut off.
    drop(server);
    let whole = std::fs::read(file(&demo)).expect("a snapshot");
    std::fs::write(file(&demo), &whole[..whole.len() / 2]).expect("a file");
    let _server = demo.start_server();
    let third = add(&demo, "zoqfixa");
    assert_eq!(found(&demo, "zoqfixa"), [third.as_str()], "new ones are found meanwhile");
    eventually("the index is whole again", || {
        let all = (found(&demo, "zoqbexa"), found(&demo, "zoqduxa"));
        if all == (vec![first.clone()], vec![second.clone()]) { Ok(()) } else { Err(format!("{all:?}")) }
    });
}
