//! Programs of engineers: paramiko, Python's SSH, which most of them are written with.

use lineman_tests::Demo;

use super::ALL;

/// The script says what was wrong, line by line; here it counts that all was as it should be.
pub fn a_program_works_through_the_gateway() {
    let demo = Demo::up(1);
    let inside = demo.let_in("ne-1.jw.ne", ALL);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/clients/program.py");
    let mut python = inside.command("/usr/bin/python3");
    lineman_tests::run(python.args(["-B", script]).arg(&inside.by_jump().config).arg(&inside.config).arg(&inside.ne))
        .ok()
        .says("all as it should be");
    let recorded = inside.recorded(3);
    for said in ["echo out; echo err >&2; cat; exit 7", "blob (3000000 bytes)", "40 120"] {
        assert!(recorded.contains(said), "`{said}` is not in the recordings: {recorded}");
    }
}
