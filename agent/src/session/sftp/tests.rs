//! The protocol, driven with bytes.

use std::cell::RefCell;
use std::os::unix::ffi::OsStrExt;
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
    Server::new(&requests.concat()[..], &mut output, tell, write).run().unwrap();
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
    assert!(Server::new(&open[..], Closed, tell, true).run().is_err());
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
    assert!(Server::new(&too_long[..], Vec::new(), tell, false).run().is_err());
    let cut = [0, 0, 0, 9, 1];
    assert!(Server::new(&cut[..], Vec::new(), tell, false).run().is_err());
}
