use super::*;
use lineman_common::api::{ArriveAs, CaseText};

fn item(number: u32, version: u32, steps: &str) -> CaseItem {
    let mut item = CaseItem {
        id: Some(format!("cas_0193f0a000007000800000000000{number:04}").parse().unwrap()),
        number: Some(CaseNumber(number)),
        version: Some(version),
        ..CaseItem::default()
    };
    item.body.en = Some(CaseText { title: "fan".into(), steps: steps.into(), ..CaseText::default() });
    item
}

struct Kept(tempfile::TempDir);

impl Kept {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn export(&self, items: &[CaseItem]) -> Vec<Wrote> {
        let written = Folder::open(self.0.path(), true).unwrap().take(items, &[], true, false).unwrap();
        written.into_iter().map(|file| file.what).collect()
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.0.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap()
    }
}

#[test]
fn an_export_twice_changes_nothing_and_a_newer_version_comes_in() {
    let kept = Kept::new();
    assert_eq!(kept.export(&[item(1, 1, "a"), item(2, 1, "b")]), [Wrote::New, Wrote::New]);
    let before = (kept.text("C-0001.md"), kept.text(MANIFEST));
    assert_eq!(kept.export(&[item(1, 1, "a"), item(2, 1, "b")]), [Wrote::Same, Wrote::Same]);
    assert_eq!(before, (kept.text("C-0001.md"), kept.text(MANIFEST)));
    assert_eq!(kept.export(&[item(1, 2, "newer"), item(2, 1, "b")]), [Wrote::Updated, Wrote::Same]);
    assert!(kept.text("C-0001.md").contains("newer"));
}

#[test]
fn what_was_changed_here_is_never_written_over() {
    let kept = Kept::new();
    kept.export(&[item(1, 1, "a"), item(2, 1, "b")]);
    kept.edit("C-0001.md", "\na\n", "\nmine\n");
    assert_eq!(kept.export(&[item(1, 1, "a"), item(2, 1, "b")]), [Wrote::Edited, Wrote::Same]);
    assert_eq!(kept.export(&[item(1, 2, "theirs"), item(2, 1, "b")]), [Wrote::Conflict, Wrote::Same]);
    assert!(kept.text("C-0001.md").contains("mine"));
    // Out of use there, changed here.
    assert_eq!(kept.export(&[item(2, 1, "b")]), [Wrote::Same, Wrote::Conflict]);
    assert!(kept.text("C-0001.md").contains("mine"));
}

#[test]
fn deletions_are_told_on_both_sides() {
    let kept = Kept::new();
    kept.export(&[item(1, 1, "a"), item(2, 1, "b"), item(3, 1, "c")]);
    fs::remove_file(kept.0.path().join("C-0001.md")).unwrap();
    let folder = Folder::open(kept.0.path(), false).unwrap();
    let missing = folder.missing();
    assert_eq!(missing.iter().map(|gone| (gone.number.0, gone.pruned.version)).collect::<Vec<_>>(), [(1, 1)]);
    // The library has 1 still and 2 no longer.
    assert_eq!(kept.export(&[item(1, 1, "a"), item(3, 1, "c")]), [Wrote::Deleted, Wrote::Same, Wrote::Removed]);
    assert!(!kept.0.path().join("C-0002.md").exists());
    let restored = Folder::open(kept.0.path(), true).unwrap().take(&[item(1, 1, "a"), item(3, 1, "c")], &[], true, true).unwrap();
    assert_eq!(restored[0].what, Wrote::New);
}

#[test]
fn a_renamed_file_is_the_same_case() {
    let kept = Kept::new();
    kept.export(&[item(1, 1, "a")]);
    fs::create_dir(kept.0.path().join("fans")).unwrap();
    fs::rename(kept.0.path().join("C-0001.md"), kept.0.path().join("fans/stopped.md")).unwrap();
    assert!(Folder::open(kept.0.path(), false).unwrap().missing().is_empty());
    assert_eq!(kept.export(&[item(1, 2, "newer")]), [Wrote::Updated]);
    assert!(kept.text("fans/stopped.md").contains("newer") && !kept.0.path().join("C-0001.md").exists());
}

#[test]
fn an_import_writes_into_the_files_what_the_library_calls_them() {
    let kept = Kept::new();
    fs::write(kept.0.path().join("new.md"), "+++\n+++\n# fan\n## Steps\nturn it\n").unwrap();
    fs::write(kept.0.path().join("README.md"), "what this is\n").unwrap();
    let mut folder = Folder::open(kept.0.path(), false).unwrap();
    let entries = folder.entries().unwrap();
    assert_eq!(entries.len(), 1);
    let parts = Import::of(entries.clone(), Vec::new(), ArriveAs::Wip);
    let known = item(7, 1, "turn it");
    let case = PlannedCase {
        place: entries[0].place.clone(),
        verdict: ImportVerdict::New,
        id: known.id,
        number: known.number,
        version: Some(1),
        title: "fan".into(),
        state: Some(lineman_common::api::CaseState::Wip),
        changes: Vec::new(),
        reason: None,
        warnings: Vec::new(),
        library: None,
        updated_at: None,
    };
    folder.agree(std::slice::from_ref(&case), &parts).unwrap();
    let text = kept.text("new.md");
    assert!(text.contains("number = \"C-0007\"") && text.contains("version = 1") && text.contains("turn it"), "{text}");
    assert_eq!(kept.export(&[CaseItem { state: case.state, ..known }]), [Wrote::Same]);
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let id = "cas_0193f0a0000070008000000000000001";
    for file in ["../x.md", "/etc/x.md", "a/../../x.md"] {
        let line = format!("C-0001\t{id}\t1\t{}\t{file}\n", "0".repeat(64));
        assert_eq!(read_manifest(&line).err(), Some(1), "{file}");
    }
    // A link is not followed, and not written through.
    let (kept, outside) = (Kept::new(), tempfile::tempdir().unwrap());
    let target = outside.path().join("target.md");
    fs::write(&target, "mine").unwrap();
    std::os::unix::fs::symlink(&target, kept.0.path().join("C-0001.md")).unwrap();
    assert_eq!(kept.export(&[item(1, 1, "a")]), [Wrote::Conflict]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
}

#[test]
fn a_file_that_can_not_be_read_costs_its_case_alone() {
    let kept = Kept::new();
    kept.export(&[item(1, 1, "a"), item(2, 1, "b")]);
    fs::write(kept.0.path().join("C-0001.md"), b"+++\n\xff\xff").unwrap();
    let folder = Folder::open(kept.0.path(), false).unwrap();
    let entries = folder.entries().unwrap();
    assert_eq!(entries.iter().map(|entry| entry.item.is_ok()).collect::<Vec<_>>(), [false, true]);
    assert!(folder.missing().is_empty(), "its file is there");
    assert_eq!(kept.export(&[item(1, 2, "x"), item(2, 1, "b")]), [Wrote::Conflict, Wrote::Same]);
}
