//! The SFTP child itself, spoken to byte by byte: what `sftp-read` keeps, what it takes of memory, and how far its offsets reach.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use lineman_agent::session::account::{Account, OWN_ACCOUNT, Profile};
use lineman_agent::session::child::{ARGUMENT, Berth, ChildOrders, Job, encode};
use lineman_common::id::SessionId;
use lineman_common::recording::SftpOperation;
use lineman_common::statement::sha256_hex;

const READ: u32 = 1;
const NEW: u32 = 2 | 8 | 16;

const OK: u32 = 0;
const EOF: u32 = 1;
const DENIED: u32 = 3;
const FAILURE: u32 = 4;
const UNSUPPORTED: u32 = 8;

/// A session child that serves SFTP, and its home.
struct Sftp {
    process: Child,
    to: ChildStdin,
    from: ChildStdout,
    home: tempfile::TempDir,
    account: Account,
}

impl Sftp {
    fn start(write: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let user = if rustix::process::geteuid().is_root() { "nobody" } else { OWN_ACCOUNT };
        let profile = Profile { user: user.into(), unsafe_self: true, home: Some(home.path().to_owned()), ..Profile::default() };
        let account = Account::of(&profile).unwrap();
        let berth = Berth { session: SessionId::new(), group: None };
        let orders = ChildOrders { account: account.clone(), env: BTreeMap::new(), terminal: None, job: Job::Sftp { write } };
        let mut command = Command::new(env!("CARGO_BIN_EXE_lineman-agent"));
        command.arg(ARGUMENT).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (mut to, from) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        to.write_all(&[encode(&berth).unwrap(), encode(&orders).unwrap()].concat()).unwrap();
        Self { process, to, from, home, account }
    }

    fn send(&mut self, packet: &[u8]) {
        self.to.write_all(&field(packet)).unwrap();
    }

    /// Kind and the rest of the next answer, after its number.
    fn take(&mut self) -> (u8, Vec<u8>) {
        let mut length = [0; 4];
        self.from.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.from.read_exact(&mut answer).unwrap();
        (answer[0], answer[5..].to_vec())
    }

    fn ask(&mut self, packet: &[u8]) -> (u8, Vec<u8>) {
        self.send(packet);
        self.take()
    }

    fn status(&mut self, packet: &[u8]) -> u32 {
        let (kind, rest) = self.ask(packet);
        assert_eq!(kind, 101, "a status");
        u32::from_be_bytes(rest[..4].try_into().unwrap())
    }

    /// The status, 0 also for what comes with more than that. What was opened is closed again.
    fn try_out(&mut self, packet: &[u8]) -> u32 {
        match self.ask(packet) {
            (101, rest) => u32::from_be_bytes(rest[..4].try_into().unwrap()),
            (102, handle) => self.status(&self::packet(4, &[&handle])),
            (_, _) => OK,
        }
    }

    fn open(&mut self, name: &str, flags: u32) -> Vec<u8> {
        let (kind, handle) = self.ask(&open(name.as_bytes(), flags));
        assert_eq!(kind, 102, "a handle: {}", String::from_utf8_lossy(&handle));
        handle
    }

    /// Ends it and returns what it told.
    fn end(mut self) -> Vec<SftpOperation> {
        drop(self.to);
        let mut told = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(self.process.wait().unwrap().success(), "{told}");
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn field(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// With a number that nobody looks at.
fn packet(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    [&[kind, 0, 0, 0, 9], &fields.concat()[..]].concat()
}

fn open(name: &[u8], flags: u32) -> Vec<u8> {
    packet(3, &[&field(name), &flags.to_be_bytes(), &[0; 4]])
}

fn extended(name: &str, fields: &[&[u8]]) -> Vec<u8> {
    packet(200, &[&field(name.as_bytes()), &fields.concat()])
}

fn read(handle: &[u8], offset: u64, length: u32) -> Vec<u8> {
    packet(5, &[handle, &offset.to_be_bytes(), &length.to_be_bytes()])
}

fn write(handle: &[u8], offset: u64, data: &[u8]) -> Vec<u8> {
    packet(6, &[handle, &offset.to_be_bytes(), &field(data)])
}

/// Everything about everything below, but when it was read.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_file() {
            sha256_hex(fs::read(&path).unwrap())
        } else if metadata.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        };
        let changed = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
        let (mode, links, owner) = (metadata.mode(), metadata.nlink(), (metadata.uid(), metadata.gid()));
        seen.insert(path, format!("{mode:o} {links} {owner:?} {} {changed:?} {content}", metadata.len()));
    }
    seen
}

/// A tree of the account's own, in which it may do everything.
fn plant(sftp: &Sftp) {
    let (home, owner) = (sftp.home.path(), (Some(sftp.account.uid), Some(sftp.account.gid)));
    fs::create_dir(home.join("dir")).unwrap();
    fs::create_dir(home.join("empty")).unwrap();
    std::os::unix::fs::symlink("file", home.join("link")).unwrap();
    for name in ["file", "other", "dir/inner"] {
        fs::write(home.join(name), "0123456789").unwrap();
    }
    for name in ["dir", "empty", "file", "other", "dir/inner"] {
        chown(home.join(name), owner.0, owner.1).unwrap();
    }
    lchown(home.join("link"), owner.0, owner.1).unwrap();
}

/// Every packet and extension that there is, once in each way that matters; `true`: it changes something.
/// Handles 0 and 1 are the files', opened to be read.
fn every_request(account: &Account) -> Vec<(String, Vec<u8>, bool)> {
    let (file, new, handle, other) = (field(b"file"), field(b"new"), field(&[0; 4]), field(&[0, 0, 0, 1]));
    let attributes = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
    let (size, mode, times) = (attributes(&[1, 0, 4]), attributes(&[4, 0o640]), attributes(&[8, 1, 2]));
    let owner = attributes(&[2, account.uid, account.gid]);
    let mut all = Vec::new();
    let mut add = |what: &str, packet: Vec<u8>, changes: bool| all.push((what.to_owned(), packet, changes));
    for flags in 0..64 {
        for name in ["file", "new", "link"] {
            add(&format!("open {name} {flags:#x}"), open(name.as_bytes(), flags), flags & !READ != 0);
        }
    }
    add("write", write(&handle, 0, b"x"), true);
    for (what, attributes) in [("size", &size), ("mode", &mode), ("times", &times), ("owner", &owner)] {
        add(&format!("setstat {what}"), packet(9, &[&file, attributes]), true);
        add(&format!("fsetstat {what}"), packet(10, &[&handle, attributes]), true);
        add(&format!("lsetstat {what}"), extended("lsetstat@openssh.com", &[&field(b"link"), attributes]), true);
    }
    add("mkdir", packet(14, &[&new, &[0; 4]]), true);
    add("rmdir", packet(15, &[&field(b"empty")]), true);
    add("symlink", packet(20, &[&file, &new]), true);
    add("hardlink", extended("hardlink@openssh.com", &[&file, &field(b"hard")]), true);
    add("fsync", extended("fsync@openssh.com", &[&handle]), true);
    add("copy-data", extended("copy-data", &[&handle, &[0; 16], &other, &[0; 8]]), true);
    add("rename", packet(18, &[&field(b"other"), &field(b"moved")]), true);
    add("posix-rename", extended("posix-rename@openssh.com", &[&field(b"dir/inner"), &field(b"moved")]), true);
    add("remove", packet(13, &[&field(b"link")]), true);
    for (what, packet) in [
        ("lstat", packet(7, &[&file])),
        ("fstat", packet(8, &[&handle])),
        ("stat", packet(17, &[&file])),
        ("opendir", packet(11, &[&field(b"dir")])),
        ("readdir", packet(12, &[&field(&[0, 0, 0, 2])])),
        ("realpath", packet(16, &[&field(b".")])),
        ("readlink", packet(19, &[&field(b"link")])),
        ("read", read(&handle, 0, 100)),
        ("statvfs", extended("statvfs@openssh.com", &[&file])),
        ("fstatvfs", extended("fstatvfs@openssh.com", &[&handle])),
        ("limits", extended("limits@openssh.com", &[])),
        ("expand-path", extended("expand-path@openssh.com", &[&field(b"~")])),
        ("home-directory", extended("home-directory", &[&field(b"")])),
        ("users-groups-by-id", extended("users-groups-by-id@openssh.com", &[&field(&[0; 4]), &field(&[0; 4])])),
        ("close", packet(4, &[&handle])),
    ] {
        add(what, packet, false);
    }
    all
}

#[test]
fn sftp_read_changes_nothing_by_any_packet_and_sftp_write_does_what_it_refuses() {
    let (mut reads, mut writes) = (Sftp::start(false), Sftp::start(true));
    let requests = every_request(&reads.account);
    for sftp in [&reads, &writes] {
        plant(sftp);
    }
    let before = tree(reads.home.path());
    let served = |sftp: &mut Sftp| {
        let (_, offered) = sftp.ask(&[1, 0, 0, 0, 3]);
        sftp.open("file", READ);
        sftp.open("other", READ);
        offered
    };
    let offered = served(&mut reads);
    served(&mut writes);
    let extensions: BTreeSet<_> = names(&offered).into_iter().step_by(2).collect();
    for name in &extensions {
        assert!(
            requests.iter().any(|(_, packet, _)| packet.windows(name.len()).any(|part| part == name.as_bytes())),
            "{name} is not tried"
        );
    }
    for (what, packet, changes) in &requests {
        assert_eq!(reads.try_out(packet) == DENIED, *changes, "{what}");
        // Nothing but the consent stands in the way of it: the account may.
        assert_ne!(writes.try_out(packet), DENIED, "{what}");
    }
    // Whatever else there may be: no kind of packet does anything that isn't known here.
    for kind in (2..=255).filter(|kind| !(3..=20).contains(kind) && *kind != 200) {
        assert_eq!(reads.try_out(&packet(kind, &[&field(b"file"), &field(b"new"), &[0; 8]])), UNSUPPORTED, "kind {kind}");
    }
    assert_eq!(reads.try_out(&extended("other@example.org", &[&field(b"file")])), UNSUPPORTED);
    assert_eq!(tree(reads.home.path()), before);
    let home = writes.home.path();
    assert!(home.join("hard").exists() && home.join("moved").exists() && !home.join("empty").exists() && !home.join("link").is_symlink());
    let refused = requests.iter().filter(|(_, _, changes)| *changes).count();
    let told = reads.end();
    assert_eq!(told.iter().filter(|told| told.result.starts_with("refused: ")).count(), refused, "every try is told");
    writes.end();
}

/// The strings of a field list.
fn names(mut rest: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (name, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
        names.push(String::from_utf8(name.to_vec()).unwrap());
        rest = tail;
    }
    names
}

#[test]
fn sftp_write_includes_reading() {
    let mut sftp = Sftp::start(true);
    plant(&sftp);
    let handle = sftp.open("file", READ);
    assert_eq!(sftp.ask(&read(&handle, 0, 100)), (103, field(b"0123456789")));
    assert_eq!(sftp.end().last().unwrap().sha256, Some(sha256_hex("0123456789")));
}

#[test]
fn offsets_reach_beyond_four_gibibytes_and_an_end_is_an_end() {
    let mut sftp = Sftp::start(true);
    let far = 5 << 30;
    let handle = sftp.open("sparse", 1 | NEW);
    assert_eq!(sftp.status(&write(&handle, far, b"far away")), OK);
    assert_eq!(sftp.ask(&read(&handle, far + 4, 100)), (103, field(b"away")));
    assert_eq!(sftp.status(&read(&handle, far + 8, 100)), EOF);
    assert_eq!(sftp.status(&read(&handle, far << 10, 100)), EOF);
    // What no file can have.
    for offset in [u64::MAX, 1 << 63] {
        assert_eq!((sftp.status(&read(&handle, offset, 100)), sftp.status(&write(&handle, offset, b"x"))), (FAILURE, FAILURE));
    }
    let size = [&1u32.to_be_bytes()[..], &(6u64 << 30).to_be_bytes()].concat();
    assert_eq!(sftp.status(&packet(10, &[&handle, &size])), OK);
    let (kind, attributes) = sftp.ask(&packet(8, &[&handle]));
    assert_eq!((kind, &attributes[4..12]), (105, &(6u64 << 30).to_be_bytes()[..]));
    assert_eq!(sftp.ask(&read(&handle, (6 << 30) - 3, u32::MAX)), (103, field(&[0; 3])));
    assert_eq!(sftp.status(&packet(4, &[&handle])), OK);
    // Asked for more than one packet holds, it gives what one holds.
    let handle = sftp.open("sparse", READ);
    assert_eq!(sftp.ask(&read(&handle, 0, u32::MAX)).1.len(), 4 + 255 * 1024);
}

/// Bytes that `/proc` says of a process.
fn kib(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A client that asks for everything and takes nothing, as one that was stopped does: the child waits, and holds two buffers.
#[test]
fn a_client_that_takes_nothing_costs_no_memory_and_loses_nothing() {
    let mut sftp = Sftp::start(false);
    let file = File::create(sftp.home.path().join("file")).unwrap();
    let (reads, length) = (100_000u32, 255 * 1024);
    file.write_all_at(b"first", 0).unwrap();
    file.set_len(u64::from(reads) * 64).unwrap();
    let handle = sftp.open("file", READ);
    let pid = sftp.process.id();
    let before = kib(pid, "VmHWM:");
    let Sftp { mut to, mut from, mut process, .. } = sftp;
    let asking = std::thread::spawn(move || {
        for n in 0..reads {
            // The end of it is not heard by whoever is stopped, either.
            if to.write_all(&field(&read(&handle, u64::from(n) * 64, length))).is_err() {
                return false;
            }
        }
        true
    });
    // It stands still when it has used no time for a while; where it goes on, this sees the whole transfer in memory.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut used = None;
    while used.replace(cpu(pid)) != Some(cpu(pid)) {
        assert!(Instant::now() < deadline, "the child does not come to rest");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(!asking.is_finished(), "the child took everything that it was asked");
    let most = kib(pid, "VmHWM:");
    assert!(most - before < 4096, "{most} KiB, {before} KiB before anything was asked");
    // The client goes on: every answer is there.
    let mut header = [0; 13];
    from.read_exact(&mut header).unwrap();
    let mut data = vec![0; length as usize];
    from.read_exact(&mut data).unwrap();
    assert_eq!((header[4], &data[..5]), (103, &b"first"[..]));
    drop(from);
    assert!(!asking.join().unwrap(), "it ends when nobody is there any more");
    process.wait().unwrap();
}

/// What a process has used of the processor, in ticks.
fn cpu(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).collect::<Vec<_>>().join("+")
}

#[test]
fn ten_thousand_names_are_listed_in_packets_that_every_client_takes() {
    let mut sftp = Sftp::start(false);
    let odd = [&b"\xff\xfe"[..], b"new\nline", "风扇".as_bytes()];
    for n in 0..10_000 - odd.len() {
        File::create(sftp.home.path().join(format!("file-{n}"))).unwrap();
    }
    for name in odd {
        File::create(sftp.home.path().join(std::ffi::OsStr::from_bytes(name))).unwrap();
    }
    let (_, handle) = sftp.ask(&packet(11, &[&field(b".")]));
    let (mut seen, mut packets) = (BTreeSet::new(), 0);
    loop {
        let (kind, answer) = sftp.ask(&packet(12, &[&handle]));
        if kind == 101 {
            assert_eq!(answer[..4], EOF.to_be_bytes());
            break;
        }
        assert!(answer.len() < 34_000, "{} bytes", answer.len());
        packets += 1;
        let mut rest = &answer[4..];
        for _ in 0..u32::from_be_bytes(answer[..4].try_into().unwrap()) {
            let [name, line] = [0; 2].map(|_| {
                let (length, tail) = rest.split_first_chunk::<4>().unwrap();
                let (text, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
                rest = tail;
                text.to_vec()
            });
            // Size, owner, mode and times.
            rest = &rest[4 + 8 + 8 + 4 + 8..];
            assert!(!line.contains(&b'\n') && std::str::from_utf8(&line).is_ok());
            seen.insert(name);
        }
    }
    assert_eq!((seen.len(), packets < 100), (10_002, true), "with two dots, in {packets} packets");
    assert!(odd.iter().all(|name| seen.contains(*name)));
    // The odd ones are opened by the name that was listed.
    assert!(odd.iter().all(|name| sftp.try_out(&open(name, READ)) == OK));
}
