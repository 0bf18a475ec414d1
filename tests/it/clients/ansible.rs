//! Ansible, as it comes: with the configuration that `lineman ssh-config` writes and nothing else.

use std::fs;

use lineman_tests::{Demo, Inside, Output, run};

use super::ALL;
use super::files::noise;

const PLAYS: &str = r#"
- hosts: nes
  gather_facts: false
  tasks:
    - ping:
    - copy: {src: file, dest: copied, mode: "0640"}
    - copy: {src: file, dest: copied, mode: "0640"}
      register: again
    - fetch: {src: copied, dest: fetched/}
    - command: ne show version
      register: version
    - shell: echo out; echo err >&2; exit 7
      register: failing
      ignore_errors: true
    - assert:
        that:
          - not again.changed
          - "'DEMO-' in version.stdout"
          - failing.rc == 7 and failing.stdout == "out" and failing.stderr == "err"
"#;

fn play(inside: &Inside<'_>, pipelining: bool) -> Output {
    let mut ansible = inside.command("/usr/bin/ansible-playbook");
    ansible.env("ANSIBLE_SSH_ARGS", format!("-F {} -o ControlMaster=auto -o ControlPersist=60s", inside.config.display()));
    // Sockets have short names.
    ansible.env("ANSIBLE_SSH_CONTROL_PATH", "c-%%h").env("ANSIBLE_SSH_CONTROL_PATH_DIR", &inside.folder);
    ansible.env("ANSIBLE_LOCAL_TEMP", inside.here("temporary")).env("ANSIBLE_HOME", inside.here("home"));
    ansible.env("ANSIBLE_PIPELINING", pipelining.to_string()).env("ANSIBLE_NOCOLOR", "1");
    let output = run(ansible.args(["-i", "inventory", "-f", "10", "plays.yml"]));
    inside.script("for socket in c-*; do ssh -o ControlPath=$socket -O exit any; done").ok();
    output
}

/// ping, copy, fetch, commands; ten at a time, with pipelining and without, on lines and through the gateway.
pub fn it_works_on_many_devices_at_once() {
    let demo = Demo::up(4);
    let insides = ["ne-1.jw.ne", "ne-2.jw.ne", "ne-3.yw.ne", "ne-4.yw.ne"].map(|ne| demo.let_in(ne, ALL));
    // One configuration has every device.
    let inside = &insides[0];
    let hosts = insides.each_ref().map(|inside| inside.ne.as_str()).join("\n");
    fs::write(inside.here("inventory"), format!("[nes]\n{hosts}\n[nes:vars]\nansible_python_interpreter=/usr/bin/python3\n"))
        .expect("a file");
    fs::write(inside.here("plays.yml"), PLAYS).expect("a file");
    for (by, pipelining) in [(inside.by_jump(), false), (inside.clone(), true)] {
        // Another file each time, so that there is something to do.
        let file = noise(400_000 + usize::from(pipelining));
        fs::write(inside.here("file"), &file).expect("a file");
        let output = play(&by, pipelining).ok();
        assert_eq!(output.stdout.matches("ok=7    changed=4    unreachable=0    failed=0").count(), 4, "{output:#?}");
        for device in &insides {
            for copy in [device.there("copied"), inside.here(&format!("fetched/{}/copied", device.ne))] {
                assert!(fs::read(&copy).expect("a copy") == file, "{} is another file", copy.display());
            }
        }
    }
    // One connection for each run, and everything that was done on it is in its record.
    for device in &insides {
        let recorded = device.recorded(2);
        assert!(recorded.contains("AnsiballZ_command.py") && recorded.contains("(400000 bytes)"), "{recorded}");
    }
}
