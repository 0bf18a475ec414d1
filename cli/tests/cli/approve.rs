//! `consent approve`, `show` and `verify` for every grade, with several approvals, with keys of every kind.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::ToSpan;
use lineman_common::api::ConsentState;
use lineman_common::id::ConsentId;
use lineman_common::session::Grade;
use lineman_common::statement::device::openssh;
use lineman_common::statement::{LocalAct, LocalStatement, Namespace, Signed, Standing, sha256_hex};

use super::consents::now;
use super::desk::Centre;
use super::server::Server;
use super::{at, ends, lineman, run, stderr, stdout};

fn approver(server: &Server, centre: &Centre) -> Command {
    let mut command = at(server, centre.world.home());
    command.env("LINEMAN_TRUST", centre.world.carrier_trust());
    command
}

fn approve(server: &Server, centre: &Centre, id: ConsentId, key: &Path, more: &[&str]) -> Output {
    let id = id.to_string();
    run(&mut approver(server, centre), &[&["consent", "approve", &id, "--key", key.to_str().unwrap()], more].concat())
}

#[test]
fn two_people_approve_and_one_of_them_is_not_enough() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell,exec,forward:10.0.0.5:443", Grade::EndToEnd, "fan 2 stopped", 2);
    let (first, second) = (centre.world.path("approver"), centre.world.path("second"));
    let output = approve(&server, &centre, id, &first, &["--doors", "shell,forward:10.0.0.5:443"]);
    ends(&output, 0);
    assert!(stderr(&output).contains("with yours, 1 of 2 people have approved"), "{}", stderr(&output));
    assert!(stderr(&output).contains("1 of 2 approved: another person of JW has to approve it too"), "{}", stderr(&output));
    assert_eq!(centre.consent(id).state, ConsentState::Requested);

    // The same person again, and the same doors but none of the first person's.
    let output = approve(&server, &centre, id, &first, &[]);
    ends(&output, 6);
    assert!(stderr(&output).contains("approver-jw has approved it"), "{}", stderr(&output));
    let output = approve(&server, &centre, id, &second, &["--doors", "exec"]);
    ends(&output, 2);
    assert!(stderr(&output).contains("nothing in common"), "{}", stderr(&output));

    let output = approve(&server, &centre, id, &second, &["--for", "30m"]);
    ends(&output, 0);
    let said = stderr(&output);
    assert!(said.contains("approver-jw approved shell,forward:10.0.0.5:443 for 2h 00m"), "{said}");
    assert!(said.contains("all approvals together allow shell,forward:10.0.0.5:443 for 30m 00s"), "{said}");
    assert_eq!(centre.consent(id).state, ConsentState::Live);
    assert!(stdout(&output).contains("\tapprover-jw,second-jw\t"), "{}", stdout(&output));
    verifies_everywhere(&server, &centre, id, &["consent", "consent-2"]);
    // One person's approval shown twice is no two approvals.
    {
        let mut consents = centre.consents.lock().unwrap();
        let once = consents[0].consents[0].clone();
        consents[0].consents[1] = once;
    }
    let output = run(&mut approver(&server, &centre), &["consent", "verify", &id.to_string()]);
    ends(&output, 8);
    assert!(stdout(&output).contains("people\tBAD\t"), "{}", stdout(&output));
}

#[test]
fn an_approval_in_a_page_is_named_as_one_to_the_second_person_and_by_every_check() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 2);
    let page = &centre.world.gateway;
    let line = format!("page-jw namespaces=\"consent-browser@lineman\" {}\n", openssh(page.public_key()));
    std::fs::write(centre.world.carrier_trust().join("signers"), centre.world.pinned_signers() + &line).unwrap();
    let request = centre.consent(id).request.unwrap();
    let text = format!(
        "lineman-consent: 1\nid: {id}\nrequest-sha256: {}\napprover: page-jw\ndoors: shell\nduration-s: 60\nroster: 7\nissued: {}\n",
        sha256_hex(&request.text),
        now()
    );
    centre.consents.lock().unwrap()[0].consents.push(Signed::sign(page, Namespace::ConsentBrowser, text).unwrap());
    let output = approve(&server, &centre, id, &centre.world.path("approver"), &[]);
    ends(&output, 0);
    let said = "(approved in a page served by the vendor)";
    assert!(stderr(&output).contains(&format!("WARN  page-jw approved shell for 1m 00s {said}")), "{}", stderr(&output));
    assert!(stdout(&output).contains(&format!("\tpage-jw {said},approver-jw\t")), "{}", stdout(&output));
    let output = run(&mut approver(&server, &centre), &["consent", "show", &id.to_string()]);
    assert!(stderr(&output).contains(&format!("signed by the carrier {said}:")), "{}", stderr(&output));
    let output = run(&mut approver(&server, &centre), &["consent", "verify", &id.to_string()]);
    ends(&output, 0);
    assert!(stdout(&output).contains(&format!("shell for 60 s {said}")), "{}", stdout(&output));
    verifies_everywhere(&server, &centre, id, &["consent", "consent-2"]);
}

/// `lineman consent verify`, and every command that it prints, with stock tools; and neither takes a changed letter.
fn verifies_everywhere(server: &Server, centre: &Centre, id: ConsentId, papers: &[&str]) {
    let folder = centre.world.path(&format!("papers-{id}"));
    let save = ["consent", "verify", &id.to_string(), "--save", folder.to_str().unwrap(), "-o", "json"];
    let output = run(&mut approver(server, centre), &save);
    ends(&output, 0);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let commands: Vec<_> = report["commands"].as_array().unwrap().iter().map(|command| command.as_str().unwrap().to_owned()).collect();
    let repeat = || commands.iter().all(|command| stock(command, &folder).status.success());
    for command in &commands {
        let output = stock(command, &folder);
        assert!(output.status.success(), "{command}: {}{}", stdout(&output), stderr(&output));
    }
    let mut offline = lineman(centre.world.home());
    offline.env("LINEMAN_TRUST", centre.world.carrier_trust());
    ends(&run(&mut offline, &["consent", "verify", folder.to_str().unwrap()]), 0);
    for paper in papers {
        let whole = std::fs::read_to_string(folder.join(paper)).unwrap();
        let digit = whole.find("duration-s").and_then(|at| Some(at + whole[at..].find(|c: char| c.is_ascii_digit())?)).unwrap();
        std::fs::write(folder.join(paper), format!("{}9{}", &whole[..digit], &whole[digit + 1..])).unwrap();
        assert!(!repeat(), "stock tools take a changed {paper}");
        let mut offline = lineman(centre.world.home());
        offline.env("LINEMAN_TRUST", centre.world.carrier_trust());
        let output = run(&mut offline, &["consent", "verify", folder.to_str().unwrap()]);
        ends(&output, 8);
        std::fs::write(folder.join(paper), whole).unwrap();
    }
}

fn stock(command: &str, folder: &Path) -> Output {
    Command::new("sh").args(["-c", command]).current_dir(folder).output().unwrap()
}

#[test]
fn grade_gateway_says_plainly_what_the_centre_could_do() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::Gateway, "fan 2 stopped", 1);
    let output = approve(&server, &centre, id, &centre.world.path("approver"), &[]);
    ends(&output, 0);
    let said = stderr(&output);
    assert!(said.contains("WARN  grade gateway: the centre could act in this session"), "{said}");
    let output = run(&mut approver(&server, &centre), &["consent", "show", &id.to_string()]);
    assert!(stdout(&output).contains("the centre could act in this session"), "{}", stdout(&output));
    verifies_everywhere(&server, &centre, id, &["request", "consent"]);
}

#[test]
fn what_the_device_holds_is_compared_with_what_is_pinned_here() {
    let centre = Centre::new();
    let server = centre.start();
    let world = &centre.world;
    let key = world.path("approver");
    // The carrier has moved on to list 7; the device says, signed, that it holds 6.
    std::fs::write(world.carrier_trust().join("signers"), world.signers_numbered(7)).unwrap();
    let pinned = world.pinned_signers();
    let said = |receipt: &lineman_common::statement::Receipt, signing: &ssh_key::PrivateKey| {
        *centre.signers.lock().unwrap() = Some(world.signers_view(receipt, signing));
        let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
        let output = approve(&server, &centre, id, &key, &[]);
        ends(&output, 0);
        stderr(&output)
    };
    let good = world.receipt(&pinned, 1);
    assert!(said(&good, &world.host_key).contains("ok  the device holds your list 7 and roster 7"));
    let older = world.receipt(&world.signers_numbered(6), 1);
    assert!(said(&older, &world.host_key).contains("WARN  the device has not got list 7 yet: it holds 6"));
    let other = world.receipt(&(pinned.clone() + "# more\n"), 1);
    assert!(said(&other, &world.host_key).contains("BAD  the device holds a list 7 that is not the one on this machine"));
    let two = world.receipt(&pinned, 2);
    assert!(said(&two, &world.host_key).contains("WARN  the device wants 2 approvals, and the centre says 1"));
    let ahead = lineman_common::statement::Receipt { roster: 8, ..good.clone() };
    assert!(said(&ahead, &world.host_key).contains("BAD  the device holds roster 8, and the centre shows the older 7"));
    let stopped = lineman_common::statement::Receipt { stopped: "root at the console".into(), ..good.clone() };
    assert!(said(&stopped, &world.host_key).contains("WARN  the device is stopped (root at the console)"));
    // A receipt that the centre made itself.
    assert!(said(&good, &world.gateway).contains("BAD  what the device is said to hold can't be believed"));
    *centre.signers.lock().unwrap() = None;
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    assert!(stderr(&approve(&server, &centre, id, &key, &[])).contains("it is not known which lists the device holds"));
}

#[test]
fn a_list_that_expires_soon_is_warned_of() {
    let centre = Centre::new();
    let server = centre.start();
    let list = centre.world.pinned_signers();
    let head = list.lines().find(|line| line.starts_with("# expiry:")).unwrap().to_owned();
    let soon = list.replace(&head, &format!("# expiry: {}", now() + (24 * 13).hours()));
    std::fs::write(centre.world.carrier_trust().join("signers"), soon).unwrap();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let output = approve(&server, &centre, id, &centre.world.path("approver"), &[]);
    ends(&output, 0);
    assert!(stderr(&output).contains("WARN  your signer list expires at "), "{}", stderr(&output));
}

#[test]
fn a_forged_approval_of_somebody_else_is_shown_as_what_it_is() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 2);
    // The centre claims that a second person approved: it signs that itself.
    let request = centre.consent(id).request.unwrap();
    let text = format!(
        "lineman-consent: 1\nid: {id}\nrequest-sha256: {}\napprover: second-jw\ndoors: shell\nduration-s: 60\nroster: 7\nissued: {}\n",
        sha256_hex(&request.text),
        now()
    );
    let forged = Signed::sign(&centre.world.gateway, Namespace::Consent, text).unwrap();
    centre.consents.lock().unwrap()[0].consents.push(forged);
    let output = approve(&server, &centre, id, &centre.world.path("approver"), &["--wait", "1s"]);
    let said = stderr(&output);
    assert!(said.contains("BAD  an approval that the centre shows does not hold"), "{said}");
    assert!(said.contains("with yours, 1 of 2 people have approved"), "{said}");
}

// ---- Keys -----------------------------------------------------------------------------------------------------------

/// A real ssh-agent; ended when dropped.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("agent.sock");
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !socket.exists() {
            assert!(Instant::now() < deadline, "no agent came up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, socket }
    }

    fn add(&self, key: &Path) {
        let output = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keygen(path: &Path, args: &[&str]) {
    let output = Command::new("ssh-keygen").args(["-q", "-C", "", "-f"]).arg(path).args(args).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Puts the carrier under an authority: its list names no person's key for consents. Answers the authority's key file.
fn under_authority(centre: &Centre) -> PathBuf {
    let authority = centre.world.path("authority");
    keygen(&authority, &["-t", "ed25519", "-N", ""]);
    let public = std::fs::read_to_string(authority.with_extension("pub")).unwrap();
    let list = centre.world.pinned_signers();
    let mut lines: Vec<String> = list.lines().filter(|line| !line.starts_with("approver-jw")).map(str::to_owned).collect();
    lines.push(format!("approver-jw cert-authority,namespaces=\"consent@lineman\" {}", public.trim()));
    std::fs::write(centre.world.carrier_trust().join("signers"), lines.join("\n") + "\n").unwrap();
    authority
}

fn certify(authority: &Path, key: &Path, validity: &str) {
    let output = Command::new("ssh-keygen")
        .args(["-q", "-s"])
        .arg(authority)
        .args(["-I", "approver", "-n", "approver-jw", "-V", validity])
        .arg(key.with_extension("pub"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_certificate_of_the_carriers_authority_approves() {
    let centre = Centre::new();
    let server = centre.start();
    let authority = under_authority(&centre);
    let key = centre.world.path("daily");
    keygen(&key, &["-t", "ecdsa", "-N", ""]);
    certify(&authority, &key, "-1m:+1h");
    for named in [key.clone(), PathBuf::from(format!("{}-cert.pub", key.display()))] {
        let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
        let output = approve(&server, &centre, id, &named, &[]);
        ends(&output, 0);
        assert!(stderr(&output).contains("your key may sign as approver-jw, by its certificate"), "{}", stderr(&output));
        verifies_everywhere(&server, &centre, id, &["consent"]);
    }
    // Only the agent has the private half, and only the certificate is named.
    let agent = Agent::start(centre.world.home());
    agent.add(&key);
    std::fs::remove_file(&key).unwrap();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let mut command = approver(&server, &centre);
    command.env("SSH_AUTH_SOCK", &agent.socket);
    let named = format!("{}-cert.pub", key.display());
    ends(&run(&mut command, &["consent", "approve", &id.to_string(), "--key", &named]), 0);
    assert_eq!(centre.consent(id).state, ConsentState::Live);
}

#[test]
fn a_certificate_that_ran_out_or_of_another_authority_approves_nothing() {
    let centre = Centre::new();
    let server = centre.start();
    let authority = under_authority(&centre);
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let key = centre.world.path("daily");
    keygen(&key, &["-t", "ed25519", "-N", ""]);
    certify(&authority, &key, "-2h:-1h");
    let output = approve(&server, &centre, id, &key, &[]);
    ends(&output, 8);
    assert!(stderr(&output).contains("is not valid now"), "{}", stderr(&output));
    let other = centre.world.path("other-authority");
    keygen(&other, &["-t", "ed25519", "-N", ""]);
    certify(&other, &key, "-1m:+1h");
    let output = approve(&server, &centre, id, &key, &[]);
    ends(&output, 8);
    assert!(stderr(&output).contains("is not in your signer list"), "{}", stderr(&output));
    assert!(centre.consent(id).consents.is_empty(), "something was sent");
}

#[test]
fn a_key_in_an_agent_approves_by_its_public_half() {
    let centre = Centre::new();
    let server = centre.start();
    let agent = Agent::start(centre.world.home());
    let key = centre.world.path("approver");
    agent.add(&key);
    let public = centre.world.approver.public_key().to_openssh().unwrap();
    std::fs::write(key.with_extension("pub"), public).unwrap();
    std::fs::remove_file(&key).unwrap();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let (text, public) = (id.to_string(), key.with_extension("pub"));
    let approve = ["consent", "approve", &text, "--key", public.to_str().unwrap()];
    let output = run(&mut approver(&server, &centre), &approve);
    ends(&output, 1);
    assert!(stderr(&output).contains("ssh-agent"), "{}", stderr(&output));
    ends(&run(approver(&server, &centre).env("SSH_AUTH_SOCK", &agent.socket), &approve), 0);
    assert_eq!(centre.consent(id).state, ConsentState::Live);
}

#[test]
fn rsa_is_refused_in_words_wherever_it_shows() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let key = centre.world.path("rsa");
    keygen(&key, &["-t", "rsa", "-b", "2048", "-N", ""]);
    let authority = centre.world.path("authority");
    keygen(&authority, &["-t", "ed25519", "-N", ""]);
    certify(&authority, &key, "-1m:+1h");
    for named in [key.clone(), key.with_extension("pub"), PathBuf::from(format!("{}-cert.pub", key.display()))] {
        let output = approve(&server, &centre, id, &named, &[]);
        ends(&output, 1);
        assert!(stderr(&output).contains("RSA keys are not accepted"), "{}: {}", named.display(), stderr(&output));
        assert!(stderr(&output).contains("ssh-keygen -t ed25519"), "{}", stderr(&output));
    }
    // In the carrier's own list.
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let list = centre.world.pinned_signers() + &format!("old-jw namespaces=\"consent@lineman\" {public}");
    let file = centre.world.path("signers-2");
    std::fs::write(&file, &list).unwrap();
    let output = run(&mut approver(&server, &centre), &["signers", "check", file.to_str().unwrap()]);
    ends(&output, 8);
    assert!(stderr(&output).contains("RSA keys are not accepted"), "{}", stderr(&output));
    std::fs::write(centre.world.carrier_trust().join("signers"), &list).unwrap();
    let output = approve(&server, &centre, id, &centre.world.path("approver"), &[]);
    assert!(stderr(&output).contains("RSA keys are not accepted"), "{}", stderr(&output));
    // In a roster that somebody publishes.
    let roster = centre.world.roster(8).text + &format!("engineer-b,level-1 namespaces=\"request@lineman\" {public}");
    let file = centre.world.path("roster-8");
    std::fs::write(&file, roster).unwrap();
    let root = centre.world.path("root");
    let publish = ["admin", "roster", "publish", file.to_str().unwrap(), "--key", root.to_str().unwrap()];
    let output = run(&mut at(&server, centre.world.home()), &publish);
    ends(&output, 8);
    assert!(stderr(&output).contains("RSA keys are not accepted"), "{}", stderr(&output));
}

// ---- Papers without a consent ---------------------------------------------------------------------------------------

#[test]
fn a_standing_statement_and_its_request_verify_offline() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::Role, "fan 2 stopped", 1);
    // Nobody approves such a request.
    let output = approve(&server, &centre, id, &centre.world.path("approver"), &[]);
    ends(&output, 6);
    assert!(stderr(&output).contains("lineman standing grant"), "{}", stderr(&output));
    let standing = Standing {
        id: ConsentId::new(),
        customer: "JW".parse().unwrap(),
        devices: "all".parse().unwrap(),
        fault: "F-JW-1".parse().unwrap(),
        level: 2,
        doors: "shell,exec".parse().unwrap(),
        account: "view".into(),
        duration_s: 7200,
        roster: 7,
        approver: "approver-jw".parse().unwrap(),
        issued: now() - 1.hours(),
        valid_before: now() + 1.hours(),
    };
    let sign = |standing: &Standing| Signed::sign(&centre.world.approver, Namespace::Standing, standing.write().unwrap()).unwrap();
    let settle = |signed: Signed| {
        let mut consents = centre.consents.lock().unwrap();
        consents[0].state = ConsentState::Live;
        consents[0].consents = vec![signed];
    };
    settle(sign(&standing));
    verifies_everywhere(&server, &centre, id, &["standing"]);
    // One that covers another level is found out.
    settle(sign(&Standing { level: 3, ..standing }));
    let output = run(&mut approver(&server, &centre), &["consent", "verify", &id.to_string()]);
    ends(&output, 8);
    assert!(stdout(&output).contains("wants level 3 or more"), "{}", stdout(&output));
}

#[test]
fn an_approval_on_the_device_says_that_no_carrier_signer_signed() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let request = centre.consent(id).request.unwrap();
    let local = LocalStatement {
        device: centre.world.device.clone(),
        act: LocalAct::ApproveConsent,
        subject: id.to_string(),
        by: "root (pid 7, tty1)".into(),
        detail: format!("request-sha256 {}; doors shell; duration-s 7200", sha256_hex(&request.text)),
        at: now(),
    };
    let put = |local: &LocalStatement, key: &ssh_key::PrivateKey| {
        let mut consents = centre.consents.lock().unwrap();
        consents[0].state = ConsentState::Live;
        consents[0].local = Some(Signed::sign(key, Namespace::Local, local.write().unwrap()).unwrap());
    };
    put(&local, &centre.world.host_key);
    let output = run(&mut approver(&server, &centre), &["consent", "list", "-o", "json"]);
    ends(&output, 0);
    let output = run(&mut approver(&server, &centre), &["consent", "show", &id.to_string()]);
    assert!(stdout(&output).contains("on the device, by root (pid 7, tty1), at "), "{}", stdout(&output));
    assert!(stdout(&output).contains("no carrier signer signed"), "{}", stdout(&output));
    verifies_everywhere(&server, &centre, id, &["local"]);
    // By another key, and for another request.
    put(&local, &centre.world.gateway);
    let output = run(&mut approver(&server, &centre), &["consent", "verify", &id.to_string()]);
    ends(&output, 8);
    put(&LocalStatement { detail: format!("request-sha256 {}; doors shell", sha256_hex("other")), ..local }, &centre.world.host_key);
    let output = run(&mut approver(&server, &centre), &["consent", "verify", &id.to_string()]);
    ends(&output, 8);
    assert!(stdout(&output).contains("not an approval of exactly this request"), "{}", stdout(&output));
}

// ---- Asking ---------------------------------------------------------------------------------------------------------

#[test]
fn what_the_device_would_refuse_is_not_asked() {
    let centre = Arc::new(super::testing::World::new());
    let world = centre.clone();
    let server = Server::start(move |route, _| match route {
        "GET /api/v1/whoami" => super::server::json(serde_json::json!({
            "id": lineman_common::id::PersonId::new(), "name": "engineer-a", "role": "engineer", "created_at": now()
        })),
        "GET /api/v1/faults/F-JW-1" => super::server::json(serde_json::json!({
            "id": lineman_common::id::FaultId::new(), "number": "F-JW-1", "customer": "JW", "equipment": "ne-1.jw.ne",
            "title": "fan 2", "description": "", "severity": "major", "impact": "none", "status": "accepted",
            "reported_by": "agent:ne-1.jw.ne", "reported_at": now(), "updated_at": now(),
            "proposes_restored": false, "alarms": [], "clocks": [], "timeline": [], "similar": [],
        })),
        "POST /api/v1/consents/challenge" => super::server::json(world.challenge()),
        other => super::server::problem(lineman_common::error::ErrorCode::NotFound, other),
    });
    let ask = |more: &[&str]| {
        let mut command = at(&server, centre.home());
        command.env("LINEMAN_KEY", centre.engineer_key_file()).env("LINEMAN_TRUST", centre.vendor_trust());
        let output = run(&mut command, &[&["consent", "request", "F-JW-1", "--doors", "shell"], more].concat());
        ends(&output, 5);
        stderr(&output)
    };
    assert!(ask(&["--for", "1h", "--grade", "gateway"]).contains("you asked for grade gateway; ne-1.jw.ne takes end-to-end"));
    assert!(ask(&["--for", "1h", "--account", "operate"]).contains("you asked for the account `operate`; ne-1.jw.ne has view"));
    assert!(ask(&["--for", "5h"]).contains("you asked for 5h 00m; ne-1.jw.ne takes 4h 00m at most"));
    assert!(!server.asked().iter().any(|asked| asked.path == "/api/v1/consents"), "something was sent");
}
