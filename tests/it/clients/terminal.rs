//! Work on a terminal: a person is played by `expect`, in front of programs that draw.

use std::fmt::Write as _;
use std::fs;

use lineman_tests::{Demo, eventually};

use super::ALL;

/// Log in, run, interrupt, leave; and what a person sees is what the recording shows.
pub fn a_person_works_in_a_shell() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    let script = r#"
        spawn ssh -F $F $NE
        expect -re {\$ $}
        send "stty size; echo \$TERM\r"; expect "30 100\r\nxterm-256color\r\n"; expect -re {\$ $}
        for {set n 1} {$n <= 40} {incr n} { stty rows [expr 20 + $n] columns [expr 80 + $n] < $spawn_out(slave,name) }
        send "until stty size | grep -x '60 120'; do sleep 0.1; done\r"; expect "60 120\r\n"; expect -re {\$ $}
        send "echo 风扇-\$((40+2))\r"; expect "风扇-42\r\n"; expect -re {\$ $}
        send "yes\r"; expect "y\r\ny\r\ny"
        send "\003"; expect -re {\^C.*\$ $}
        send "echo after-\$?\r"; expect "after-130"; expect -re {\$ $}
        send "sh -c 'echo began-\$((40+2)); exec sleep 600'\r"; expect "began-42"; send "\032"; expect "Stopped"; expect -re {\$ $}
        send "kill %1; wait\r"; expect -re {\$ $}
        send "read -s -p 'na''me: ' x; echo got-\$x\r"; expect "name: "; send "hidden-word\r"; expect "got-hidden-word"; expect -re {\$ $}
        send "echo reads-\$((40+2)); cat\r"; expect "reads-42"; send "line\r"; expect "line\r\nline"; send "\004"; expect -re {\$ $}
        send "exit 6\r"; expect eof
        exit [lindex [wait] 3]
    "#;
    inside.expect(script).exits(6);
    let recorded = inside.recorded(1);
    for seen in ["60 120", "风扇-42", "after-130", "Stopped"] {
        assert!(recorded.contains(seen), "`{seen}` is not in the recording: {recorded}");
    }
}

/// tmux with a session that is left and taken up again, also from another connection; it ends with the consent.
pub fn tmux_is_left_and_taken_up_again() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL).by_jump();
    // A socket of its own: other tests' tmux may run under the same account.
    let script = r#"
        spawn ssh -F $F $NE
        expect -re {\$ $}
        send "tmux -S tmux.sock -f /dev/null new -s work\r"; expect -ex {[work]}
        send "echo in-tmux-\$((40+2))\r"; expect "in-tmux-42"
        send "\002d"; expect "detached (from session work)"; expect -re {\$ $}
        send "tmux -S tmux.sock attach -t work\r"; expect "in-tmux-42"; expect -ex {[work]}
        send "\002d"; expect "detached"; expect -re {\$ $}
        send "exit\r"; expect eof; wait
        spawn ssh -tt -F $F $NE tmux -S tmux.sock attach -t work
        expect "in-tmux-42"
        send "exit\r"; expect "exited"; expect eof
        exit [lindex [wait] 3]
    "#;
    inside.expect(script).exits(0);
    let recorded = inside.recorded(2);
    assert!(recorded.contains("in-tmux-42"), "{recorded}");
    // One that is left behind goes when the consent goes.
    let left = "tmux -S tmux.sock -f /dev/null new -d -s left; tmux -S tmux.sock display -p '#{pid}'";
    let pid = inside.ssh(&[&inside.ne, left]).ok().stdout.trim().to_owned();
    inside.sessions(3);
    let process = std::path::Path::new("/proc").join(&pid);
    assert!(process.exists() && !pid.is_empty(), "`{pid}` went with its connection");
    demo.person("noc-jw").args(["consent", "revoke", &inside.consent, "--reason", "enough", "--yes"]).output().ok();
    eventually("what was left behind is gone", || if process.exists() { Err(pid.clone()) } else { Ok(()) });
}

/// Programs that draw the whole screen: an editor, a pager, top.
pub fn programs_that_draw_the_screen() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    let script = r#"
        spawn ssh -F $F $NE
        expect -re {\$ $}
        send "vi -u NONE edited.txt\r"; expect "edited.txt"
        send "ifirst line\rzwei: ü 你好\033"; expect "你好"
        send "yyp:s/zwei/drei/\r:wq\r"; expect "written"; expect -re {\$ $}
        send "htop\r"; expect "Load average"; send "q"; expect -re {\$ $}
        send "top\r"; expect "load average"; expect "PID"; send "q"; expect -re {\$ $}
        send "seq 1000 | less\r"; expect "\r\n25\r\n"; send "G"; expect "1000"; send "q"; expect -re {\$ $}
        send "exit 6\r"; expect eof
        exit [lindex [wait] 3]
    "#;
    inside.expect(script).exits(6);
    let edited = fs::read_to_string(inside.there("edited.txt")).expect("what was edited");
    assert_eq!(edited, "first line\nzwei: ü 你好\ndrei: ü 你好\n");
    assert!(inside.recorded(1).contains("load average"));
}

/// Ten thousand lines pasted into a terminal arrive as they were, in the file and on the screen.
pub fn ten_thousand_lines_are_pasted() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL).by_jump();
    let mut text = String::new();
    for number in 1..=10_000 {
        writeln!(text, "{number} set port-{number} description \"上联 \\ $(not run) `nor this`\"; commit").expect("a string grows");
    }
    fs::write(inside.here("lines"), &text).expect("a file");
    let script = r#"
        spawn ssh -F $F $NE
        expect -re {\$ $}
        send "cat > pasted\r"; expect "\n"
        set file [open lines]; fconfigure $file -encoding utf-8; set text [read $file]
        log_user 0
        send -- $text
        send "\004"
        # Each of 700,000 characters comes back, and expect looks at them all: on a busy machine that takes its time.
        set timeout 300
        expect -re {ne-1\$ $}
        set timeout 60
        log_user 1
        send "echo done-\$((1+1))\r"; expect "done-2"; expect -re {\$ $}
        send "exit\r"; expect eof
        exit [lindex [wait] 3]
    "#;
    inside.expect(script).exits(0);
    assert!(fs::read_to_string(inside.there("pasted")).expect("the file") == text, "what was pasted is not what arrived");
    let recorded = inside.recorded(1);
    assert!(recorded.contains("10000 set port-10000 description") && recorded.contains("done-2"), "{} bytes", recorded.len());
}
