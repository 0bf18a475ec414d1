//! docs/SECURITY.md is checked: every cell of its table says what stops the adversary, or that nothing does, and names a test that is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every `fn name(` of the project's sources.
fn functions(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

/// What stands between backticks and looks like a path to a test.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).filter(|code| code.contains("::") && !code.contains(' ')).collect()
}

pub fn every_cell_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").to_owned();
    let text = fs::read_to_string(root.join("docs/SECURITY.md")).expect("docs/SECURITY.md");
    let mut known = BTreeSet::new();
    functions(&root, &mut known);
    let missing: Vec<_> = named(&text).into_iter().filter(|test| !known.contains(test.rsplit("::").next().unwrap_or_default())).collect();
    assert!(missing.is_empty(), "docs/SECURITY.md names tests that don't exist: {missing:?}");

    let table: Vec<_> = text.lines().skip_while(|line| !line.starts_with("| adversary")).take_while(|line| line.starts_with('|')).collect();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let head = cells(table[0]);
    assert_eq!(head[1..], ["enter", "widen", "read", "impersonate the device", "forge or lose evidence", "delay a revocation"]);
    let rows: Vec<_> = table[2..].iter().map(|line| cells(line)).collect();
    assert_eq!(rows.len(), 6, "six adversaries");
    for row in &rows {
        assert_eq!(row.len(), head.len(), "{}", row[0]);
        for (cell, attack) in row[1..].iter().zip(&head[1..]) {
            assert!(!named(cell).is_empty(), "{} x {attack} names no test: `{cell}`", row[0]);
        }
    }
}
