//! Those who watch and those who prove: live, afterwards, and without any server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use lineman_tests::{Demo, Process, eventually, run};
use serde_json::json;

const NE: &str = "ne-1.jw.ne";

fn fault(demo: &Demo) -> String {
    let filed = json!({"equipment": NE, "title": "test of witnesses", "impact": "partial"});
    demo.http(Some("noc-jw")).post("/api/v1/faults", &filed).ok()["number"].as_str().expect("a number").to_owned()
}

pub fn a_session_is_watched_searched_and_proved_without_a_server() {
    let demo = Demo::up(2);
    let number = fault(&demo);
    demo.consented(&number, "exec", "1h");
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(demo.ssh_config()).args([NE, "echo early-marker; read line; echo 风扇-late-marker $line"]);
    let mut ssh = Process::spawn(ssh.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()));
    let noc = demo.http(Some("noc-jw"));
    let id = eventually("the session is live", || {
        let live = noc.get(&format!("/api/v1/sessions?fault={number}&state=live")).ok();
        live["items"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| live.to_string())
    });

    // Whoever comes late sees what was before, then what comes, then the end.
    let seen = demo.scratch("witness").join("seen");
    let file = fs::File::create(&seen).expect("a file");
    let mut watch = demo.person("noc-jw").args(["session", "watch", &id]).command();
    let mut watch = Process::spawn(watch.stdin(Stdio::null()).stdout(file).stderr(Stdio::null()));
    let shows = |text: &str| {
        eventually(&format!("the watcher sees {text}"), || {
            let seen = fs::read_to_string(&seen).unwrap_or_default();
            if seen.contains(text) { Ok(()) } else { Err(seen) }
        });
    };
    shows("early-marker");
    ssh.0.stdin.take().expect("a pipe").write_all(b"typed\n").expect("written");
    shows("风扇-late-marker typed");
    eventually("the watcher leaves when it is over", || {
        watch.0.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| "it watches".to_owned())
    });
    eventually("the recording is whole", || {
        let session = noc.get(&format!("/api/v1/sessions/{id}")).ok();
        if session["state"] == "ended" && session["chunks"] == session["chunks_stored"] { Ok(()) } else { Err(session.to_string()) }
    });
    let timeline = noc.get(&format!("/api/v1/faults/{number}")).ok()["timeline"].to_string();
    assert!(timeline.contains("session.watched"), "that somebody watched is on the timeline: {timeline}");

    // Found by its words, in both languages, by those who may see it.
    for text in ["late-marker", "风扇", "LATE-MARKER"] {
        eventually("the transcript is searched", || {
            let found = demo.person("noc-jw").args(["session", "grep", text]).output();
            if found.code == Some(0) && found.stdout.contains(&id) { Ok(()) } else { Err(format!("{found:?}")) }
        });
    }
    demo.person("noc-yw").args(["session", "grep", "late-marker"]).output().exits(3);
    demo.person("noc-jw").args(["session", "grep", "100%_never-printed"]).output().exits(3);

    // Proved by stock tools with the carrier's own two files; one changed byte, and both say no.
    let trust = demo.of_person("noc-jw", "trust");
    let (signers, root) = (format!("{trust}/signers"), format!("{trust}/vendor-root"));
    let bundle = demo.scratch("witness").join("bundle");
    let dir = bundle.display().to_string();
    demo.person("noc-jw").args(["session", "export", &id, "--format", "bundle", "--dir", &dir]).output().ok();
    let stock = || run(Command::new("sh").arg(bundle.join("verify.sh")).args(["-r", &root, "-s", &signers, &dir]).stdin(Stdio::null()));
    let ours = || {
        let mut verify = demo.person("admin-z").args(["session", "verify", &dir, "--vendor-root", &root, "--signers", &signers]).command();
        run(verify.env("LINEMAN_CONTEXT", "none-such"))
    };
    stock().ok();
    ours().ok();
    let chunk = bundle.join("chunks/000001.txt");
    let text = fs::read_to_string(&chunk).expect("a chunk");
    assert!(text.contains("late-marker") || text.contains("early-marker"), "{text}");
    fs::write(&chunk, text.replace("marker", "mangle")).expect("a file");
    assert_ne!(stock().code, Some(0));
    ours().exits(8).says("1");
}

pub fn a_notice_brings_a_link_and_no_power() {
    let demo = Demo::up(2);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hook = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let receiving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a visitor");
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.contains("lineman consent approve") {
            let n = stream.read(&mut buffer).expect("bytes");
            assert!(n > 0, "the request ended early: {text}");
            text += &String::from_utf8_lossy(&buffer[..n]);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").expect("written");
        text
    });
    demo.http(Some("admin-z")).put("/api/v1/customers/JW/notices", &json!({"webhooks": [hook], "mail": []})).ok();
    let id = demo.requested(&fault(&demo), "exec", "1h");
    let told = receiving.join().expect("a notice");
    assert!(told.contains(&id) && told.contains("engineer-a") && told.contains(NE), "{told}");
    for person in ["approver-jw", "noc-jw", "admin-z", "engineer-a"] {
        assert!(!told.contains(&demo.of_person(person, "token")), "a token is in the notice");
    }
    assert!(!told.to_lowercase().contains("authorization"), "{told}");
    eventually("its delivery is known", || {
        let view = demo.http(Some("noc-jw")).get("/api/v1/customers/JW/notices").ok();
        if view["recent"][0]["delivered_at"].is_string() { Ok(()) } else { Err(view.to_string()) }
    });
}
