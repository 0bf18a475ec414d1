//! What engineers do with stock `sftp`, `scp` and paramiko.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use lineman_common::recording::SftpOperation;
use lineman_common::statement::sha256_hex;

use super::device::{Device, text};

/// Runs a batch in which everything must succeed but what begins with a dash; returns what was shown, and what was complained of.
fn batch(device: &Device, lines: &[String]) -> (String, String) {
    let sftp = device.sftp(&(lines.join("\n") + "\n"));
    let (out, err) = (text(&sftp.stdout).to_owned(), text(&sftp.stderr).to_owned());
    assert!(sftp.status.success(), "{out}\n{err}");
    (out, err)
}

/// A small tree: names and what is in them.
fn plant(root: &Path, files: usize) -> Vec<(String, String)> {
    let planted: Vec<_> = (0..files).map(|n| (format!("d{}/风扇 {n}", n % 10), format!("content of {n}\n"))).collect();
    for (name, content) in &planted {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    planted
}

fn is_planted(root: &Path, planted: &[(String, String)]) {
    for (name, content) in planted {
        assert_eq!(&fs::read_to_string(root.join(name)).unwrap(), content, "{name}");
    }
}

#[test]
fn an_engineers_day_with_sftp() {
    let device = Device::start("sftp-read,sftp-write");
    let here = tempfile::tempdir().unwrap();
    let local = |name: &str| here.path().join(name).display().to_string();
    let remote = |name: &str| device.home().join(name);
    fs::write(local("image"), "0123456789").unwrap();
    fs::set_permissions(local("image"), fs::Permissions::from_mode(0o640)).unwrap();
    let old = fs::File::open(local("image")).unwrap();
    old.set_times(fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000))).unwrap();
    let (shown, _) = batch(
        &device,
        &[
            "pwd".into(),
            "mkdir dir".into(),
            format!("put -p {} dir/image", local("image")),
            "chmod 600 dir/image".into(),
            "ln -s image dir/link".into(),
            "ln dir/image dir/hard".into(),
            "cp dir/image dir/copy".into(),
            "rename dir/copy dir/moved".into(),
            "ls -l dir".into(),
            "df".into(),
            "df -i dir".into(),
            format!("get -p dir/link {}", local("back")),
            "mkdir gone".into(),
            "rmdir gone".into(),
            format!("put {} junk", local("image")),
            "rm junk".into(),
            "cd dir".into(),
            "ls -1".into(),
        ],
    );
    let image = fs::metadata(remote("dir/image")).unwrap();
    assert_eq!((image.mode() & 0o7777, image.mtime(), image.nlink()), (0o600, 1_000_000_000, 2));
    assert_eq!(fs::read_link(remote("dir/link")).unwrap(), Path::new("image"));
    assert_eq!(fs::metadata(remote("dir/hard")).unwrap().ino(), image.ino());
    assert_eq!(fs::read_to_string(remote("dir/moved")).unwrap(), "0123456789");
    assert!(!remote("dir/copy").exists() && !remote("gone").exists() && !remote("junk").exists());
    let back = fs::metadata(local("back")).unwrap();
    assert_eq!((back.len(), back.mtime()), (10, 1_000_000_000));
    assert!(shown.contains(&format!("Remote working directory: {}", fs::canonicalize(device.home()).unwrap().display())), "{shown}");
    assert!(shown.matches("%Capacity").count() == 2 && shown.contains("Inodes"), "{shown}");
    assert!(shown.contains("\nhard\nimage\nlink\nmoved\n"), "{shown}");
    let told: Vec<_> = device.sftp_operations().into_iter().map(|told| told.op).collect();
    for op in ["mkdir", "open-write", "write", "setstat", "symlink", "link", "copy", "rename", "list", "read", "rmdir", "remove"] {
        assert!(told.iter().any(|told| told == op), "{op}: {told:?}");
    }
}

#[test]
fn what_the_account_may_not_do_is_refused_and_the_rest_goes_on() {
    let device = Device::start("sftp-write");
    fs::write(device.home().join("file"), "x").unwrap();
    fs::create_dir(device.home().join("full")).unwrap();
    fs::write(device.home().join("full/file"), "x").unwrap();
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only for root are the account's files somebody else's");
    }
    let local = device.state().join("gateway");
    let put = format!("-put {} /etc/new", local.display());
    let lines = ["-chown 1 file", "-chgrp 1 file", "-chmod 777 file", "-rm full/file", "-rmdir full", "-get none", &put, "ls -1"];
    let (shown, complaints) = batch(&device, &lines.map(str::to_owned));
    assert!(shown.ends_with("file\nfull\n"), "{shown}");
    let denied = complaints.lines().filter(|line| line.ends_with("Permission denied")).count();
    assert_eq!((denied, complaints.contains("not found"), complaints.contains("Failure")), (5, true, true), "{complaints}");
    let told = device.sftp_operations();
    let results: Vec<_> = told.iter().map(|told| (told.op.as_str(), told.result.as_str())).collect();
    let not_permitted = "Operation not permitted";
    let expected = [
        ("setstat", not_permitted),
        ("setstat", not_permitted),
        ("setstat", not_permitted),
        ("remove", "Permission denied"),
        ("rmdir", "Directory not empty"),
        ("write", "Permission denied"),
        ("list", "ok"),
    ];
    assert_eq!(results, expected);
}

#[test]
fn trees_go_up_and_come_down_with_their_odd_names() {
    let device = Device::start("sftp-write");
    let here = tempfile::tempdir().unwrap();
    let planted = plant(&here.path().join("tree"), 300);
    let odd = OsStr::from_bytes(b"d0/\xff\xfe not text");
    fs::write(here.path().join("tree").join(odd), "odd").unwrap();
    let local = |name: &str| here.path().join(name).display().to_string();
    batch(&device, &[format!("put -r {} .", local("tree")), format!("get -r tree {}", local("sftp"))]);
    let scp = |arguments: &[&str]| {
        let output = device.client("scp").args(["-q", "-r", "-p"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    scp(&[&local("tree"), "x@127.0.0.1:~/again"]);
    scp(&["x@127.0.0.1:again", &local("scp")]);
    for root in [device.home().join("tree"), here.path().join("sftp"), device.home().join("again"), here.path().join("scp")] {
        is_planted(&root, &planted);
        assert_eq!(fs::read(root.join(odd)).unwrap(), b"odd");
    }
    let told = device.sftp_operations();
    let hashed = |op: &str| told.iter().filter(|told| told.op == op && told.result == "ok" && told.sha256.is_some()).count();
    assert_eq!((hashed("write"), hashed("read")), (602, 602));
}

/// The last of what was told of an operation.
fn last<'a>(told: &'a [SftpOperation], op: &str) -> &'a SftpOperation {
    told.iter().rfind(|told| told.op == op).unwrap()
}

#[test]
fn a_transfer_that_broke_off_is_resumed_both_ways() {
    let device = Device::start("sftp-write");
    let here = tempfile::tempdir().unwrap();
    let data: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (local, remote) = (here.path().join("file"), device.home().join("file"));
    fs::write(&remote, &data).unwrap();
    fs::write(&local, &data[..1_234_567]).unwrap();
    batch(&device, &[format!("reget file {}", local.display())]);
    assert!(fs::read(&local).unwrap() == data);
    batch(&device, &[format!("put {} up", local.display())]);
    fs::File::options().write(true).open(device.home().join("up")).unwrap().set_len(2_000_001).unwrap();
    batch(&device, &[format!("reput {} up", local.display())]);
    assert!(fs::read(device.home().join("up")).unwrap() == data);
    let told = device.sftp_operations();
    let (read, write) = (last(&told, "read"), last(&told, "write"));
    assert_eq!((read.bytes, read.sha256.as_deref()), (Some(3_000_000 - 1_234_567), None), "a hash of a part stands beside nothing");
    assert_eq!((write.bytes, write.sha256.as_deref()), (Some(3_000_000 - 2_000_001), None));
    assert!(told.iter().any(|told| told.op == "write" && told.sha256 == Some(sha256_hex(&data))), "the one that went up whole");
}

const PARAMIKO: &str = r#"
import os, sys, paramiko
port, key, home = int(sys.argv[1]), sys.argv[2], sys.argv[3]
transport = paramiko.Transport(("127.0.0.1", port))
transport.connect(username="x", pkey=paramiko.Ed25519Key.from_private_key_file(key))
sftp = paramiko.SFTPClient.from_transport(transport)
assert sftp.normalize(".") == os.path.realpath(home)
data = bytes(n * 7 % 251 for n in range(1000003))
sftp.mkdir("d", 0o750)
with sftp.open("d/f", "wb") as f:
    f.set_pipelined(True)
    for at in range(0, len(data), 50000):
        f.write(data[at:at + 50000])
with sftp.open("d/f", "rb") as f:
    f.prefetch()
    assert f.read() == data
with sftp.open("d/f", "rb") as f:
    assert b"".join(f.readv([(999990, 100), (5, 10), (500000, 70000)])) == data[999990:] + data[5:15] + data[500000:570000]
with sftp.open("d/f", "r+b") as f:
    f.seek(1 << 33)
    f.write(b"far")
    f.seek(1 << 33)
    assert f.read(10) == b"far"
    f.truncate(10)
    f.chmod(0o600)
    f.utime((5, 6))
    assert (f.stat().st_size, f.stat().st_mtime) == (10, 6)
with sftp.open("d/f", "ab") as f:
    f.write(b"more")
assert sftp.open("d/f").read() == data[:10] + b"more"
try:
    sftp.open("d/f", "wbx")
    sys.exit("an exclusive opening of a file that is there")
except IOError as error:
    assert "File exists" in str(error), error
try:
    sftp.stat("none")
    sys.exit("a file that is not there")
except FileNotFoundError:
    pass
sftp.symlink("f", "d/s")
assert sftp.readlink("d/s") == "f" and sftp.lstat("d/s").st_size == 1 and sftp.stat("d/s").st_size == 14
sftp.rename("d/f", "d/g")
sftp.open("d/h", "w").close()
try:
    sftp.rename("d/g", "d/h")
    sys.exit("a plain rename replaced a file")
except IOError as error:
    assert "File exists" in str(error), error
sftp.posix_rename("d/g", "d/h")
assert sorted(a.filename for a in sftp.listdir_attr("d")) == ["h", "s"]
sftp.chown("d/h", os.stat(home + "/d/h").st_uid, os.stat(home + "/d/h").st_gid)
sftp.remove("d/h"); sftp.remove("d/s"); sftp.rmdir("d")
assert sftp.listdir(".") == []
transport.close()
"#;

#[test]
fn paramiko_reads_writes_and_seeks() {
    // Debian's own interpreter has Debian's paramiko, whatever stands before it in the path.
    let python = "/usr/bin/python3";
    if !Command::new(python).args(["-c", "import paramiko"]).output().is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: {python} has no paramiko (Debian: python3-paramiko)");
    }
    let device = Device::start("sftp-write");
    let key = device.state().join("engineer");
    let port = device.ssh_arguments().iter().find_map(|argument| argument.strip_prefix("Port=").map(str::to_owned)).unwrap();
    let arguments = ["-W", "ignore", "-c", PARAMIKO, &port, key.to_str().unwrap(), device.home().to_str().unwrap()];
    let output = Command::new(python).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let data: Vec<u8> = (0..1_000_003u32).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
    let told = device.sftp_operations();
    let whole = |op: &str| told.iter().any(|told| told.op == op && told.path == "d/f" && told.sha256 == Some(sha256_hex(&data)));
    assert!(whole("write") && whole("read"), "{told:?}");
}
