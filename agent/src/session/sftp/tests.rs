//! The protocol, driven with bytes.

use std::cell::RefCell;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

use lineman_common::statement::sha256_hex;

use super::*;

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn packet(kind: u8, id: u32, rest: &[&[u8]]) -> Vec<u8> {
    let body = [&[kind][..], &id.to_be_bytes(), &rest.concat()].concat();
    string(&body)
}

/// Runs requests; returns the replies as (kind, rest after the id) and what was told.
fn run(write: bool, requests: &[Vec<u8>]) -> (Vec<(u8, Vec<u8>)>, Vec<SftpOperation>) {
    let told = Rc::new(RefCell::new(Vec::new()));
    let mut output = Vec::new();
    let tell = {
        let told = Rc::clone(&told);
        move |operation: &SftpOperation| {
            told.borrow_mut().push(operation.clone());
            Ok(())
        }
    };
    Server::new(&mut output, tell, write).run(&requests.concat()[..]).unwrap();
    let mut replies = Vec::new();
    let mut rest = &output[..];
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        replies.push((rest[4], rest[9..4 + length].to_vec()));
        rest = &rest[4 + length..];
    }
    let told = told.borrow().clone();
    (replies, told)
}

fn code(reply: &(u8, Vec<u8>)) -> u32 {
    assert_eq!(reply.0, 101, "a status");
    u32::from_be_bytes(reply.1[..4].try_into().unwrap())
}

const NO_ATTRIBUTES: [u8; 4] = [0; 4];

fn handle(number: u32) -> Vec<u8> {
    string(&number.to_be_bytes())
}

#[test]
fn a_file_is_read_and_told_with_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("日志");
    fs::write(&path, "0123456789").unwrap();
    let name = string(path.as_os_str().as_bytes());
    let read = |id, offset: u64| packet(5, id, &[&handle(0), &offset.to_be_bytes(), &6u32.to_be_bytes()]);
    let requests = [
        packet(1, 3, &[]),
        packet(3, 1, &[&name, &1u32.to_be_bytes(), &NO_ATTRIBUTES]),
        read(2, 0),
        read(3, 6),
        read(4, 10),
        packet(4, 5, &[&handle(0)]),
        packet(17, 6, &[&name]),
    ];
    let (replies, told) = run(false, &requests);
    assert_eq!(replies[0].0, 2);
    assert_eq!(replies[1], (102, handle(0)));
    assert_eq!(replies[2], (103, string(b"012345")));
    assert_eq!(replies[3], (103, string(b"6789")));
    assert_eq!((code(&replies[4]), code(&replies[5])), (Code::Eof as u32, Code::Ok as u32));
    assert_eq!(replies[6].0, 105);
    let [opened, operation] = &told[..] else { panic!("{told:?}") };
    assert_eq!((opened.op.as_str(), opened.path.as_str(), opened.bytes), ("open-read", path.to_str().unwrap(), None));
    assert_eq!((operation.op.as_str(), operation.bytes, operation.result.as_str()), ("read", Some(10), "ok"));
    assert_eq!(operation.sha256.as_deref(), Some(sha256_hex("0123456789").as_str()));
    assert_eq!(operation.path, path.to_str().unwrap());
}

#[test]
fn bytes_out_of_order_have_no_hash_and_a_file_left_open_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "0123456789").unwrap();
    let name = string(path.as_os_str().as_bytes());
    let requests = [
        packet(3, 1, &[&name, &1u32.to_be_bytes(), &NO_ATTRIBUTES]),
        packet(5, 2, &[&handle(0), &5u64.to_be_bytes(), &5u32.to_be_bytes()]),
    ];
    let (_, told) = run(false, &requests);
    assert_eq!(told[0].op, "open-read");
    assert_eq!((told[1].sha256.as_deref(), told[1].bytes), (None, Some(5)));
    assert!(told[1].result.contains("cut off"));
}

#[test]
fn reading_only_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept");
    fs::write(&path, "kept").unwrap();
    let (name, new) = (string(path.as_os_str().as_bytes()), string(dir.path().join("new").as_os_str().as_bytes()));
    let open = |id, flags: u32| packet(3, id, &[&name, &flags.to_be_bytes(), &NO_ATTRIBUTES]);
    let size0 = [&1u32.to_be_bytes()[..], &0u64.to_be_bytes()].concat();
    let extended = |id, name: &[u8], rest: &[&[u8]]| packet(200, id, &[&string(name), &rest.concat()]);
    let requests = [
        open(0, OpenFlags::WRITE),
        open(1, OpenFlags::READ | OpenFlags::WRITE),
        open(2, OpenFlags::APPEND),
        open(3, OpenFlags::READ | OpenFlags::TRUNCATE),
        open(4, OpenFlags::READ | OpenFlags::CREATE),
        packet(9, 5, &[&name, &size0]),
        packet(13, 6, &[&name]),
        packet(14, 7, &[&new, &NO_ATTRIBUTES]),
        packet(15, 8, &[&name]),
        packet(18, 9, &[&name, &new]),
        packet(20, 10, &[&name, &new]),
        extended(11, b"posix-rename@openssh.com", &[&name, &new]),
        extended(12, b"hardlink@openssh.com", &[&name, &new]),
        packet(6, 13, &[&handle(0), &0u64.to_be_bytes(), &string(b"x")]),
        packet(10, 14, &[&handle(0), &size0]),
    ];
    let (replies, told) = run(false, &requests);
    for (number, reply) in replies.iter().enumerate() {
        assert_eq!(code(reply), Code::PermissionDenied as u32, "request {number}");
    }
    assert_eq!(told.len(), requests.len(), "every try is told");
    assert!(told.iter().all(|operation| operation.result.starts_with(REFUSED)));
    assert_eq!(fs::read(&path).unwrap(), b"kept");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_file_is_written_renamed_listed_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| string(dir.path().join(name).as_os_str().as_bytes());
    let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let mode = [&4u32.to_be_bytes()[..], &0o640u32.to_be_bytes()].concat();
    let requests = [
        packet(3, 1, &[&at("a"), &flags.to_be_bytes(), &mode]),
        packet(6, 2, &[&handle(0), &0u64.to_be_bytes(), &string(b"hello")]),
        packet(4, 3, &[&handle(0)]),
        packet(14, 4, &[&at("d"), &NO_ATTRIBUTES]),
        packet(18, 5, &[&at("a"), &at("b")]),
        packet(18, 6, &[&at("b"), &at("d")]),
        packet(11, 7, &[&string(dir.path().as_os_str().as_bytes())]),
        packet(12, 8, &[&handle(1)]),
        packet(12, 9, &[&handle(1)]),
        packet(16, 10, &[&at("d/../b")]),
        packet(15, 11, &[&at("d")]),
        packet(13, 12, &[&at("b")]),
        packet(13, 13, &[&at("b")]),
        packet(99, 14, &[]),
    ];
    let (replies, told) = run(true, &requests);
    assert_eq!((code(&replies[4]), code(&replies[5])), (Code::Ok as u32, Code::Failure as u32), "a rename replaces nothing");
    assert_eq!(u32::from_be_bytes(replies[7].1[..4].try_into().unwrap()), 4, "two names and two dots");
    assert_eq!(code(&replies[8]), Code::Eof as u32);
    assert!(replies[9].1.windows(2).any(|w| w == b"/b"));
    assert_eq!((code(&replies[11]), code(&replies[12])), (Code::Ok as u32, Code::NoSuchFile as u32));
    assert_eq!(code(&replies[13]), Code::Unsupported as u32);
    let ops: Vec<_> = told.iter().map(|operation| (operation.op.as_str(), operation.result == "ok")).collect();
    let expected = [
        ("open-write", true),
        ("write", true),
        ("mkdir", true),
        ("rename", true),
        ("rename", false),
        ("list", true),
        ("rmdir", true),
        ("remove", true),
        ("remove", false),
    ];
    assert_eq!(ops, expected);
    assert_eq!(told[1].sha256.as_deref(), Some(sha256_hex("hello").as_str()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// What was told when the process dies at the worst moment: after the answer to the opening.
#[test]
fn an_opening_is_told_before_its_answer_goes_out() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let name = string(dir.path().join("new").as_os_str().as_bytes());
    let flags = OpenFlags::WRITE | OpenFlags::CREATE;
    let told = RefCell::new(Vec::new());
    let tell = |operation: &SftpOperation| {
        told.borrow_mut().push((operation.op.clone(), operation.result.clone()));
        Ok(())
    };
    let open = packet(3, 1, &[&name, &flags.to_be_bytes(), &NO_ATTRIBUTES]);
    assert!(Server::new(Closed, tell, true).run(&open[..]).is_err());
    let expected = [("open-write", "ok"), ("write", "cut off before the file was closed")];
    assert_eq!(told.into_inner(), expected.map(|(op, result)| (op.to_owned(), result.to_owned())));
}

#[test]
fn a_path_is_told_up_to_a_bound_and_hashed_whole() {
    let long = "\u{1}".repeat(200_000);
    let told = operation("remove", Path::new(&long), "no such file");
    assert!(told.path.contains(&sha256_hex(&long)) && told.path.contains("200000 bytes"), "{}", told.path);
    assert!(serde_json::to_vec(&told).unwrap().len() < 32 * 1024);
    assert_eq!(operation("remove", Path::new("/a"), "ok").path, "/a");
}

#[test]
fn a_packet_that_is_too_long_or_cut_ends_the_service() {
    let tell = |_: &SftpOperation| Ok(());
    let too_long = u32::MAX.to_be_bytes();
    assert!(Server::new(Vec::new(), tell, false).run(&too_long[..]).is_err());
    let cut = [0, 0, 0, 9, 1];
    assert!(Server::new(Vec::new(), tell, false).run(&cut[..]).is_err());
}

/// Three fields of what was told: operation, bytes, hash.
fn transfers(told: &[SftpOperation]) -> Vec<(&str, Option<u64>, Option<&str>)> {
    let closed = told.iter().filter(|operation| operation.bytes.is_some());
    closed.map(|operation| (operation.op.as_str(), operation.bytes, operation.sha256.as_deref())).collect()
}

fn open_with(id: u32, path: &Path, flags: u32) -> Vec<u8> {
    packet(3, id, &[&string(path.as_os_str().as_bytes()), &flags.to_be_bytes(), &NO_ATTRIBUTES])
}

fn read_at(number: u32, offset: u64, length: u32) -> Vec<u8> {
    packet(5, 5, &[&handle(number), &offset.to_be_bytes(), &length.to_be_bytes()])
}

fn write_at(number: u32, offset: u64, data: &[u8]) -> Vec<u8> {
    packet(6, 6, &[&handle(number), &offset.to_be_bytes(), &string(data)])
}

fn close(number: u32) -> Vec<u8> {
    packet(4, 4, &[&handle(number)])
}

fn extended(name: &str, rest: &[&[u8]]) -> Vec<u8> {
    packet(200, 200, &[&string(name.as_bytes()), &rest.concat()])
}

const MAX_PACKET: u64 = 256 * 1024;

fn numbers_of(reply: &(u8, Vec<u8>)) -> Vec<u64> {
    assert_eq!(reply.0, 201, "what an extension answers");
    reply.1.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect()
}

const NEW: u32 = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;

#[test]
fn a_hash_is_told_only_of_bytes_that_came_once_in_order_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let hash = sha256_hex("0123456789");
    let cut = [&1u32.to_be_bytes()[..], &4u64.to_be_bytes()].concat();
    let told_after = |flags: u32, requests: &[Vec<u8>]| {
        let all = [&[open_with(1, &path, flags)], requests, &[close(0)]].concat();
        let (_, told) = run(true, &all);
        transfers(&told).iter().map(|(op, bytes, hash)| format!("{op} {} {}", bytes.unwrap(), hash.unwrap_or("-"))).collect::<Vec<_>>()
    };
    let (first, second) = (write_at(0, 0, b"01234"), write_at(0, 5, b"56789"));
    assert_eq!(told_after(NEW, &[second.clone(), first.clone()]), ["write 10 -"], "out of order");
    assert_eq!(told_after(NEW, &[first.clone(), second.clone(), first.clone()]), ["write 15 -"], "one part twice");
    assert_eq!(told_after(NEW, &[first.clone(), second.clone()]), [format!("write 10 {hash}")]);
    assert_eq!(told_after(OpenFlags::WRITE, std::slice::from_ref(&second)), ["write 5 -"], "resumed");
    let append = OpenFlags::WRITE | OpenFlags::APPEND;
    assert_eq!(told_after(append, std::slice::from_ref(&first)), ["write 5 -"], "its offset is not where it goes");
    assert_eq!(fs::read(&path).unwrap(), b"012345678901234");
    assert_eq!(told_after(NEW, &[first.clone(), second, packet(10, 7, &[&handle(0), &cut])]), ["write 10 -"], "cut off again");
    assert_eq!(fs::read(&path).unwrap(), b"0123");
    let both = OpenFlags::READ | OpenFlags::WRITE;
    let first_hash = sha256_hex("01234");
    assert_eq!(told_after(both, &[first, read_at(0, 0, 2)]), [format!("write 5 {first_hash}"), format!("read 2 {}", sha256_hex("01"))]);
    assert_eq!(
        told_after(OpenFlags::READ, &[read_at(0, 0, 2), read_at(0, 90, 1), read_at(0, 2, 1)]),
        [format!("read 3 {}", sha256_hex("012"))],
        "a part"
    );
    assert_eq!(told_after(OpenFlags::READ, &[read_at(0, 3, 10)]), ["read 2 -"], "the rest");
}

#[test]
fn a_change_by_a_handle_is_told_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let mode = [&4u32.to_be_bytes()[..], &0o600u32.to_be_bytes()].concat();
    let (_, told) = run(true, &[open_with(1, &path, NEW), packet(10, 2, &[&handle(0), &mode]), packet(10, 3, &[&handle(9), &mode])]);
    let named: Vec<_> = told.iter().map(|told| (told.op.as_str(), told.path.as_str(), told.result.as_str())).collect();
    let file = path.to_str().unwrap();
    let expected = [
        ("open-write", file, "ok"),
        ("setstat", file, "ok"),
        ("setstat", "(not open)", "there is no such handle"),
        ("write", file, "cut off before the file was closed"),
    ];
    assert_eq!(named, expected);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
}

fn copy(from: u32, offset: u64, length: u64, to: u32, at: u64) -> Vec<u8> {
    extended("copy-data", &[&handle(from), &offset.to_be_bytes(), &length.to_be_bytes(), &handle(to), &at.to_be_bytes()])
}

#[test]
fn a_file_is_copied_inside_the_device_and_told_before() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let data: Vec<u8> = (0..700_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(&one, &data).unwrap();
    let opened = [open_with(1, &one, OpenFlags::READ), open_with(2, &other, NEW)];
    let (replies, told) = run(true, &[&opened[..], &[copy(0, 0, 0, 1, 0), close(0), close(1)]].concat());
    assert_eq!(code(&replies[2]), Code::Ok as u32);
    assert!(fs::read(&other).unwrap() == data);
    assert_eq!((told[2].op.as_str(), told[2].path.as_str(), told[2].to.as_deref()), ("copy", one.to_str().unwrap(), other.to_str()));
    let hash = sha256_hex(&data);
    assert_eq!(transfers(&told), [("read", Some(700_000), Some(hash.as_str())), ("write", Some(700_000), Some(hash.as_str()))]);
    // A part of it, to another place; then a file behind its own end, which must come to an end.
    let opened = [open_with(1, &one, OpenFlags::READ), open_with(2, &other, OpenFlags::WRITE), open_with(3, &one, OpenFlags::WRITE)];
    let (replies, _) = run(true, &[&opened[..], &[copy(0, 10, 5, 1, 2), copy(0, 0, 0, 2, 700_000), copy(0, 0, 0, 0, 0)]].concat());
    assert_eq!([&replies[3], &replies[4], &replies[5]].map(code), [Code::Ok as u32, Code::Ok as u32, Code::Failure as u32]);
    assert_eq!((&fs::read(&other).unwrap()[..8], fs::metadata(&one).unwrap().len()), (&[0, 1, 10, 11, 12, 13, 14, 7][..], 1_400_000));
}

#[test]
fn a_link_is_set_itself_and_what_it_leads_to_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("f"), dir.path().join("l"));
    fs::write(&file, "x").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let (name, real) = (string(link.as_os_str().as_bytes()), string(file.as_os_str().as_bytes()));
    let times = [8u32, 1_000_000, 2_000_000].map(u32::to_be_bytes).concat();
    let mode = [4u32, 0o600].map(u32::to_be_bytes).concat();
    let lsetstat = |name: &[u8], attributes: &[u8]| extended("lsetstat@openssh.com", &[name, attributes]);
    let before = fs::metadata(&file).unwrap().mtime();
    let (replies, _) = run(true, &[lsetstat(&name, &times), lsetstat(&name, &mode), lsetstat(&real, &mode)]);
    assert_eq!([&replies[0], &replies[1], &replies[2]].map(code), [Code::Ok as u32, Code::Unsupported as u32, Code::Ok as u32]);
    assert_eq!((fs::symlink_metadata(&link).unwrap().mtime(), fs::metadata(&file).unwrap().mtime()), (2_000_000, before));
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let (replies, told) = run(true, &[open_with(1, &path, OpenFlags::READ), open_with(2, &path, OpenFlags::WRITE)]);
    assert_eq!([&replies[0], &replies[1]].map(code), [Code::Failure as u32; 2]);
    assert!(told.iter().all(|told| told.result == "a named pipe can't be transferred"), "{told:?}");
}

#[test]
fn what_the_system_says_is_said_in_codes_and_words() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    fs::write(&file, "x").unwrap();
    let at = |path: &Path| string(path.as_os_str().as_bytes());
    let looped = dir.path().join("loop");
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    for (request, expected, words) in [
        (packet(17, 1, &[&at(&dir.path().join("none"))]), Code::NoSuchFile, "No such file or directory"),
        (packet(17, 1, &[&at(&file.join("x"))]), Code::NoSuchFile, "Not a directory"),
        (packet(17, 1, &[&at(&looped)]), Code::NoSuchFile, "Too many levels of symbolic links"),
        (packet(15, 1, &[&at(dir.path())]), Code::Failure, "Directory not empty"),
        (packet(14, 1, &[&at(&file), &NO_ATTRIBUTES]), Code::Failure, "File exists"),
        (read_at(7, 0, 1), Code::Failure, "there is no such handle"),
        (packet(4, 1, &[&string(b"other")]), Code::Failure, "there is no such handle"),
        (packet(4, 1, &[&string(b"too long")[..5]]), Code::BadMessage, "the request can't be read"),
        (extended("other@example.org", &[]), Code::Unsupported, "this operation is not served"),
        (extended("expand-path@openssh.com", &[&string(b"~no-such-account/x")]), Code::NoSuchFile, "there is no such account"),
    ] {
        let (replies, _) = run(true, &[request]);
        assert_eq!(code(&replies[0]), expected as u32, "{words}");
        let text = String::from_utf8_lossy(&replies[0].1[8..]).into_owned();
        assert!(text.starts_with(words) && !text.contains("os error"), "{text}");
    }
}

#[test]
fn there_is_a_bound_of_handles_and_nothing_is_made_beyond_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = |n: usize| dir.path().join(n.to_string());
    let opened: Vec<_> = (0..=MAX_HANDLES).map(|n| open_with(1, &path(n), NEW)).collect();
    let (replies, _) = run(true, &[&opened[..], &[close(5), open_with(1, &path(500), NEW)]].concat());
    assert_eq!(code(&replies[MAX_HANDLES]), Code::Failure as u32);
    assert!(!path(MAX_HANDLES).exists());
    assert_eq!(replies[MAX_HANDLES + 2], (102, handle(u32::try_from(MAX_HANDLES).unwrap())), "one was closed");
}

#[test]
fn extensions_answer_as_openssh_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("f"), dir.path().join("l"));
    fs::write(&file, "x").unwrap();
    let at = |path: &Path| string(path.as_os_str().as_bytes());
    let (own, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let ids = string(&[own.to_be_bytes(), u32::MAX.to_be_bytes()].concat());
    let (replies, told) = run(
        true,
        &[
            packet(1, 3, &[]),
            extended("statvfs@openssh.com", &[&at(dir.path())]),
            extended("hardlink@openssh.com", &[&at(&file), &at(&link)]),
            extended("users-groups-by-id@openssh.com", &[&ids, &string(&group.to_be_bytes())]),
            extended("home-directory", &[&string(b"")]),
            extended("expand-path@openssh.com", &[&string(b"~")]),
            extended("expand-path@openssh.com", &[&string(b"~daemon/x")]),
            extended("limits@openssh.com", &[]),
        ],
    );
    for (name, version) in wire::EXTENSIONS {
        let pair = [string(name.as_bytes()), string(version.as_bytes())].concat();
        assert!(replies[0].1.windows(pair.len()).any(|part| part == pair), "{name} is offered");
    }
    let vfs = statvfs(dir.path()).unwrap();
    let all = numbers_of(&replies[1]);
    assert_eq!(all.len(), 11);
    assert_eq!((all[0], all[1], all[2], all[10]), (vfs.f_bsize, vfs.f_frsize, vfs.f_blocks, vfs.f_namemax));
    assert_eq!(fs::metadata(&link).unwrap().ino(), fs::metadata(&file).unwrap().ino());
    assert_eq!((told[0].op.as_str(), told[0].path.as_str(), told[0].to.as_deref()), ("link", link.to_str().unwrap(), file.to_str()));
    let accounts = Accounts::read();
    let users = [string(accounts.user(own).unwrap().as_bytes()), string(b"")].concat();
    let groups = string(accounts.group(group).unwrap().as_bytes());
    assert_eq!(replies[3], (201, [string(&users), string(&groups)].concat()));
    let here = string(std::env::current_dir().unwrap().as_os_str().as_bytes());
    assert!(replies[4].1[4..].starts_with(&here) && replies[5].1[4..].starts_with(&here));
    let other = fs::canonicalize(accounts.home("daemon").unwrap()).unwrap().join("x");
    assert!(replies[6].1[4..].starts_with(&string(other.as_os_str().as_bytes())));
    assert_eq!(numbers_of(&replies[7]), [MAX_PACKET, MAX_PACKET - 1024, MAX_PACKET - 1024, MAX_HANDLES as u64]);
}
