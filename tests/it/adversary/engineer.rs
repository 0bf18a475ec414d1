//! A hostile engineer, inside a consent that a carrier really gave.

use std::process::Command;

use lineman_tests::{Demo, eventually};
use serde_json::Value;

use super::{PLAIN, fault};

fn session_of(demo: &Demo, number: &str) -> Value {
    eventually("the recording is whole", || {
        let session = demo.http(Some("noc-jw")).get(&format!("/api/v1/sessions?fault={number}")).ok()["items"][0].clone();
        if session["state"] == "ended" && session["chunks"] == session["chunks_stored"] { Ok(session) } else { Err(session.to_string()) }
    })
}

fn recording(demo: &Demo, number: &str) -> String {
    let id = session_of(demo, number)["id"].as_str().expect("an id").to_owned();
    demo.http(Some("noc-jw")).get(&format!("/api/v1/sessions/{id}/recording")).ok()["recording"].as_str().expect("chunks").to_owned()
}

/// The account is the sandbox: the agent's keys, its lists and its control socket are out of reach.
pub fn it_reaches_neither_the_agents_keys_nor_its_controls() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: without root there is one account only, and every screen says so");
        return;
    }
    let demo = Demo::up(2);
    demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    let state = demo.agent("ne-1");
    let (state, pid) = (state.display(), demo.pid_of("ne-1"));
    for command in [
        format!("cat {state}/host_key"),
        format!("cat {state}/link_key"),
        format!("ls {state}"),
        format!("echo x >> {state}/signers"),
        format!("echo x >> {state}/agent.toml"),
        format!("kill -9 {pid}"),
        format!("kill -STOP {pid}"),
        format!("cat /proc/{pid}/environ"),
        format!("cat /proc/{pid}/fd/3"),
        format!("{} stop --reason x --state {state}", lineman_tests::bin("lineman-agent").display()),
        format!("{} kill ses_00000000000000000000000000000000 --state {state}", lineman_tests::bin("lineman-agent").display()),
        "cat /etc/shadow".to_owned(),
    ] {
        let out = demo.ssh(&[PLAIN, &command]);
        assert!(out.code != Some(0), "{command}: {out:?}");
        assert!(!out.stdout.contains("PRIVATE KEY"), "{command}: {out:?}");
    }
    demo.ssh(&[PLAIN, "id -u"]).ok().says("65534");
}

/// `ssh NE sh` is a shell without a terminal: every line that goes into it is recorded, as is what comes out.
pub fn a_hidden_shell_is_recorded_line_by_line() {
    let demo = Demo::up(2);
    let number = fault(&demo, PLAIN);
    demo.consented(&number, "exec", "1h");
    let script = "echo visible-1\n# a comment that prints nothing: hidden-intent\nx=hidden-variable\necho visible-2\n";
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(demo.ssh_config()).args([PLAIN, "sh"]);
    let out = lineman_tests::run_with_input(&mut ssh, script);
    assert!(out.stdout.contains("visible-2"), "{out:?}");
    let recorded = recording(&demo, &number);
    for line in ["hidden-intent", "hidden-variable", "visible-1", "visible-2"] {
        assert!(recorded.contains(line), "`{line}` is not in the recording: {recorded}");
    }
}

/// Whatever a session starts dies when its consent ends, however well it hides.
pub fn what_hides_from_the_session_dies_with_the_consent() {
    let demo = Demo::up(2);
    let number = fault(&demo, PLAIN);
    let consent = demo.consented(&number, "exec", "1h");
    // Leaves its process group, its session, its parents, and its environment.
    let hide = "setsid nohup env -i sh -c 'sleep 987 >/dev/null & echo $!' </dev/null 2>/dev/null; echo started";
    let out = demo.ssh(&[PLAIN, hide]).ok().says("started");
    let pid: i32 = out.stdout.lines().next().and_then(|line| line.parse().ok()).expect("a pid");
    let alive = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("987"));
    assert!(alive(), "it hides well: it outlived its session");
    demo.person("noc-jw").args(["consent", "revoke", &consent, "--reason", "enough", "--yes"]).output().ok();
    eventually("it is dead", || if alive() { Err("it lives".to_owned()) } else { Ok(()) });
}

/// Forwards, agents and displays are no doors that a consent forgot to close; nor is a variable, nor compression.
pub fn side_doors_are_shut() {
    let demo = Demo::up(2);
    demo.consented(&fault(&demo, PLAIN), "exec", "1h");
    demo.ssh(&["-W", "127.0.0.1:22", PLAIN]).exits(255).says("own SSH");
    demo.ssh(&["-W", "10.0.0.1:80", PLAIN]).exits(255).says("forward");
    demo.ssh(&["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", PLAIN, "true"]).exits(255).says("forward");
    let out = demo.ssh(&["-A", PLAIN, "echo sock=${SSH_AUTH_SOCK:-none}"]);
    assert!(out.stdout.contains("sock=none"), "{out:?}");
    let out = demo.ssh(&["-X", PLAIN, "echo display=${DISPLAY:-none}"]);
    assert!(out.stdout.contains("display=none"), "{out:?}");
    let out = demo.ssh(&["-o", "SetEnv=LD_PRELOAD=/tmp/x.so BASH_ENV=/tmp/x", PLAIN, "echo env=${LD_PRELOAD:-none}${BASH_ENV:-none}"]);
    assert!(out.stdout.contains("env=nonenone"), "{out:?}");
    // Compression is not spoken: there is no bomb to unpack.
    let out = demo.ssh(&["-vv", "-C", PLAIN, "true"]).ok();
    let inner = out.stderr.rfind("debug2: compression stoc").expect("the device's offer");
    let offer = out.stderr[inner..].lines().next().unwrap_or_default();
    assert!(offer.trim_end().ends_with("none") && !offer.contains("zlib"), "{offer}");
}

/// The forward that a consent names works, and leads there only.
pub fn a_forward_leads_where_the_carrier_said_and_nowhere_else() {
    use std::io::{Read, Write};
    let demo = Demo::up(2);
    let number = fault(&demo, PLAIN);
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("a visitor");
        let mut asked = [0; 4];
        stream.read_exact(&mut asked).expect("four bytes");
        stream.write_all(b"answer").expect("written");
        asked
    });
    demo.consented(&number, &format!("forward:127.0.0.1:{port}"), "1h");
    demo.ssh(&["-W", &format!("127.0.0.1:{}", port.wrapping_add(1)), PLAIN]).exits(255).says("forward");
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(demo.ssh_config()).args(["-W", &format!("127.0.0.1:{port}"), PLAIN]);
    let out = lineman_tests::run_with_input(&mut ssh, "ask!");
    assert!(out.stdout.contains("answer"), "{out:?}");
    assert_eq!(&answering.join().expect("it answered"), b"ask!");
    let session = session_of(&demo, &number);
    assert!(session.to_string().contains(&format!("127.0.0.1:{port}")), "the summary names the place: {session}");
    let recorded = recording(&demo, &number);
    assert!(recorded.contains("ask!") && recorded.contains("answer"), "both directions are recorded");
    // Never to the device's own SSH: such a consent can't even be asked for.
    demo.person("engineer-a")
        .args(["consent", "request", &number, "--doors", "forward:127.0.0.1:22", "--for", "1h"])
        .output()
        .exits(2)
        .says("own SSH");
}
