//! What the demo tells people: where to go, how to sign in, what runs, what is broken.

use std::path::Path;

use serde::Serialize;

use super::element::{self, Part};
use super::place::Place;
use super::{Description, Error, Up, fleet};
use crate::exit::Failure;
use crate::output::{Cell, Out, Sheet, Table, Tone, text, write_out};

pub fn up(args: &Up, demo: &Description, out: &Out) -> Result<(), Failure> {
    if args.json || out.is_json() {
        let json = serde_json::to_string(demo).map_err(|e| Failure::failed(e.to_string()))?;
        return write_out(&(json + "\n"));
    }
    write_out(&welcome(args, demo, out))
}

/// Whose links are shown: one of each side of the story.
const SHOWN: [&str; 5] = ["engineer-a", "noc-jw", "approver-jw", "manager-d", "admin-z"];

fn welcome(args: &Up, demo: &Description, out: &Out) -> String {
    let people = Table::new(
        ["person", "role", "customer", "context"],
        demo.people.iter().map(|p| [text(&p.name), text(p.role), Cell::option(p.customer.as_ref()), text(&p.context)]),
    );
    let links = Table::new(
        ["person", "sign in to the console"],
        demo.people.iter().filter(|p| SHOWN.contains(&p.name.as_str())).map(|p| [text(&p.name), text(&p.sign_in)]),
    );
    let devices = demo.devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join("  ");
    let pages = demo.devices.iter().filter(|device| device.browser_keys).map(|device| device.name.as_str()).collect::<Vec<_>>().join("  ");
    let path = path_hint();
    let dir = args.place.dir.as_ref().map(|_| format!(" --dir {}", quoted(&demo.dir))).unwrap_or_default();
    let (server, ca, key, files) = (&demo.server, quoted(&demo.ca), quoted(&demo.consent_key), demo.dir.display());
    let detached = if args.detach { format!("\n  lineman demo down{dir}") } else { String::new() };
    format!(
        "
Demo data / 演示数据: nothing here is a real carrier, person or device. Files: {files}

Elements: {devices}
These take a consent signed in a page of the console, too, where the carrier's list names the page's key: {pages}

{}
Open one of these in a browser, as often as you like. (The browser does not know the demo's certificate authority, {ca}.)
Passwords are in {files}/demo.json.

{}
Each person is a context of the client: `lineman --context demo-noc-jw fault list`, or `export LINEMAN_CONTEXT=demo-noc-jw`.
Over HTTP: {server}/api/v1 with `Authorization: Bearer $(cat {files}/tokens/NAME)` and CA file {ca}

Next:{path}
  export LINEMAN_CONTEXT=demo-engineer-a
  lineman demo break ne-1 fan{dir}
  lineman fault list
  lineman fault accept F-JW-1
  lineman fault show F-JW-1
  lineman consent request F-JW-1 --doors shell,exec,sftp-read --for 2h --reason 'fan-2 stopped'
  lineman --context demo-approver-jw consent list
  lineman --context demo-approver-jw consent approve ID --key {key}
  lineman ssh F-JW-1        # then: ne show alarm, ne reset fan-2, exit{detached}
",
        out.table(&links),
        out.table(&people)
    )
}

/// A line for those who run `lineman` from a build directory.
fn path_hint() -> String {
    let Ok(own) = std::env::current_exe() else { return String::new() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let reachable = std::env::split_paths(&path).any(|dir| dir.join("lineman").is_file());
    match own.parent() {
        Some(dir) if !reachable => format!("\n  export PATH={}:$PATH", quoted(dir)),
        _ => String::new(),
    }
}

/// As a shell takes it back; plain if it can be.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+".contains(&b)) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A demo as `demo status` shows it.
#[derive(Serialize)]
struct Status {
    dir: String,
    /// Is the server running?
    running: bool,
    server: Option<String>,
    jump: Option<String>,
    processes: Vec<Member>,
    elements: Vec<Element>,
}

#[derive(Serialize)]
struct Member {
    name: String,
    pid: u32,
    running: bool,
    log: String,
}

#[derive(Serialize)]
struct Element {
    handle: String,
    name: String,
    broken: Vec<&'static str>,
    home: String,
}

/// Shows a demo that is there, running or not.
pub fn status(place: &Place, out: &Out) -> Result<(), Failure> {
    if !place.is_demo() {
        return Err(Error::NotRunning { dir: place.dir().to_owned() }.into());
    }
    let demo = if place.description().exists() { Some(super::description(place)?) } else { None };
    let processes: Vec<_> = fleet::processes(place)?
        .into_iter()
        .map(|process| Member {
            running: process.is_running(),
            name: process.name,
            pid: process.pid,
            log: process.log.display().to_string(),
        })
        .collect();
    let status = Status {
        dir: place.dir().display().to_string(),
        running: processes.iter().any(|process| process.running && process.name == super::up::SERVER),
        server: demo.as_ref().map(|demo| demo.server.clone()),
        jump: demo.as_ref().map(|demo| demo.jump.clone()),
        processes,
        elements: demo.iter().flat_map(|demo| &demo.devices).map(element).collect(),
    };
    out.sheet(&status, sheet)
}

fn element(device: &super::Device) -> Element {
    Element {
        handle: device.handle.clone(),
        name: device.name.clone(),
        broken: element::broken(&device.element).into_iter().map(Part::as_str).collect(),
        home: device.element.display().to_string(),
    }
}

fn sheet(status: &Status) -> Sheet {
    let running = |yes: bool| if yes { Cell::toned("running", Tone::Good) } else { Cell::toned("ended", Tone::Bad) };
    let processes = status.processes.iter().map(|p| [text(&p.name), text(p.pid), running(p.running), text(&p.log)]);
    let broken = |parts: &[&str]| if parts.is_empty() { Cell::toned("sound", Tone::Good) } else { Cell::toned(parts.join(" "), Tone::Bad) };
    let elements = status.elements.iter().map(|e| [text(&e.handle), text(&e.name), broken(&e.broken), text(&e.home)]);
    Sheet {
        fields: vec![
            ("demo", running(status.running)),
            ("directory", text(&status.dir)),
            ("server", Cell::option(status.server.as_ref())),
            ("SSH jump", Cell::option(status.jump.as_ref())),
        ],
        parts: vec![
            ("processes", Table::new(["name", "pid", "state", "log"], processes)),
            ("elements", Table::new(["handle", "equipment", "state", "directory"], elements)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_a_shell() {
        assert_eq!(quoted(Path::new("/tmp/demo-1/a.b")), "/tmp/demo-1/a.b");
        assert_eq!(quoted(Path::new("/tmp/it's here")), r"'/tmp/it'\''s here'");
    }
}
