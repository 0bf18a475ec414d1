//! An engineer's day: two on one device at the same time, each under a consent of their own.

use lineman_tests::{Demo, Process, eventually};

pub fn two_engineers_work_on_one_device_each_under_their_own_consent() {
    const NE: &str = "ne-1.jw.ne";
    let demo = Demo::up(1);
    let first = demo.let_in_as("engineer-a", NE, "shell,exec,sftp-read,sftp-write");
    let second = demo.let_in_as("engineer-b", NE, "exec,sftp-read");
    let mut working = Process::spawn(
        first.command("ssh").arg("-F").arg(&first.config).args([NE, "echo a > a; until [ -e enough ]; do sleep 0.2; done; exit 6"]),
    );
    eventually("the first works", || std::fs::metadata(first.there("a")).map_err(|e| e.to_string()));
    // The second has the doors of the second consent, while the first is inside.
    second.ssh(&[NE, "cat a"]).ok().says("a");
    second.ssh(&["-tt", NE]).exits(255).says("no door `shell`");
    second.script("scp -F $F $NE:a fetched && ! scp -F $F fetched $NE:b").ok().says("reading files only");
    first.script("scp -F $F $F $NE:config.txt").ok();
    // The second's ends; the first goes on.
    demo.person("noc-jw").args(["consent", "revoke", &second.consent, "--reason", "enough", "--yes"]).output().ok();
    second.ssh(&[NE, "true"]).exits(255).says("refuses");
    first.ssh(&[NE, "touch enough"]).ok();
    assert_eq!(working.0.wait().expect("its end").code(), Some(6));
    // Each has a record of their own: who did what.
    let (of_first, of_second) = (first.recorded(3), second.recorded(4));
    assert!(of_first.contains("echo a > a") && of_first.contains("config.txt") && !of_first.contains("cat a\n"), "{of_first}");
    assert!(of_second.contains("cat a") && !of_second.contains("enough"), "{of_second}");
    for (inside, engineer, count) in [(&first, "engineer-a", 3), (&second, "engineer-b", 4)] {
        assert!(inside.sessions(count).iter().all(|session| session["engineer"] == engineer));
    }
}
