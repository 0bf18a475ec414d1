//! Every statement is checked by stock `ssh-keygen -Y verify`, with the files that people have.

use std::fs;
use std::path::Path;
use std::process::Command;

use lineman_tests::{Demo, Output, approver_of, process_with_file, run};
use serde_json::Value;

const NE: &str = "ne-6.yw.ne";

/// `ssh-keygen -Y verify -f LIST -I PRINCIPAL -n NAMESPACE -s SIGNATURE < TEXT`
fn verify(dir: &Path, list: &Path, principal: &str, namespace: &str, signed: &Value) -> Output {
    let (text, signature) = (dir.join("text"), dir.join("text.sig"));
    fs::write(&text, signed["text"].as_str().expect("a text")).expect("a file");
    fs::write(&signature, signed["signature"].as_str().expect("a signature")).expect("a file");
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-I", principal, "-n", namespace, "-f"]).arg(list).arg("-s").arg(&signature);
    process_with_file(&mut command, &text)
}

pub fn stock_ssh_keygen_verifies_every_statement(demo: &Demo) {
    let fault = demo.broken("ne-6", NE, "fan");
    let id = demo.consented(&fault, "exec", "30m");
    demo.ssh(&[NE, "ne reset fan-2"]).ok();

    let dir = demo.scratch("statements");
    let pinned = Path::new(&demo.of_person(&approver_of(&fault), "trust")).to_owned();
    let (vendor_root, signers) = (pinned.join("vendor-root"), pinned.join("signers"));
    let approver = demo.http(Some("approver-yw"));
    let evidence = approver.get(&format!("/api/v1/consents/{id}")).ok();
    let bundle = demo.http(Some("engineer-a")).get("/api/v1/trust/YW").ok();

    verify(&dir, &vendor_root, "vendor-root", "roster@lineman", &evidence["roster"]).ok().says("Good");
    verify(&dir, &vendor_root, "vendor-root", "anchors@lineman", &bundle["anchors"]).ok().says("Good");
    let list = |name: &str, signed: &Value| {
        let file = dir.join(name);
        fs::write(&file, signed["text"].as_str().expect("a text")).expect("a file");
        file
    };
    let (roster, anchors) = (list("roster", &evidence["roster"]), list("anchors", &bundle["anchors"]));
    verify(&dir, &roster, "engineer-a", "request@lineman", &evidence["request"]).ok().says("Good");
    verify(&dir, &signers, "approver-yw", "consent@lineman", &evidence["consents"][0]).ok().says("Good");
    verify(&dir, &anchors, "tech-yw", "device@lineman", &evidence["device_statement"]).ok().says("Good");
    verify(&dir, &signers, "tech-yw", "device@lineman", &evidence["device_statement"]).ok().says("Good");

    // A recording's chunks, with the host key of the device statement.
    let session = lineman_tests::eventually("the session is whole", || {
        let sessions = approver.get(&format!("/api/v1/sessions?fault={fault}")).ok();
        let session = sessions["items"][0].clone();
        if session["state"] == "ended" && session["chunks"] == session["chunks_stored"] { Ok(session) } else { Err(session.to_string()) }
    });
    let reply = approver.get(&format!("/api/v1/sessions/{}/recording", session["id"].as_str().expect("an id"))).ok();
    let statement = reply["device_statement"]["text"].as_str().expect("a statement");
    let host_key = statement.lines().find_map(|line| line.strip_prefix("host-key: ")).expect("a host key");
    let device = dir.join("device");
    fs::write(&device, format!("{NE} namespaces=\"recording@lineman\" {host_key}\n")).expect("a file");
    for line in reply["recording"].as_str().expect("chunks").lines() {
        let chunk: Value = serde_json::from_str(line).expect("a chunk");
        verify(&dir, &device, NE, "recording@lineman", &chunk).ok().says("Good");
    }

    // The same check fails for another purpose, another principal, another text: the test can fail.
    assert_ne!(verify(&dir, &signers, "approver-yw", "device@lineman", &evidence["consents"][0]).code, Some(0));
    assert_ne!(verify(&dir, &signers, "tech-yw", "consent@lineman", &evidence["consents"][0]).code, Some(0));
    let mut changed = evidence["consents"][0].clone();
    changed["text"] = changed["text"].as_str().expect("a text").replace("duration-s: 1800", "duration-s: 9999").into();
    assert_ne!(verify(&dir, &signers, "approver-yw", "consent@lineman", &changed).code, Some(0));

    // And the commands that `lineman consent verify` saves and prints.
    let papers = dir.join("papers").display().to_string();
    demo.person("approver-yw").args(["consent", "verify", &id, "--save", &papers]).output().ok().says("ssh-keygen -Y verify");
    let _ = run(Command::new("ls").arg(&papers)).ok().says("consent.sig");
}
