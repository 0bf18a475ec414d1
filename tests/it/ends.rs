//! What ends a session in its middle: revocation, the kill, time, the end of the fault.

use std::process::{Command, Stdio};

use lineman_tests::{Demo, Process, eventually};
use serde_json::json;

const NE: &str = "ne-8.yw.ne";

/// A session that lasts, with the id under which the server knows it.
fn inside(demo: &Demo, fault: &str) -> (Process, String) {
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(demo.ssh_config()).args(["-tt", NE]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut ssh = Process::spawn(&mut ssh);
    let id = eventually("the session is live", || {
        if let Ok(Some(status)) = ssh.0.try_wait() {
            return Err(format!("ssh has ended: {status}"));
        }
        let sessions = demo.http(Some("engineer-a")).get(&format!("/api/v1/sessions?fault={fault}&state=live")).ok();
        sessions["items"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| sessions.to_string())
    });
    (ssh, id)
}

fn is_over(demo: &Demo, mut ssh: Process, id: &str, reason: &str) {
    eventually("ssh ends", || ssh.0.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| "it runs".to_owned()));
    let session = eventually("the session's end is known, its recording whole", || {
        let session = demo.http(Some("engineer-a")).get(&format!("/api/v1/sessions/{id}")).ok();
        if session["state"] == "ended" && session["chunks"] == session["chunks_stored"] { Ok(session) } else { Err(session.to_string()) }
    });
    assert_eq!(session["end_reason"], reason, "{session}");
    demo.person("engineer-a").args(["session", "verify", id]).output().ok().says("good");
    if reason != "killed" {
        demo.ssh(&[NE, "true"]).exits(255).says("refuses");
    }
}

pub fn revocation_kill_time_and_closing_end_live_sessions(demo: &Demo) {
    let filed = json!({"equipment": NE, "title": "test of ends", "impact": "partial"});
    let fault = demo.http(Some("noc-yw")).post("/api/v1/faults", &filed).ok()["number"].as_str().expect("a number").to_owned();
    demo.person("engineer-a").args(["fault", "accept", &fault]).output().ok();

    // The kill, by the carrier; the consent lives on, so the engineer may come back.
    let consent = demo.consented(&fault, "shell,exec", "1h");
    let (ssh, id) = inside(demo, &fault);
    demo.person("noc-yw").args(["session", "kill", &id, "--yes"]).output().ok();
    is_over(demo, ssh, &id, "killed");

    // Revoked in the middle.
    let (ssh, id) = inside(demo, &fault);
    demo.person("noc-yw").args(["consent", "revoke", &consent, "--reason", "that is enough", "--yes"]).output().ok();
    is_over(demo, ssh, &id, "revoked");

    // Time is up, by the device's clock.
    demo.consented(&fault, "shell,exec", "45s");
    let (ssh, id) = inside(demo, &fault);
    is_over(demo, ssh, &id, "time_up");

    // The fault closes.
    demo.consented(&fault, "shell,exec", "1h");
    let (ssh, id) = inside(demo, &fault);
    demo.http(Some("noc-yw")).post(&format!("/api/v1/faults/{fault}/cancellation"), &json!({"reason": "it was a test"})).ok();
    is_over(demo, ssh, &id, "fault_closed");
}
