//! Files: `scp` in both of its protocols, `sftp`, `rsync`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use lineman_tests::{Demo, Process, eventually};

use super::ALL;

/// Bytes that no compression and no delta makes fewer, the same every time.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(length).collect()
}

fn same(one: &Path, other: &Path) {
    let read = |path: &Path| fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(read(one) == read(other), "{} and {} differ", one.display(), other.display());
}

pub fn scp_copies_both_ways_in_both_protocols() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    fs::write(inside.here("a.bin"), noise(3_000_000)).expect("a file");
    inside.script("touch -d 2020-02-02T02:02:02Z a.bin; chmod 640 a.bin").ok();
    inside.script("mkdir -p tree/d/e; echo 一 > tree/d/e/f; echo 2 > 'tree/with space'; : > tree/empty").ok();
    for (by, option, tag) in [(inside.clone(), "-s", "sftp"), (inside.by_jump(), "-O", "legacy")] {
        // Content, mode and times; there and back.
        by.script(&format!("scp -q {option} -F $F -p a.bin $NE:{tag}.bin && scp -q {option} -F $F -p $NE:{tag}.bin back.{tag}")).ok();
        for copy in [inside.there(&format!("{tag}.bin")), inside.here(&format!("back.{tag}"))] {
            same(&inside.here("a.bin"), &copy);
            let meta = fs::metadata(&copy).expect("the copy");
            assert_eq!((meta.permissions().mode() & 0o777, meta.mtime()), (0o640, 1_580_608_922), "{}", copy.display());
        }
        // Trees.
        by.script(&format!(
            "scp -q {option} -F $F -r tree $NE:{tag} && scp -q {option} -F $F -r $NE:{tag} tree.{tag} && diff -r tree tree.{tag}"
        ))
        .ok();
        by.script(&format!("scp -q {option} -F $F $NE:'{tag}/e*' $NE:'{tag}/with*' .")).ok();
        same(&inside.here("tree/with space"), &inside.here("with space"));
        // What isn't there and where one may not write, with the exit code that scripts look at.
        by.script(&format!("scp {option} -F $F $NE:nothing . || echo code-$?")).ok().says("No such file").says("code-1");
        by.script(&format!("scp {option} -F $F a.bin $NE:/root/x || echo code-$?")).ok().says("ermission denied").says("code-1");
    }
    let recorded = inside.recorded(16);
    for said in ["write", "sftp.bin", "scp -p -t legacy.bin", "scp -p -f legacy.bin", "scp -r -t legacy"] {
        assert!(recorded.contains(said), "`{said}` is not in the recordings: {recorded}");
    }
}

pub fn sftp_does_what_people_type() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    fs::write(inside.here("file"), noise(2_000_000)).expect("a file");
    inside.script("mkdir -p tree/d/e; echo 一 > tree/d/e/f; echo 2 > 'tree/with space'").ok();
    let batch = "mkdir d\nput file d/one\nls -l d\nrename d/one d/two\nchmod 600 d/two\nln -s two d/link\nln d/two d/hard\nput -r tree d/\n\
                 get -r d/tree got\nget d/link linked\nls -la d\nrm d/hard\ndf -h\ncp d/two d/copy\n-cd /nowhere\n-get /etc/shadow\n-mkdir /root/x\n";
    fs::write(inside.here("batch"), batch).expect("a file");
    let sftp = inside.script("sftp -F $F -b batch $NE").ok();
    sftp.says("stat remote: No such file").says("\"/etc/shadow\": Permission denied").says("\"/root/x\": Permission denied");
    for copy in [inside.here("linked"), inside.here("file"), inside.there("d/copy")] {
        same(&inside.there("d/two"), &copy);
    }
    // `~` is the account's, and so are the owners' names.
    inside.script("scp -q -F $F $NE:'~/d/two' home && cmp home file").ok();
    let account = inside.ssh(&[&inside.ne, "id -un"]).ok().stdout;
    inside.script("echo 'ls -l d/two' | sftp -q -F $F -b - $NE").ok().says(&format!(" {} ", account.trim()));
    inside.script("diff -r tree got").ok();
    assert_eq!(fs::metadata(inside.there("d/two")).expect("two").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_link(inside.there("d/link")).expect("a link").to_str(), Some("two"));
    assert!(!inside.there("d/hard").exists() && !inside.there("d/one").exists());

    // What broke off goes on where it was.
    let whole = fs::read(inside.here("file")).expect("the file");
    fs::write(inside.here("reget"), &whole[..700_000]).expect("a part");
    inside.script("head -c 900000 file | ssh -F $F $NE 'cat > d/reput'; cp file reput").ok();
    let resumed = inside.script("printf 'reget d/two reget\\nreput reput d/reput\\n' | sftp -F $F -b - $NE");
    resumed.ok();
    same(&inside.here("reget"), &inside.here("file"));
    same(&inside.there("d/reput"), &inside.here("file"));

    let recorded = inside.recorded(6);
    for said in ["sftp write", "/d/one (2000000 bytes)", "rename", "/etc/shadow", "/d/two (1300000 bytes)"] {
        assert!(recorded.contains(said), "`{said}` is not in the recordings: {recorded}");
    }
}

/// Every way that sftp has to change something fails under `sftp-read`, and says why; reading goes on.
pub fn reading_only_changes_nothing() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", "sftp-read");
    let before = demo.element("ne-1");
    let listing =
        || lineman_tests::run(std::process::Command::new("find").arg(&before).args(["-printf", "%P %y %m %s %T@ %l\n"])).ok().stdout;
    fs::write(inside.here("x"), "x").expect("a file");
    // As the account could; what the element itself changes (its sensors and logs) is left alone here.
    let seen = listing();
    let wishes = [
        "put x new",
        "put x sensors/fan-2.speed_rpm",
        "put -r x newer",
        "reput x logs/ne.log",
        "rm logs/ne.log",
        "mkdir dir",
        "rmdir operator",
        "rename .profile .other",
        "rename -l .profile .other",
        "chmod 777 .profile",
        "chown 0 .profile",
        "chgrp 0 .profile",
        "ln -s .profile link",
        "ln .profile hard",
    ];
    let batch = wishes.join("\n-");
    fs::write(inside.here("batch"), format!("-{batch}\nget bin/ne ne\n")).expect("a file");
    let sftp = inside.script("sftp -F $F -b batch $NE").ok();
    assert_eq!(listing(), seen, "something changed: {sftp:?}");
    same(&inside.here("ne"), &inside.there("bin/ne"));
    assert!(sftp.stderr.lines().filter(|line| !line.trim().is_empty()).count() >= wishes.len(), "each is answered: {sftp:?}");
    // And there is no other way in.
    inside.ssh(&[&inside.ne, "touch new"]).exits(255).says("no door `exec`");
    inside.script("rsync -a x $NE:x || echo code-$?").ok().says("no door `exec`");
    assert_eq!(listing(), seen);
}

pub fn rsync_brings_trees_in_step() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    for number in 0..2_000 {
        let folder = inside.here(&format!("tree/{}", number % 20));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(number.to_string()), format!("file {number}\n")).expect("a file");
    }
    let there = inside.there("copy");
    let differs = format!("diff -r tree {}", there.display());
    let up = inside.script("rsync -a --stats tree/ $NE:copy/").ok();
    up.says("files transferred: 2,000");
    inside.script(&differs).ok();
    // Again: nothing.
    assert_eq!(inside.script("rsync -ai tree/ $NE:copy/").ok().stdout, "");
    // What is gone here goes there, and what is changed there comes back.
    inside.script("rm -r tree/3; echo more >> tree/4/4").ok();
    assert_eq!(inside.script("rsync -ai --delete tree/ $NE:copy/ | grep -vc '^\\.d'").ok().stdout.trim(), "102");
    inside.script(&differs).ok();
    inside.by_jump().script("rsync -a $NE:copy/ back/ && diff -r tree back").ok();
    assert_eq!(inside.script("rsync -ai --delete $NE:copy/ back/").ok().stdout, "");
    inside.script("rsync -a --delete $NE:copy/1/ back/ && diff -r tree/1 back").ok();
    // Packed on the way, and where only the content decides.
    inside.by_jump().script("rsync -az --checksum tree/ $NE:packed/").ok();
    inside.by_jump().script("rsync -aci tree/ $NE:packed/").ok();
    let sessions = inside.recorded(8);
    assert!(sessions.matches("rsync --server").count() == 8, "{}", sessions.len());
}

/// Killed in the middle, the second run takes what is there already.
pub fn rsync_goes_on_where_it_was_killed() {
    const SIZE: usize = 60_000_000;
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    fs::write(inside.here("big"), noise(SIZE)).expect("a file");
    let mut first = Process::spawn(inside.command("rsync").args([
        "-a",
        "--partial",
        "--inplace",
        "--bwlimit=20m",
        "big",
        &format!("{}:big.there", inside.ne),
    ]));
    eventually("a part has come", || {
        let come = fs::metadata(inside.there("big.there")).map_or(0, |meta| meta.len());
        if come > 8_000_000 { Ok(()) } else { Err(come.to_string()) }
    });
    let pid = rustix::process::Pid::from_child(&first.0);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    first.0.wait().expect("its end");
    inside.sessions(1);
    let part = fs::metadata(inside.there("big.there")).expect("what came").len();
    assert!((1..SIZE as u64).contains(&part), "{part}");
    let second = inside.script("rsync -a --partial --stats big $NE:big.there").ok().stdout;
    same(&inside.here("big"), &inside.there("big.there"));
    let matched = second.lines().find_map(|line| line.strip_prefix("Matched data: ")?.strip_suffix(" bytes")).expect("what it says");
    assert!(matched.replace(',', "").parse::<u64>().expect("a number") > 4_000_000, "{part} were there, {second}");
}
