//! The adversaries of docs/SECURITY.md, played: each cell of its table is a test here, or names the test elsewhere that it is.
//!
//! The attackers get everything that they would have: the hostile centre sits on the honest one's address with its authority, its
//! gateway keys and its database, and reaches the devices without any gateway in between; the thief has the engineer's key and token.

pub mod centre;
pub mod device;
pub mod engineer;
pub mod laptop;
pub mod network;
pub mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lineman_common::statement::{Request, Signed};
use lineman_tests::{Demo, HostileCentre, Output, run};
use serde_json::{Value, json};
use ssh_key::PrivateKey;

/// The plain element of carrier JW: its owner takes the normal case only.
pub const PLAIN: &str = "ne-1.jw.ne";
/// The one that takes every grade.
pub const OPEN: &str = "ne-2.jw.ne";

pub fn key(path: impl AsRef<Path>) -> PrivateKey {
    PrivateKey::read_openssh_file(path.as_ref()).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// A fault on this equipment, filed by its carrier's NOC.
pub fn fault(demo: &Demo, equipment: &str) -> String {
    let noc = if equipment.ends_with(".jw.ne") { "noc-jw" } else { "noc-yw" };
    let filed = json!({"equipment": equipment, "title": "test of adversaries", "impact": "partial"});
    demo.http(Some(noc)).post("/api/v1/faults", &filed).ok()["number"].as_str().expect("a number").to_owned()
}

pub fn view(demo: &Demo, consent: &str) -> Value {
    demo.http(Some("engineer-a")).get(&format!("/api/v1/consents/{consent}")).ok()
}

pub fn signed(value: &Value) -> Signed {
    serde_json::from_value(value.clone()).expect("a signed statement")
}

/// The request and the consents of a view.
pub fn papers(view: &Value) -> (Signed, Vec<Signed>) {
    let consents = view["consents"].as_array().expect("consents").iter().map(signed).collect();
    (signed(&view["request"]), consents)
}

pub fn terms(request: &Signed) -> Request {
    Request::read_unverified(request).expect("a request")
}

/// Stock `ssh` to a local port where a device's leg waits, past any gateway, with a key of the attacker's choice.
pub fn ssh_to(port: u16, key: &Path, user: &str, args: &[&str]) -> Output {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=INFO", "-i"]).arg(key);
    ssh.args(["-l", user, "-p", &port.to_string(), "127.0.0.1"]).args(args).stdin(Stdio::null());
    run(&mut ssh)
}

/// Every private key that lies in a folder, in OpenSSH's format for `ssh -i`; keys of other kinds are turned into it where that can be.
pub fn private_keys(dir: &Path, scratch: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(private_keys(&path, scratch));
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if !text.contains("PRIVATE KEY-----") {
            continue;
        }
        let copy = scratch.join(format!("key-{}-{}", found.len(), path.file_name().unwrap_or_default().to_string_lossy()));
        std::fs::write(&copy, text).expect("a file");
        std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");
        // PKCS#8, as the authority's is: `ssh-keygen -p` without a passphrase rewrites it in OpenSSH's own format.
        let _ = run(Command::new("ssh-keygen").args(["-p", "-q", "-N", "", "-P", "", "-f"]).arg(&copy));
        found.push(copy);
    }
    found
}

/// What the device would have to obey for the attacker to win.
pub fn refuses(centre: &HostileCentre, device: &str, order: &lineman_common::link::Order, why: &str) {
    let reason = centre.refused(device, order);
    assert!(reason.contains(why), "{device} refuses with `{reason}`; expected something about `{why}`");
}
