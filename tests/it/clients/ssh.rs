//! `ssh`: commands, their input and output, and their end.

use lineman_tests::{Demo, Inside};

use super::ALL;

/// Input and output end as they do at home, and the exit code is the command's own.
pub fn commands_end_as_they_do_at_home() {
    let demo = Demo::up(2);
    commands_end(&demo.let_in("ne-1.jw.ne", ALL));
    commands_end(&demo.let_in("ne-2.yw.ne", ALL).by_jump());
}

fn commands_end(inside: &Inside<'_>) {
    // It reads one byte of many, and both sides end.
    inside.script("yes | ssh -F $F $NE 'head -c1; exit 7' || echo ${PIPESTATUS[@]}").ok().says("y141 7");
    // The end of its input is not the end of its output.
    let sorted = inside.script("printf 'b\\na\\n' | ssh -F $F $NE 'sort; echo sorted; exit 3' || echo $?").ok();
    assert_eq!(sorted.stdout, "a\nb\nsorted\n3\n");
    // Whoever looks at the first line only waits for the command, as it was asked to; its work is done to the end.
    let first = inside.script("ssh -F $F $NE 'echo 1; sleep 0.3; echo 2; sleep 0.3; echo 3; echo over > over' | head -1").ok();
    assert_eq!(first.stdout, "1\n");
    assert_eq!(std::fs::read_to_string(inside.there("over")).expect("what the command wrote"), "over\n");
    // All that was said before the end arrives before the exit code, on both outputs.
    let flood = "head -c 700000 /dev/zero >&2; head -c 900000 /dev/zero; exit 200";
    let sizes = inside.script(&format!("ssh -F $F $NE '{flood}' > out 2> err || echo $? $(stat -c %s out err)")).ok();
    assert_eq!(sizes.stdout, "200 900000 700000\n");
    for (command, code) in [("true", 0), ("exit 255", 255), ("kill -KILL $$", 255), ("kill -HUP $$", 255), ("/no/such/program", 127)] {
        inside.ssh(&[&inside.ne, command]).exits(code);
    }
    // A shell on a terminal, fed from a pipe; a command on a terminal.
    inside.script("printf 'echo hi-$((1+1))\\nexit 4\\n' | ssh -tt -F $F $NE || echo code-$?").ok().says("hi-2").says("code-4");
    inside.ssh(&["-tt", &inside.ne, "test -t 0 -a -t 1 -a -t 2 && exit 9"]).exits(9);
    // The language goes with it, the rest of the environment stays here.
    let env = "LC_TIME=zh_CN.UTF-8 SECRET=x ssh -o SendEnv='LC_TIME SECRET' -F $F $NE 'echo $LC_TIME-$SECRET'";
    assert_eq!(inside.script(env).ok().stdout, "zh_CN.UTF-8-\n");

    let recorded = inside.recorded(12);
    for said in ["head -c1", "sorted", "echo over > over", "hi-2", "kill -KILL", "zh_CN.UTF-8-"] {
        assert!(recorded.contains(said), "`{said}` is not in the recordings: {recorded}");
    }
}
