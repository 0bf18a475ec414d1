//! Whoever sits on the network between the parties, with keys of their own.

use std::fs;
use std::process::{Command, Stdio};

use lineman_tests::{Demo, HostileCentre, bin, eventually, run};

use super::{OPEN, PLAIN, fault, papers, terms, view};

/// A centre under another authority is none: agents do not talk to it.
pub fn agents_do_not_talk_to_a_centre_under_another_authority() {
    let demo = Demo::up(2);
    let imposter = HostileCentre::imposter(&demo);
    eventually("the agent says whom it does not believe", || {
        let mut command = Command::new(bin("lineman-agent"));
        let status = run(command.args(["status", "--json", "--state"]).arg(demo.agent("ne-1"))).ok().stdout;
        if status.contains("\"connected\":false") && status.contains("certificate") { Ok(()) } else { Err(status) }
    });
    assert!(imposter.heard(PLAIN).is_empty() && imposter.chunks(PLAIN).is_empty(), "something was told to an imposter");
}

/// Another SSH server in the device's place, whoever put it there: the engineer's stock ssh refuses it, without a question.
pub fn a_false_device_is_refused_by_stock_ssh() {
    let demo = Demo::up(4);
    let number = fault(&demo, PLAIN);
    demo.consented(&number, "exec", "1h");
    let consent = demo.consented(&fault(&demo, OPEN), "exec", "1h");
    let (request, _) = papers(&view(&demo, &consent));
    let config = demo.ssh_config();
    let known = fs::read_to_string(&config).expect("the configuration");
    let known_hosts =
        known.lines().find_map(|line| line.trim().strip_prefix("UserKnownHostsFile ")).expect("pinned keys").trim_matches('"').to_owned();
    // The real SSH server of another device, under the name of the first: the best imposter there is.
    let centre = HostileCentre::take_over(&demo);
    let port = centre.leg(OPEN, &terms(&request).engineer_key, None).expect("a leg");
    let ssh = |port: u16, name: &str| {
        let mut ssh = Command::new("ssh");
        ssh.args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "StrictHostKeyChecking=yes",
            "-i",
            demo.engineer_key(),
        ]);
        ssh.args(["-o", &format!("UserKnownHostsFile={known_hosts}"), "-o", &format!("HostKeyAlias={name}")]);
        run(ssh.args(["-p", &port.to_string(), "x@127.0.0.1", "echo entered"]).stdin(Stdio::null()))
    };
    let out = ssh(port, PLAIN);
    assert!(out.code == Some(255) && out.stderr.contains("HOST IDENTIFICATION HAS CHANGED"), "{out:?}");
    let port = centre.leg(OPEN, &terms(&request).engineer_key, None).expect("a leg");
    let out = ssh(port, OPEN);
    assert!(out.code == Some(0) && out.stdout.contains("entered"), "under its own name it is believed: {out:?}");
}
