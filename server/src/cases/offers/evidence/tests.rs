//! Clips of recordings that a device has sent, and files that outlive the fault's own.

use lineman_common::api::{Audience, CaseBody};
use lineman_common::id::{AttachmentId, CustomerId};
use lineman_common::name::CaseNumber;
use lineman_common::recording::{Event, Flow, What};

use super::super::super::tests::{Library, actor, body, engineer};
use super::super::super::{find::Finder, library, life::merge::merge};
use super::*;
use crate::meaning::Meaning;
use crate::sessions::testing::{Centre, Inside, Recorder, at, output, shell};

/// A published case, and a recorded session of JW's with a terminal: a line each second from 1 to 9, two to a chunk.
fn recorded() -> (Library, Inside, Reference) {
    let mut centre = Centre::new();
    let inside = centre.session("ne-1.jw.ne");
    let mut library = Library { store: centre.store, finder: Finder::new(library::Library::in_memory(), Meaning::off()) };
    let public = CaseBody { audience: Audience::Customer, ..body("", "Fan tray is loud | replace it", &[], &[]) };
    let case: CaseNumber = library.add(&public);
    let mut recorder = Recorder::new(inside.id);
    let mut chunks = vec![recorder.chunk(&[at(0.0, 0, shell(80, 24))], None)];
    for second in [1, 3, 5, 7] {
        let line = |second: u32| at(f64::from(second), 0, output(&format!("line {second}\r\n")));
        chunks.push(recorder.chunk(&[line(second), line(second + 1)], None));
    }
    chunks.push(recorder.chunk(&[at(9.0, 1, output("other channel"))], None));
    library.store.write(|tx| chunks.iter().for_each(|chunk| sessions::store_chunk(tx, &inside.device, chunk.as_bytes()).unwrap()));
    (library, inside, Reference::Number(case))
}

fn clip(inside: &Inside, from_s: f64, to_s: f64) -> NewClip {
    NewClip { session: inside.id, channel: None, from_s, to_s, title: None }
}

fn said(recording: &Recording) -> String {
    let shown = |event: &Event| {
        let What::Bytes(Flow::Output, bytes) = &event.what else { return String::new() };
        format!("{}:{}", event.seconds, String::from_utf8_lossy(bytes))
    };
    recording.events.iter().map(shown).collect()
}

#[test]
fn a_clip_is_the_stretch_and_nothing_else() {
    let (mut library, inside, case) = recorded();
    let person = engineer("engineer-a");
    let evidence = library.store.write(|tx| add_clip(tx, &person, &case, &clip(&inside, 3.0, 6.0))).unwrap();
    let stretch = evidence.clip.clone().unwrap();
    assert_eq!((evidence.kind, stretch.channel, evidence.released), (EvidenceKind::Clip, 0, None));
    let cut = library.store.read(|db| clip::cut(db, &stretch)).unwrap();
    // What was printed before is there at once; nothing of what came later, or in another channel.
    assert_eq!(said(&cut), "0:line 1\r\n0:line 2\r\n0:line 3\r\n1:line 4\r\n2:line 5\r\n3:line 6\r\n");
    let cast = cut.asciicast_v2(0);
    assert!(cast.lines().next().unwrap().contains("\"width\":80") && cast.lines().count() == 7, "{cast}");
}

#[test]
fn a_clip_lies_within_its_recording() {
    let (mut library, inside, case) = recorded();
    let person = engineer("engineer-a");
    let mut add = |new: NewClip| library.store.write(|tx| add_clip(tx, &person, &case, &new));
    for (from_s, to_s) in [(-1.0, 2.0), (3.0, 3.0), (4.0, 3.0), (f64::NAN, 2.0), (0.0, f64::INFINITY), (0.0, 3601.0)] {
        assert!(matches!(add(clip(&inside, from_s, to_s)), Err(Error::BadRange)), "{from_s} to {to_s}");
    }
    assert!(matches!(add(clip(&inside, 1.0, 9.5)), Err(Error::BeyondTheEnd { .. })));
    assert!(matches!(add(NewClip { channel: Some(7), ..clip(&inside, 1.0, 2.0) }), Err(Error::NoChannel(7))));
    let unknown = NewClip { session: lineman_common::id::SessionId::new(), ..clip(&inside, 1.0, 2.0) };
    assert!(matches!(add(unknown), Err(Error::Sessions(sessions::Error::NotFound))));
    assert!(add(clip(&inside, 0.0, 9.0)).is_ok());
}

#[test]
fn no_customer_gets_another_customers_recording() {
    let (mut library, inside, case) = recorded();
    let number = |role, customer: CustomerId, code: &str| actor(&format!("noc-{}", code.to_lowercase()), role, Some((customer, code)));
    let other = library.customer("XX");
    let (own, other) = (number(Role::Noc, inside.device.customer, "JW"), number(Role::Noc, other, "XX"));
    let (one, two) = (engineer("engineer-a"), engineer("reviewer-b"));
    let evidence = library.store.write(|tx| add_clip(tx, &one, &case, &clip(&inside, 1.0, 4.0))).unwrap();
    let id = evidence.id.to_string();
    let seen = |library: &Library, who: &Actor| library.store.read(|db| list(db, &who.scope(), &case)).unwrap().len();
    assert_eq!(
        (seen(&library, &one), seen(&library, &own), seen(&library, &other)),
        (1, 0, 0),
        "internal at first, also for its own customer"
    );
    let refused = library.store.write(|tx| release(tx, &one, &case, &id, &"looked".into()));
    assert!(matches!(refused, Err(Error::OwnRelease)));
    assert!(matches!(library.store.write(|tx| release(tx, &two, &case, &id, &" ".into())), Err(Error::NoReason)));
    library.store.write(|tx| release(tx, &two, &case, &id, &"shows no name".into())).unwrap();
    assert_eq!((seen(&library, &own), seen(&library, &other)), (1, 0));
    let mut fetch = |who: &Actor| library.store.write(|tx| look(tx, who, &case, &id));
    assert!(fetch(&own).is_ok());
    assert!(matches!(fetch(&other), Err(Error::NotFound)));
    let told = library.store.read(|db| {
        let events = crate::events::of_fault(db, &own.scope(), inside.fault).unwrap();
        events.iter().filter(|event| event.kind == "session.recording_viewed" || event.kind.starts_with("case.evidence")).count()
    });
    assert_eq!(told, 1, "the look is told to its customer, the library's doings are not");
}

fn attachment(name: &str, content: &[u8]) -> Attachment {
    Attachment {
        id: AttachmentId::new(),
        fault: "F-JW-1".parse().unwrap(),
        name: name.into(),
        size_bytes: content.len() as u64,
        sha256: lineman_common::statement::hex(content),
        media_type: "text/plain; charset=utf-8".into(),
        internal: true,
        by: "engineer-a".into(),
        at: "2026-11-22T00:00:00Z".parse().unwrap(),
    }
}

#[test]
fn a_file_is_copied_and_shows_outside_when_it_is_released() {
    let (mut library, _, case) = recorded();
    let (one, two) = (engineer("engineer-a"), engineer("reviewer-b"));
    let other = library.customer("XX");
    let log = attachment("board.log", b"fan stopped");
    let new = NewFile { fault: "F-JW-1".parse().unwrap(), attachment: log.id, title: Some("the board's log".into()) };
    let evidence = library.store.write(|tx| add_file(tx, &one, &case, &new, &log, b"fan stopped")).unwrap();
    assert_eq!(evidence.file.as_ref().unwrap().media_type, "text/plain; charset=utf-8");
    let seen = |library: &Library, scope: &Scope| library.store.read(|db| list(db, scope, &case)).unwrap();
    assert!(seen(&library, &Scope::Customer(other)).is_empty());
    let id = evidence.id.to_string();
    library.store.write(|tx| release(tx, &two, &case, &id, &"no names in it".into())).unwrap();
    let outside = seen(&library, &Scope::Customer(other));
    assert_eq!((outside.len(), outside[0].fault.as_ref()), (1, None), "whose fault it was is not told");
    let Content::File(_, bytes) = library.store.read(|db| content(db, outside[0].clone())).unwrap() else { panic!("a file") };
    assert_eq!(bytes, b"fan stopped");
    assert!(matches!(library.store.write(|tx| release(tx, &two, &case, &id, &"again".into())), Err(Error::Released)));
    library.store.write(|tx| remove(tx, &one, &case, &id, &"wrong file".into())).unwrap();
    assert!(seen(&library, &Scope::All).is_empty());
    let rows: u32 = library.store.read(|db| db.sql().query_row("SELECT count(*) FROM case_evidence_file", [], |row| row.get(0)).unwrap());
    assert_eq!(rows, 0, "the copy is gone");
}

/// What was released for the readers of one case is for the readers of another only if those could read the first.
#[test]
fn a_merge_shows_nobody_what_was_internal() {
    let (mut library, _, public) = recorded();
    let customer = Scope::Customer(library.customer("XX"));
    let (one, two) = (engineer("engineer-a"), engineer("reviewer-b"));
    let internal = Reference::Number(library.add(&body("", "Fan tray hums | oil it", &[], &[])));
    let shown = CaseBody { audience: Audience::Customer, ..body("", "Fan tray rattles | fix it", &[], &[]) };
    let other = Reference::Number(library.add(&shown));
    for (case, text) in [(&internal, b"internal".as_slice()), (&other, b"shown")] {
        let log = attachment("board.log", text);
        let new = NewFile { fault: "F-JW-1".parse().unwrap(), attachment: log.id, title: None };
        let id = library.store.write(|tx| add_file(tx, &one, case, &new, &log, text)).unwrap().id.to_string();
        library.store.write(|tx| release(tx, &two, case, &id, &"looked at".into())).unwrap();
    }
    // In a chain: the first is merged into the second, and that into the public one.
    library.store.write(|tx| merge(tx, &one, &internal, &other)).unwrap();
    library.store.write(|tx| merge(tx, &one, &other, &public)).unwrap();
    let texts = |library: &Library, scope: &Scope| {
        library.store.read(|db| {
            let found = list(db, scope, &public).unwrap();
            let text = |evidence: Evidence| (evidence.case, content(db, evidence).unwrap());
            let text = |evidence| if let (case, Content::File(_, bytes)) = text(evidence) { (case, bytes) } else { panic!("a file") };
            found.into_iter().map(text).collect::<Vec<_>>()
        })
    };
    let inside = texts(&library, &Scope::All);
    assert_eq!(inside.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(), [b"internal".as_slice(), b"shown"]);
    let asked = library.store.read(|db| cases::get(db, &customer, &public)).unwrap().number;
    assert_eq!(texts(&library, &customer), [(asked, b"shown".to_vec())], "as the asked case's");
}

#[test]
fn a_case_has_room_for_so_much() {
    let (mut library, _, case) = recorded();
    let one = engineer("engineer-a");
    let content = vec![0; 20 << 20];
    let big = attachment("dump.bin", b"x");
    let new = NewFile { fault: "F-JW-1".parse().unwrap(), attachment: big.id, title: None };
    let mut add = || library.store.write(|tx| add_file(tx, &one, &case, &new, &big, &content));
    assert!((0..3).all(|_| add().is_ok()));
    assert!(matches!(add(), Err(Error::NoRoom)));
}
