//! Many at once: nobody is turned away for having come together with others.

use std::fs;

use lineman_tests::{Demo, Inside, Process, eventually};

use super::ALL;

/// What each of them writes at its end.
const BYTES: usize = 100_000;

/// So many `ssh` on each device that are all inside at the same time; then each sends much and ends with a code of its own.
pub fn together(insides: &[Inside<'_>], each: usize, name: &str, options: &[&str]) {
    for inside in insides {
        fs::create_dir(inside.there(name)).expect("a folder");
        // For the session's account, which is not ours.
        fs::set_permissions(inside.there(name), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("permissions");
    }
    let mut all: Vec<_> = insides.iter().flat_map(|inside| (0..each).map(move |number| start(inside, number, name, options))).collect();
    eventually("all are inside", || {
        for one in &mut all {
            if let Some(status) = one.ssh.0.try_wait().map_err(|e| e.to_string())? {
                panic!("{} on {} was turned away ({status}): {}", one.number, one.inside.ne, one.file("err"));
            }
        }
        let seen: usize = insides.iter().map(|inside| fs::read_dir(inside.there(name)).map_or(0, Iterator::count)).sum();
        if seen == insides.len() * each { Ok(()) } else { Err(seen.to_string()) }
    });
    for inside in insides {
        fs::write(inside.there(&format!("{name}/go")), "").expect("a file");
    }
    for mut one in all {
        let (status, out) = (one.ssh.0.wait().expect("its end"), one.file("out"));
        let whole = out.len() == BYTES && out.bytes().all(|byte| byte == b'x');
        let (number, ne) = (one.number, &one.inside.ne);
        assert!(status.code() == i32::try_from(number % 7).ok() && whole, "{number} on {ne}: {status}, {} bytes", out.len());
    }
}

struct One<'a> {
    inside: &'a Inside<'a>,
    name: String,
    number: usize,
    ssh: Process,
}

impl One<'_> {
    fn file(&self, what: &str) -> String {
        fs::read_to_string(self.inside.here(&format!("{}-{}.{what}", self.name, self.number))).expect("what it wrote")
    }
}

fn start<'a>(inside: &'a Inside<'a>, number: usize, name: &str, options: &[&str]) -> One<'a> {
    let wait = format!("touch {name}/{number}; until [ -e {name}/go ]; do sleep 0.5; done");
    let work = format!("{wait}; head -c {BYTES} /dev/zero | tr '\\0' x; exit {}", number % 7);
    let file = |what: &str| fs::File::create(inside.here(&format!("{name}-{number}.{what}"))).expect("a file");
    let mut ssh = inside.command("ssh");
    ssh.arg("-F").arg(&inside.config).args(options).args([&inside.ne, &work]).stdout(file("out")).stderr(file("err"));
    One { inside, name: name.to_owned(), number, ssh: Process::spawn(&mut ssh) }
}

fn soak() -> bool {
    std::env::var_os("SOAK").is_some()
}

/// Forty on one device; with SOAK=1 a hundred.
pub fn many_sessions_on_one_device() {
    let demo = Demo::up(1);
    let each = if soak() { 100 } else { 40 };
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    together(std::slice::from_ref(&inside), each, "seen", &[]);
    assert!(inside.sessions(each).iter().all(|session| session["end_reason"] == "client"));
}

/// Twenty on four devices; with SOAK=1 two hundred.
pub fn many_sessions_on_some_devices() {
    let demo = Demo::up(4);
    let names = ["ne-1.jw.ne", "ne-2.jw.ne", "ne-3.yw.ne", "ne-4.yw.ne"];
    let insides: Vec<_> = names.iter().map(|ne| demo.let_in(ne, ALL).by_jump()).collect();
    let each = if soak() { 50 } else { 5 };
    together(&insides, each, "seen", &[]);
    for inside in &insides {
        assert!(inside.sessions(each).iter().all(|session| session["end_reason"] == "client"));
    }
}

/// Fifty at once on one connection, again and again: what has ended makes room.
pub fn fifty_channels_share_one_connection() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    let shared = "ssh -F $F -o ControlPath=shared";
    inside.script(&format!("{shared} -o ControlMaster=auto -o ControlPersist=yes $NE true 2> /dev/null")).ok();
    // Never on a connection of their own.
    let options = ["-o", "ControlPath=shared", "-o", "ControlMaster=no", "-o", "ProxyCommand=false"];
    for round in ["first", "second", "third"] {
        together(std::slice::from_ref(&inside), 50, round, &options);
    }
    // It stays, until it is told to go.
    inside.script(&format!("{shared} -O check $NE")).ok().says("Master running");
    inside.script(&format!("{shared} -O exit $NE")).ok();
    let sessions = inside.sessions(1);
    assert_eq!(sessions[0]["summary"]["channels"], 151, "{sessions:?}");
}

/// `lineman ssh` finds the connection that an earlier call left open, also by a path that `ssh` makes up; without it, a new one.
pub fn lineman_ssh_shares_its_connection() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    let socket = format!("ControlPath={}/%C", inside.folder.display());
    let shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", &socket];
    let ssh =
        |words: &[&str]| demo.person("engineer-a").args(["ssh"]).args(shared).args([inside.ne.as_str()]).args(words.to_vec()).output();
    for word in ["one", "two", "three"] {
        assert_eq!(ssh(&["echo", word]).ok().stdout, format!("{word}\n"));
    }
    let socket = fs::read_dir(&inside.folder).expect("the folder").flatten().find(|entry| entry.file_name().len() == 40).expect("a socket");
    inside.script(&format!("ssh -o ControlPath={} -O exit any", socket.path().display())).ok();
    let first = inside.sessions(1);
    assert_eq!(first[0]["summary"]["channels"], 3, "{first:?}");
    assert_eq!(ssh(&["echo", "four"]).ok().stdout, "four\n");
    inside.script(&format!("ssh -o ControlPath={} -O exit any", socket.path().display())).ok();
    inside.sessions(2);
}
