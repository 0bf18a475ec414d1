//! The order of the server's rooms, held by reading their sources: a room calls only rooms that are declared before it.

use std::fs;
use std::path::{Path, PathBuf};

fn server() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src")
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
}

/// The rooms in the order in which `main.rs` declares them: those that are folders.
fn rooms() -> Vec<String> {
    let main = fs::read_to_string(server().join("main.rs")).expect("main.rs");
    let declared = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    declared.filter(|name| server().join(name).is_dir()).map(str::to_owned).collect()
}

/// The rooms that a source names: `use crate::ROOM`, `use crate::{ROOM, ...}` and `crate::ROOM::` in its text.
fn named(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for after in text.split("crate::").skip(1) {
        let list = after.strip_prefix('{').map_or(after.split([':', ';', ' ', ',', ')', '<']).next().unwrap_or_default(), |inner| {
            inner.split('}').next().unwrap_or_default()
        });
        names.extend(list.split(',').map(|name| name.trim().split("::").next().unwrap_or_default().to_owned()));
    }
    names
}

pub fn calls_go_one_way() {
    let rooms = rooms();
    assert!(rooms.len() >= 15, "main.rs declares the rooms: {rooms:?}");
    let place = |name: &str| rooms.iter().position(|room| room == name);
    // The foundations know each other: a transaction carries the listeners, an error speaks of store and events.
    let foundations = ["store", "events", "web"];
    let mut upward = Vec::new();
    for (own, room) in rooms.iter().enumerate() {
        let mut files = Vec::new();
        sources(&server().join(room), &mut files);
        assert!(files.iter().any(|file| file.ends_with("mod.rs")), "the room {room} has a mod.rs");
        for file in files {
            let text = fs::read_to_string(&file).expect("a source");
            for name in named(&text) {
                let among_foundations = foundations.contains(&room.as_str()) && foundations.contains(&name.as_str());
                if place(&name).is_some_and(|other| other > own) && !among_foundations {
                    upward.push(format!("{} calls {name}", file.strip_prefix(server()).expect("below").display()));
                }
            }
        }
    }
    assert!(upward.is_empty(), "calls go down the list in main.rs only:\n{}", upward.join("\n"));
}

pub fn sql_stays_in_its_files() {
    let mut files = Vec::new();
    sources(&server(), &mut files);
    let astray: Vec<_> = files
        .iter()
        .filter(|file| !file.ends_with("sql.rs") && !file.components().any(|part| part.as_os_str() == "store"))
        .filter(|file| fs::read_to_string(file).expect("a source").contains("rusqlite"))
        .collect();
    assert!(astray.is_empty(), "only `store` and the `sql.rs` files know the database: {astray:?}");
    // `common` stays free of what would tie it to one side.
    let manifest = |part: &str| fs::read_to_string(server().join(format!("../../{part}/Cargo.toml"))).expect("a manifest");
    let common = manifest("common");
    for crate_name in ["rusqlite", "axum"] {
        assert!(!common.contains(crate_name), "common depends on {crate_name}");
    }
    // Legs are the exception (ADR 15), and whoever carries none does not get what they need.
    let of_all = common.split("[dev-dependencies]").next().unwrap_or_default();
    let tokio: Vec<_> = of_all.lines().filter(|line| line.contains("tokio")).collect();
    assert_eq!(tokio, [r#"leg = ["dep:bytes", "dep:tokio"]"#, "tokio = { workspace = true, optional = true }"]);
    assert!(!manifest("cli").contains(r#""leg""#), "the client carries no legs");
}
