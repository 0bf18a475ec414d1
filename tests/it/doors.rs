//! Every way in, with the clients that engineers have.

use std::io::Write;
use std::process::{Command, Stdio};

use lineman_tests::{Demo, run};

const NE: &str = "ne-2.jw.ne";

pub fn every_stock_client_gets_in_as_consented(demo: &Demo) {
    let fault = demo.broken("ne-2", NE, "link");
    demo.consented(&fault, "shell,exec,sftp-read", "1h");
    let config = demo.ssh_config();

    // Exit codes, stderr apart, a signal, binary bytes both ways.
    for code in [0, 7, 255] {
        demo.ssh(&[NE, &format!("exit {code}")]).exits(code);
    }
    let split = demo.ssh(&[NE, "echo out; echo err >&2"]).ok();
    assert_eq!((split.stdout.as_str(), split.stderr.contains("err")), ("out\n", true), "{split:?}");
    demo.ssh(&[NE, "kill -TERM $$"]).exits(255);
    let blob: Vec<u8> = (0..8_000_000u32).flat_map(u32::to_le_bytes).collect();
    let mut cat = Command::new("ssh");
    let mut cat = cat.arg("-F").arg(&config).args([NE, "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ssh");
    let (mut stdin, input) = (cat.stdin.take().expect("a pipe"), blob.clone());
    let feeding = std::thread::spawn(move || stdin.write_all(&input));
    let output = cat.wait_with_output().expect("its output");
    feeding.join().expect("a thread").expect("all input taken");
    assert!(output.stdout == blob, "32 MB through cat came back changed: {} bytes", output.stdout.len());
    // Input that ends early ends the command's input.
    demo.ssh(&[NE, "cat; echo over"]).ok().says("over");

    // A terminal: its size, a resize, UTF-8, Ctrl-C under a flood. `expect` plays the person.
    let script = format!(
        r#"set timeout 30
        set stty_init "rows 40 cols 132"
        spawn ssh -F {} {NE}
        expect -re {{\$ $}}
        send "stty size\r"; expect "40 132"; expect -re {{\$ $}}
        stty rows 50 columns 100 < $spawn_out(slave,name)
        send "sleep 1; stty size\r"; expect "50 100"; expect -re {{\$ $}}
        send "echo 你好-\$((40+2))\r"; expect "你好-42"; expect -re {{\$ $}}
        send "yes | head -c 20000000\r"; expect "y\r\ny\r\ny"
        send "\003"; expect -re {{\$ $}}
        send "echo ended-\$?\r"; expect "ended-130"; expect -re {{\$ $}}
        send "exit 5\r"; expect eof
        exit [lindex [wait] 3]
        "#,
        config.display()
    );
    run(Command::new("expect").arg("-c").arg(script)).exits(5).says("你好-42").says("ended-130");

    // Files down; up is refused, and says why.
    let files = demo.scratch("doors");
    let here = |name: &str| files.join(name).display().to_string();
    let original = std::fs::read(demo.element("ne-2").join("bin/ne")).expect("the element's command");
    let batch = format!("get bin/ne {}\nls -l bin\n", here("sftp"));
    std::fs::write(files.join("batch"), batch).expect("a file");
    run(Command::new("sftp").arg("-F").arg(&config).args(["-b", &here("batch"), NE])).ok();
    run(Command::new("scp").arg("-F").arg(&config).args([&format!("{NE}:bin/ne"), &here("scp")])).ok();
    run(Command::new("scp").arg("-O").arg("-F").arg(&config).args([&format!("{NE}:bin/ne"), &here("scp-o")])).ok();
    for name in ["sftp", "scp", "scp-o"] {
        assert_eq!(std::fs::read(files.join(name)).expect(name), original, "{name} brought other bytes");
    }
    run(Command::new("scp").arg("-F").arg(&config).args([&here("batch"), &format!("{NE}:sensors/x")])).exits(1).says("reading files only");
    assert!(!demo.element("ne-2").join("sensors/x").exists());

    // Forwards are no door of this consent.
    demo.ssh(&["-W", "localhost:80", NE]).exits(255).says("no door `forward:localhost:80`");
    demo.ssh(&["-o", "ExitOnForwardFailure=yes", "-R", "0:localhost:80", NE, "true"]).exits(255);
    // The account is the sandbox: what the agent holds can't be read.
    let agent = demo.agent("ne-2").display().to_string();
    let peek = demo.ssh(&[NE, &format!("cat {agent}/host_key {agent}/link.key")]);
    assert!(peek.code != Some(0) && !peek.stdout.contains("PRIVATE"), "{peek:?}");
    demo.repair("ne-2", "link");
}

pub fn what_is_not_consented_is_refused_with_the_reason(demo: &Demo) {
    const NE: &str = "ne-3.jw.ne";
    let fault = demo.broken("ne-3", NE, "disk");

    // No consent at all: the device says so, and stock ssh shows it.
    demo.ssh(&[NE, "true"]).exits(255).says("ne-3.jw.ne refuses: no consent is live");
    demo.ssh(&["ne-9.jw.ne", "true"]).exits(255).says("no such equipment");
    // A key that is in no roster does not pass the gateway.
    let key = demo.scratch("doors-refused").join("stranger").display().to_string();
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key])).ok();
    let config = demo.ssh_config();
    let (jump_host, jump_port) = demo.facts["jump"].as_str().and_then(|jump| jump.rsplit_once(':')).expect("host:port");
    run(Command::new("ssh").args(["-F", "none", "-o", "IdentityAgent=none"]).args([
        "-p",
        jump_port,
        "-i",
        &key,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        jump_host,
        "true",
    ]))
    .exits(255)
    .says("Permission denied");
    // The gateway itself has no shell.
    run(Command::new("ssh").arg("-F").arg(&config).args(["centre", "id"])).exits(255).says("has no shell");

    // A narrowed consent: what the approver took away is refused, in words.
    let id = demo.requested(&fault, "shell,exec,sftp-read", "1h");
    demo.person("approver-jw").args(["consent", "approve", &id, "--key", demo.consent_key(), "--doors", "exec"]).output().ok();
    demo.ssh(&[NE, "echo in"]).ok().says("in");
    let shell = demo.ssh(&["-tt", NE]);
    assert!(shell.code != Some(0) && (shell.stdout.contains("shell") || shell.stderr.contains("shell")), "{shell:?}");
    let batch = demo.scratch("doors-refused").join("batch");
    std::fs::write(&batch, "ls\n").expect("a file");
    let sftp = run(Command::new("sftp").arg("-F").arg(&config).arg("-b").arg(&batch).arg(NE));
    assert!(sftp.code != Some(0) && sftp.stderr.contains("sftp"), "{sftp:?}");
    // Another engineer's key does not profit from it.
    let other = demo.ssh_config_of("engineer-b");
    run(Command::new("ssh").arg("-F").arg(other).args([NE, "true"])).exits(255).says("refuses");
    // Wider than asked can't be signed.
    let id = demo.requested(&fault, "exec", "1h");
    let wider = ["consent", "approve", &id, "--key", demo.consent_key(), "--doors", "exec,shell"];
    let refused = demo.person("approver-jw").args(wider).output();
    assert_ne!(refused.code, Some(0), "{refused:?}");
    // Refused, with a reason that the engineer reads.
    demo.person("noc-jw").args(["consent", "refuse", &id, "--reason", "not during the change freeze"]).output().ok();
    demo.person("engineer-a").args(["consent", "show", &id]).output().ok().says("not during the change freeze");
    demo.repair("ne-3", "disk");
}
