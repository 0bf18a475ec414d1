//! The story that the README and the demo tell, step by step, with the commands that people type.

use std::process::Command;

use lineman_tests::{Demo, eventually, run};
use serde_json::Value;

const NE: &str = "ne-1.jw.ne";

fn clock<'a>(clocks: &'a Value, name: &str) -> &'a Value {
    let list = clocks["items"].as_array().expect("clocks");
    list.iter().find(|clock| clock["name"] == name).unwrap_or_else(|| panic!("no {name} in {clocks}"))
}

pub fn from_a_broken_fan_to_a_case_that_is_found(demo: &Demo) {
    let engineer = demo.http(Some("engineer-a"));

    // 2. The element breaks; the agent sees it; one fault opens, and breaking it twice doesn't make two.
    let fault = demo.broken("ne-1", NE, "fan");
    demo.do_break("ne-1", "fan");
    let page = engineer.get(&format!("/api/v1/faults/{fault}")).ok();
    assert_eq!(page["reported_by"], format!("agent:{NE}"));
    assert_eq!(page["status"], "reported");
    let top = page["similar"][0]["number"].as_str().expect("a similar case");
    assert_eq!(top, "C-0001", "the seeded case of a stopped fan comes first: {}", page["similar"]);
    eventually("both alarms belong to the fault", || {
        let alarms = engineer.get(&format!("/api/v1/faults/{fault}")).ok()["alarms"].clone();
        let causes: Vec<_> = alarms.as_array().into_iter().flatten().map(|alarm| alarm["probable_cause"].clone()).collect();
        if causes.len() == 2 { Ok(()) } else { Err(format!("{causes:?}")) }
    });
    let faults = engineer.get(&format!("/api/v1/faults?equipment={NE}&status=all")).ok();
    assert_eq!(faults["items"].as_array().map(Vec::len), Some(1), "{faults}");

    // A person files one too; the answer's suggestion comes from the library.
    let filed = ["fault", "new", "--equipment", "ne-2.jw.ne", "--title", "ONU 批量离线", "--impact", "none", "-o", "json"];
    let filed = demo.person("noc-jw").args(filed).output().json();
    let filed = filed.as_array().and_then(|list| list.first()).cloned().unwrap_or(filed);
    assert_eq!(filed["reported_by"], "noc-jw");

    // 3. Accept, read the evidence, ask.
    demo.person("engineer-a").args(["fault", "accept", &fault]).output().ok();
    demo.person("engineer-a").args(["fault", "show", &fault]).output().ok().says("fan-2").says("K4").says("C-0001");
    demo.person("engineer-a").args(["ssh", &fault, "--", "true"]).output().exits(5).says("no consent");
    let consent = demo.requested(&fault, "shell,exec,sftp-read", "2h");

    // 4. The carrier's people see it and sign; the device verifies.
    demo.person("noc-jw").args(["consent", "list"]).output().ok().says(&consent);
    demo.person("approver-jw").args(["consent", "approve", &consent, "--key", demo.consent_key()]).output().ok().says("live");

    // 5. In, through the wrapper and with stock ssh; the repair is made in the shell.
    let output = demo.person("engineer-a").args(["ssh", &fault, "--", "ne show alarm; echo trouble >&2; exit 7"]).output().exits(7);
    assert!(output.stdout.contains("fan-2") && output.stderr.contains("trouble") && !output.stdout.contains("trouble"), "{output:?}");
    // 7. The alarm clears by itself, and the fault proposes `restored`.
    demo.ssh(&["-J", "centre", NE, "ne reset fan-2"]).ok().says("reset");
    eventually("the fault proposes restored", || {
        let fault = engineer.get(&format!("/api/v1/faults/{fault}")).ok();
        if fault["proposes_restored"] == true { Ok(()) } else { Err(fault["timeline"].to_string()) }
    });

    // 6. Recorded at the device, playable, provable.
    let session = eventually("the sessions have ended", || {
        let sessions = engineer.get(&format!("/api/v1/sessions?fault={fault}")).ok();
        let ended = |session: &Value| session["state"] == "ended" && session["chunks"] == session["chunks_stored"];
        let all = sessions["items"].as_array().cloned().unwrap_or_default();
        if all.len() == 2 && all.iter().all(ended) {
            Ok(all[1]["id"].as_str().unwrap_or_default().to_owned())
        } else {
            Err(sessions.to_string())
        }
    });
    demo.person("engineer-a").args(["session", "play", &session, "--speed", "1000"]).output().ok().says("ne show alarm").says("trouble");
    demo.person("engineer-a").args(["session", "verify", &session]).output().ok().says("good");
    let path = demo.scratch("story").join("session.cast").display().to_string();
    demo.person("engineer-a").args(["session", "export", &session, "--format", "cast2", "-o", &path]).output().ok();
    let cast = std::fs::read_to_string(&path).expect("the export");
    let header: Value = serde_json::from_str(cast.lines().next().expect("a header")).expect("JSON");
    assert_eq!(header["version"], 2, "asciicast v2");
    // The stock player, which wants a terminal: `script` gives it one.
    let play = format!("asciinema cat '{path}'");
    run(Command::new("script").args(["-qec", &play, "/dev/null"]).env("ASCIINEMA_CONFIG_HOME", demo.scratch("asciinema")))
        .ok()
        .says("trouble");

    // 8. Diagnose, restore, resolve, close; the case is drafted, reviewed, found in both languages.
    let diagnose =
        ["fault", "diagnose", &fault, "--cause", "fan-2 controller hung", "--plan", "reset fan-2, change the tray at the next visit"];
    demo.person("engineer-a").args(diagnose).output().ok();
    demo.person("engineer-a").args(["fault", "restore", &fault]).output().ok();
    demo.person("engineer-a").args(["fault", "resolve", &fault, "--channel", "remote", "--note", "fan-2 reset"]).output().ok();
    demo.person("engineer-a").args(["fault", "close", &fault, "--publish-case"]).output().ok();
    let cases = engineer.get("/api/v1/cases/all?state=not_validated").ok();
    let mine = cases["items"].as_array().into_iter().flatten().find(|case| case["source_fault"] == fault.as_str());
    let case = mine.unwrap_or_else(|| panic!("no draft of {fault} in {cases}"))["number"].as_str().expect("a number").to_owned();
    demo.person("engineer-a").args(["case", "publish", &case]).output().exits(5).says("somebody else");
    demo.person("engineer-b").args(["case", "publish", &case]).output().ok();
    demo.person("engineer-b").args(["case", "search", "板卡 温度"]).output().ok().says(&case);
    demo.person("engineer-b").args(["case", "search", "fan tray overheating"]).output().ok().says(&case);

    // Closing ended the consent.
    demo.person("engineer-a").args(["ssh", &fault, "--", "true"]).output().exits(5).says("no consent is live");

    // 9. The clocks, explained.
    let clocks = engineer.get(&format!("/api/v1/faults/{fault}/clocks")).ok();
    for (name, state) in [("K1", "met"), ("K2", "met"), ("K3", "done"), ("K4", "met"), ("K5", "met"), ("K6", "met"), ("K7", "met")] {
        assert_eq!(clock(&clocks, name)["state"], state, "{clocks}");
    }
    assert_eq!(clock(&clocks, "K4")["target_s"], 1800);
    let waited = clock(&clocks, "K6")["intervals"].as_array().expect("intervals").iter().any(|interval| interval["why"] == "consent wait");
    assert!(waited, "K6 explains its pause: {clocks}");
    demo.person("engineer-a").args(["fault", "clock", &fault]).output().ok().says("consent wait");

    // The log's chains hold.
    for chain in demo.http(Some("admin-z")).get("/api/v1/audit/chain").ok()["items"].as_array().expect("chains") {
        assert!(chain.get("broken_at").is_none(), "{chain}");
    }
}
