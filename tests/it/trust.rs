//! Who may let whom in: two people, standing statements, lists that change, the stop, break-glass; end to end, with the real programs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use lineman_tests::{Demo, Output, Process, bin, eventually, run};
use serde_json::{Value, json};

const PLAIN: &str = "ne-1.jw.ne";
/// Takes every grade.
const OPEN: &str = "ne-2.jw.ne";

fn fault(demo: &Demo, equipment: &str) -> String {
    let filed = json!({"equipment": equipment, "title": "test of trust", "impact": "partial"});
    demo.http(Some("noc-jw")).post("/api/v1/faults", &filed).ok()["number"].as_str().expect("a number").to_owned()
}

fn consent(demo: &Demo, id: &str) -> Value {
    demo.http(Some("engineer-a")).get(&format!("/api/v1/consents/{id}")).ok()
}

fn becomes(demo: &Demo, id: &str, state: &str) -> Value {
    eventually(&format!("the consent is {state}"), || {
        let view = consent(demo, id);
        if view["state"] == state { Ok(view) } else { Err(view.to_string()) }
    })
}

fn agent(demo: &Demo, handle: &str, args: &[&str]) -> Output {
    run(Command::new(bin("lineman-agent")).args(args).arg("--state").arg(demo.agent(handle)).stdin(Stdio::null()))
}

fn one(value: Value) -> Value {
    value.as_array().and_then(|list| list.first()).cloned().unwrap_or(value)
}

fn id_of(value: Value) -> String {
    let value = one(value);
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

fn request(demo: &Demo, engineer: &str, args: &[&str]) -> Output {
    demo.person(engineer).args(["consent", "request"]).args(args).args(["-o", "json"]).output()
}

fn approve(demo: &Demo, person: &str, id: &str) -> Output {
    demo.person(person).args(["consent", "approve", id, "--key", &demo.of_person(person, "key")]).output()
}

fn inside(demo: &Demo, ne: &str) -> Process {
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(demo.ssh_config()).args([ne, "echo inside; sleep 600"]);
    let ssh = Process::spawn(ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    eventually("the session is live", || {
        let live = demo.http(Some("noc-jw")).get("/api/v1/sessions?state=live").ok();
        if live["items"].as_array().is_some_and(|list| list.iter().any(|session| session["device"] == ne)) {
            Ok(())
        } else {
            Err(live.to_string())
        }
    });
    ssh
}

fn ends(mut ssh: Process) {
    eventually("the session is over", || ssh.0.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| "it runs".to_owned()));
}

pub fn where_two_are_asked_for_one_is_not_enough() {
    let demo = Demo::up_with(2, &[("ne-1", "[policy]\napprovals = 2\n")]);
    let number = fault(&demo, PLAIN);
    let id = demo.requested(&number, "shell,exec", "1h");
    approve(&demo, "approver-jw", &id).ok().says("1 of 2");
    assert_eq!(consent(&demo, &id)["state"], "requested");
    demo.ssh(&[PLAIN, "true"]).exits(255).says("no consent is live");
    // The same person again changes nothing, and says so.
    let again = approve(&demo, "approver-jw", &id);
    assert_ne!(again.code, Some(0), "{again:?}");
    assert_eq!(consent(&demo, &id)["consents"].as_array().map(Vec::len), Some(1));
    // The second narrows: what both allow counts.
    let officer = demo.of_person("officer-jw", "key");
    demo.person("officer-jw").args(["consent", "approve", &id, "--key", &officer, "--doors", "exec"]).output().ok();
    becomes(&demo, &id, "live");
    demo.ssh(&[PLAIN, "echo in"]).ok().says("in");
    demo.ssh(&["-tt", PLAIN]).exits(255).says("no door `shell`");
    demo.person("noc-jw").args(["consent", "verify", &id]).output().ok().says("approver-jw").says("officer-jw");
}

pub fn a_standing_statement_lets_a_level_in_until_it_is_taken_back() {
    let demo = Demo::up(4);
    let number = fault(&demo, OPEN);
    let ask = [number.as_str(), "--doors", "exec", "--for", "1h", "--grade", "role"];
    request(&demo, "engineer-a", &ask).exits(5).says("standing");
    let key = demo.of_person("approver-jw", "key");
    let grant = ["standing", "grant", "--devices", OPEN, "--level", "2", "--doors", "shell,exec", "--for", "2h", "--until", "1d"];
    let standing = demo.person("approver-jw").args(grant).args(["--key", &key, "--yes", "-o", "json"]).output().json();
    let standing = id_of(standing);
    // Level 2 comes in without anybody being asked; level 1 does not, and hears why.
    let id = id_of(request(&demo, "engineer-a", &ask).json());
    becomes(&demo, &id, "live");
    demo.ssh(&[OPEN, "echo in"]).ok().says("in");
    request(&demo, "engineer-b", &ask).exits(5).says("level");
    let wider = [number.as_str(), "--doors", "sftp-write", "--for", "1h", "--grade", "role"];
    request(&demo, "engineer-a", &wider).exits(5);
    // A device whose owner takes the normal case only refuses the grade, early.
    let other = fault(&demo, PLAIN);
    request(&demo, "engineer-a", &[&other, "--doors", "exec", "--for", "1h", "--grade", "role"]).says("end-to-end");
    demo.person("noc-jw").args(["consent", "verify", &id]).output().ok().says("standing");
    // Taken back, everything that rests on it ends.
    let ssh = inside(&demo, OPEN);
    demo.person("noc-jw").args(["standing", "revoke", &standing, "--reason", "enough", "--yes"]).output().ok();
    ends(ssh);
    becomes(&demo, &id, "ended");
    request(&demo, "engineer-a", &ask).exits(5);
}

pub fn consent_can_be_given_while_filing() {
    let demo = Demo::up(4);
    let key = demo.of_person("approver-jw", "key");
    let file = ["fault", "new", "--equipment", OPEN, "--title", "given while filing", "--impact", "partial"];
    let allow = ["--allow", "exec", "--level", "1", "--for", "1h", "--key", &key, "--yes", "-o", "json"];
    let filed = one(demo.person("approver-jw").args(file).args(allow).output().json());
    let number = filed["number"].as_str().unwrap_or_else(|| panic!("no number in {filed}")).to_owned();
    let ask = [number.as_str(), "--doors", "exec", "--for", "30m", "--grade", "role"];
    let id = id_of(request(&demo, "engineer-b", &ask).json());
    becomes(&demo, &id, "live");
    // For this fault only.
    let other = fault(&demo, OPEN);
    request(&demo, "engineer-b", &[&other, "--doors", "exec", "--for", "30m", "--grade", "role"]).exits(5);
    // Its fault closes: it is over.
    demo.http(Some("noc-jw")).post(&format!("/api/v1/faults/{number}/cancellation"), &json!({"reason": "test"})).ok();
    becomes(&demo, &id, "ended");
}

pub fn through_the_gateway_only_where_the_carrier_said_so() {
    let demo = Demo::up(4);
    let number = fault(&demo, OPEN);
    let jump = demo.facts["jump"].as_str().expect("the gateway").to_owned();
    let (host, port) = jump.rsplit_once(':').expect("an address");
    let through = |ne: &str, command: &str| {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no"]);
        ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-i", demo.engineer_key(), "-p", port, "-l", ne, host, command]);
        run(ssh.stdin(Stdio::null()))
    };
    // An end-to-end consent does not open this way.
    demo.consented(&number, "exec", "1h");
    let out = through(OPEN, "true");
    assert!(out.code == Some(255) && out.stderr.contains("gateway"), "{out:?}");
    let id = id_of(request(&demo, "engineer-a", &[&number, "--doors", "shell,exec", "--for", "1h", "--grade", "gateway"]).json());
    approve(&demo, "approver-jw", &id).ok();
    becomes(&demo, &id, "live");
    let out = through(OPEN, "echo out; echo err >&2; exit 7");
    assert!(out.code == Some(7) && out.stdout == "out\n" && out.stderr.contains("err"), "{out:?}");
    let session = eventually("the session is known", || {
        let sessions = demo.http(Some("noc-jw")).get(&format!("/api/v1/sessions?fault={number}")).ok();
        let list = sessions["items"].as_array().cloned().unwrap_or_default();
        let done = list.into_iter().find(|s| s["consent"] == id.as_str() && s["state"] == "ended" && s["chunks"] == s["chunks_stored"]);
        done.ok_or_else(|| sessions.to_string())
    });
    demo.person("noc-jw").args(["session", "verify", session["id"].as_str().expect("an id")]).output().ok().says("good");
}

pub fn the_stop_ends_everything_of_one_customer_and_of_no_other() {
    let demo = Demo::up(4);
    let number = fault(&demo, PLAIN);
    let id = demo.consented(&number, "exec", "1h");
    let filed = json!({"equipment": "ne-3.yw.ne", "title": "the other's", "impact": "partial"});
    let other = demo.http(Some("noc-yw")).post("/api/v1/faults", &filed).ok()["number"].as_str().expect("a number").to_owned();
    demo.consented(&other, "exec", "1h");
    let ssh = inside(&demo, PLAIN);
    demo.person("engineer-a").args(["customer", "stop", "JW", "--reason", "x", "--yes"]).output().exits(5);
    demo.person("noc-yw").args(["customer", "stop", "JW", "--reason", "x", "--yes"]).output().exits(3);
    demo.person("noc-jw").args(["customer", "stop", "JW", "--reason", "we look into something", "--yes"]).output().ok();
    ends(ssh);
    becomes(&demo, &id, "ended");
    demo.ssh(&[PLAIN, "true"]).exits(255).says("we look into something");
    request(&demo, "engineer-a", &[&number, "--doors", "exec", "--for", "1h"]).says("we look into something");
    demo.ssh(&["ne-3.yw.ne", "echo untouched"]).ok().says("untouched");
    // The support centre can't take it back; the carrier can, and needs new consents then.
    demo.person("manager-d").args(["customer", "resume", "JW", "--reason", "x", "--yes"]).output().exits(5);
    demo.person("noc-jw").args(["customer", "resume", "JW", "--reason", "all is well", "--yes"]).output().ok();
    demo.ssh(&[PLAIN, "true"]).exits(255).says("no consent is live");
    demo.consented(&number, "exec", "1h");
    demo.ssh(&[PLAIN, "echo again"]).ok().says("again");
}

pub fn the_device_stops_and_lets_in_without_the_centre() {
    let demo = Demo::up(2);
    let number = fault(&demo, PLAIN);
    let id = demo.consented(&number, "exec", "1h");
    let ssh = inside(&demo, PLAIN);
    agent(&demo, "ne-1", &["stop", "--reason", "work on site"]).ok();
    ends(ssh);
    becomes(&demo, &id, "ended");
    demo.ssh(&[PLAIN, "true"]).exits(255).says("work on site");
    agent(&demo, "ne-1", &["resume"]).ok();
    // Break-glass: nobody of the carrier can sign now; root on the device does, and everybody sees that.
    let id = demo.requested(&number, "exec", "1h");
    agent(&demo, "ne-1", &["consent", "pending"]).ok().says(&id).says("engineer-a");
    agent(&demo, "ne-1", &["consent", "approve", &id, "--yes"]).ok();
    let view = becomes(&demo, &id, "live");
    assert!(view["local"]["text"].as_str().is_some_and(|text| text.contains("approve-consent")), "{view}");
    demo.person("noc-jw").args(["consent", "show", &id]).output().ok().says("on the device");
    demo.person("noc-jw").args(["consent", "verify", &id]).output().ok().says("on the device");
    let ssh = inside(&demo, PLAIN);
    agent(&demo, "ne-1", &["consent", "end", &id]).ok();
    ends(ssh);
    agent(&demo, "ne-1", &["journal", "--check"]).ok();
    let journal = agent(&demo, "ne-1", &["journal", "--json"]).ok().stdout;
    for act in ["stop", "resume", "approve-consent", "end-consent"] {
        assert!(journal.contains(act), "`{act}` is not in the journal: {journal}");
    }
    let events = demo.http(Some("noc-jw")).get(&format!("/api/v1/faults/{number}")).ok();
    assert!(events["timeline"].to_string().contains("on the device") || events["timeline"].to_string().contains("local"), "{events}");
}

pub fn a_signer_list_changes_by_its_own_signers_only() {
    let demo = Demo::up(4);
    let number = fault(&demo, PLAIN);
    let id = demo.consented(&number, "exec", "1h");
    let trust = PathBuf::from(demo.of_person("officer-jw", "trust"));
    let list = fs::read_to_string(trust.join("signers")).expect("the list");
    // The approver's key is stolen: the officer's list leaves it out.
    let without: Vec<_> = list.lines().filter(|line| !line.starts_with("approver-jw ")).collect();
    let newer = (without.join("\n") + "\n").replace("# counter: 1", "# counter: 2");
    let file = demo.scratch("signers").join("signers");
    fs::write(&file, &newer).expect("a file");
    let file = file.display().to_string();
    let (approver, officer) = (demo.of_person("approver-jw", "key"), demo.of_person("officer-jw", "key"));
    let sign = |key: &str| demo.person("officer-jw").args(["signers", "sign", &file, "--key", key, "--yes"]).output();
    assert_ne!(sign(&approver).code, Some(0), "an approver changes no list");
    sign(&officer).ok();
    let ssh = inside(&demo, PLAIN);
    demo.person("officer-jw").args(["signers", "publish", &file]).output().ok();
    // What rested on the key that is out ends by itself.
    ends(ssh);
    becomes(&demo, &id, "ended");
    fs::write(trust.join("signers"), &newer).expect("the list is pinned here, too");
    eventually("every device of the carrier holds the list", || {
        let status = demo.person("officer-jw").args(["signers", "status"]).output();
        if status.code == Some(0) { Ok(()) } else { Err(format!("{status:?}")) }
    });
    let id = demo.requested(&number, "exec", "1h");
    assert_ne!(approve(&demo, "approver-jw", &id).code, Some(0), "the stolen key approves nothing any more");
    approve(&demo, "officer-jw", &id).ok();
    becomes(&demo, &id, "live");
    // Back to the old one: by its number refused, wherever it is tried.
    let old = demo.scratch("signers").join("old");
    fs::write(&old, &list).expect("a file");
    let old = old.display().to_string();
    demo.person("officer-jw").args(["signers", "sign", &old, "--key", &officer, "--yes"]).output();
    assert_ne!(demo.person("officer-jw").args(["signers", "publish", &old]).output().code, Some(0));
    assert_ne!(agent(&demo, "ne-1", &["signers", "set", &old, "--yes"]).code, Some(0));
    agent(&demo, "ne-1", &["signers", "show"]).ok().says("2");
    // A device that did not get it shows: its agent was away, and is asked by its own signed word.
    demo.kill("ne-2");
    let third = newer.replace("# counter: 2", "# counter: 3");
    fs::write(&file, &third).expect("a file");
    let _ = fs::remove_file(format!("{file}.sig"));
    sign(&officer).ok();
    demo.person("officer-jw").args(["signers", "publish", &file]).output().ok();
    fs::write(trust.join("signers"), &third).expect("a file");
    eventually("the device that is away holds the older list, and that shows", || {
        let status = demo.person("officer-jw").args(["signers", "status"]).output();
        let line = status.stdout.lines().find(|line| line.contains("ne-2")).unwrap_or_default().to_owned();
        if status.code == Some(8) && line.contains('2') { Ok(()) } else { Err(format!("{status:?}")) }
    });
}

pub fn an_approver_sees_requests_as_they_come() {
    let demo = Demo::up(2);
    let number = fault(&demo, PLAIN);
    // Plain lines where there is no terminal.
    let out = demo.scratch("approver").join("lines");
    let mut approver = demo.person("approver-jw").args(["approver", "--key", demo.consent_key()]).command();
    let file = fs::File::create(&out).expect("a file");
    let _approver = Process::spawn(approver.stdin(Stdio::null()).stdout(file).stderr(Stdio::null()));
    let id = demo.requested(&number, "exec", "1h");
    eventually("the request is printed", || {
        let text = fs::read_to_string(&out).unwrap_or_default();
        if text.contains(&id) { Ok(()) } else { Err(text) }
    });
}
