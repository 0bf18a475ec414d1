//! What no consent opens, or this one doesn't: refused in words, and the session goes on.

use lineman_tests::Demo;

use super::ALL;

pub fn other_ways_are_refused_in_words_and_the_session_goes_on() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL).by_jump();
    let ne = inside.ne.as_str();

    // Screen, keys, ways back.
    let x11 = inside.script("DISPLAY=:9 ssh -X -F $F $NE 'echo on-$DISPLAY; exit 3' || echo code-$?").ok();
    x11.says("X11 forwarding is refused").says("on-\n").says("code-3");
    let agent =
        "eval $(ssh-agent) > /dev/null; trap 'kill $SSH_AGENT_PID' EXIT\nssh -A -F $F $NE 'echo on-$SSH_AUTH_SOCK; exit 4' || echo code-$?";
    inside.script(agent).ok().says("forwarding of your SSH agent is refused").says("on-\n").says("code-4");
    inside.ssh(&["-R", "0:localhost:80", ne, "exit 5"]).exits(5).says("remote forwarding (ssh -R) is refused");
    inside.ssh(&["-o", "ExitOnForwardFailure=yes", "-R", "0:localhost:80", ne, "true"]).exits(255);
    inside.ssh(&["-s", ne, "netconf"]).exits(255).says("subsystem request failed");

    // A forward that the consent does not name; asked for in the middle of a session, which goes on.
    let sockets = inside.script(
        "ssh -F $F -o ControlMaster=yes -o ControlPath=s -o ControlPersist=yes $NE true 2> /dev/null\n\
         ssh -F $F -o ControlPath=s -W 127.0.0.1:80 $NE 2>&1 < /dev/null || echo code-$?\n\
         ssh -F $F -o ControlPath=s $NE echo goes-on\n\
         ssh -F $F -o ControlPath=s -O exit $NE",
    );
    sockets.ok().says("code-255").says("goes-on");
    inside.ssh(&["-W", "127.0.0.1:80", ne]).exits(255).says("no door `forward:127.0.0.1:80`");

    let recorded = inside.recorded(7);
    for noted in ["X11 forwarding is refused", "SSH agent is refused", "remote forwarding (ssh -R) is refused", "goes-on"] {
        assert!(recorded.contains(noted), "`{noted}` is not in the recordings: {recorded}");
    }
}

/// mosh would leave the session for UDP of its own: it is told so, with what to use in its place.
pub fn mosh_is_refused_in_words() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    // What the mosh script runs.
    for command in ["mosh-server new -c 256 -s -l LANG=en_US.UTF-8", "mosh-server 'new' '-s'", "/usr/bin/mosh-server new"] {
        let refused = inside.ssh(&["-n", "-tt", &inside.ne, "--", command]);
        assert!(!matches!(refused.code, Some(0 | 127)), "{refused:?}");
        refused.says("mosh is refused").says("ssh");
    }
    // Words that only mention it are a command like any other.
    inside.ssh(&[&inside.ne, "echo mosh-server"]).ok().says("mosh-server");
}
