//! Recordings, from the flow to the verified file.

use lineman_common::id::{ConsentId, SessionId};
use lineman_common::link::Stream;
use lineman_common::recording::{Bind, Opened, Recording, verify};
use lineman_common::session::{Door, Grade};
use ssh_key::{Algorithm, PrivateKey};

use super::super::chain::{Studio, end_unfinished};
use super::super::limits::Limits;
use super::super::pace::Backlog;
use super::*;
use crate::journal;
use crate::spool::Spool;

/// A spool that is full soon.
const SMALL: u64 = 1024 * 1024;

struct World {
    dir: tempfile::TempDir,
    key: PrivateKey,
}

impl World {
    fn new() -> Self {
        let key = PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap();
        let dir = tempfile::tempdir().unwrap();
        Self { dir, key }
    }

    fn studio(&self, max_bytes: u64) -> Arc<Studio> {
        let outbox = Outbox::new(Spool::open(&self.dir.path().join("spool"), max_bytes).unwrap());
        Studio::open(self.dir.path(), outbox, self.key.clone()).unwrap()
    }

    fn begin(studio: &Arc<Studio>) -> Chain {
        let bind = Bind {
            device: "ne-1.jw.ne".parse().unwrap(),
            consent: ConsentId::new(),
            request_sha256: "r".into(),
            grade: Grade::EndToEnd,
            consents_sha256: vec!["c".into()],
            engineer: "engineer-a".parse().unwrap(),
            engineer_key: "k".into(),
            host_key: "h".into(),
            account: "nobody".into(),
            started: Timestamp::now(),
        };
        Chain::prepare(Arc::clone(studio), SessionId::new(), bind, pace(studio)).unwrap().begin().unwrap()
    }

    /// The recordings in the spool, as the centre would store them.
    fn file(studio: &Studio) -> String {
        let chunks = studio.outbox.spool().read_from(Stream::Recording, 0, usize::MAX).unwrap();
        chunks.into_iter().map(|(_, line)| String::from_utf8(line).unwrap() + "\n").collect()
    }

    fn verified(&self, studio: &Studio) -> Recording {
        verify(&Self::file(studio), self.key.public_key()).unwrap()
    }

    /// The centre has all of it.
    fn acknowledge(studio: &Studio) {
        for stream in [Stream::Recording, Stream::Events] {
            let mut spool = studio.outbox.spool();
            let newest = spool.next_seq(stream) - 1;
            spool.ack(stream, newest).unwrap();
        }
    }

    /// As after a restart, on a small spool; returns how many journals there are then.
    fn studio_again(&self, before: Arc<Studio>, look: impl FnOnce(&Arc<Studio>)) -> usize {
        drop(before);
        look(&self.studio(SMALL));
        self.journals()
    }

    fn journals(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("sessions")).unwrap().count()
    }
}

/// A session that may run as far ahead as it likes.
fn pace(studio: &Studio) -> Arc<Pace> {
    let limits = Limits { input: false, unacknowledged: None, max_session_bytes: u64::MAX, backlog_bytes: u64::MAX };
    Pace::new(Backlog::new(Arc::clone(&studio.outbox), limits))
}

fn recorder(studio: &Arc<Studio>) -> (Arc<Recorder>, impl Future<Output = ()> + Send + use<>) {
    Recorder::new(World::begin(studio), Arc::clone(&studio.outbox), pace(studio))
}

fn reports(studio: &Studio) -> Vec<Report> {
    let reports = studio.outbox.spool().read_from(Stream::Events, 0, usize::MAX).unwrap();
    reports.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_session_is_recorded_and_verifies() {
    let world = World::new();
    let studio = world.studio(1 << 20);
    let (recorder, writing) = recorder(&studio);
    let story = async {
        let mut output = recorder.flow(0, Flow::Output, None);
        // One character in three packets.
        for part in ["风".as_bytes().split_at(1).0, &"风".as_bytes()[1..2], &"风".as_bytes()[2..]] {
            output.record(&Bytes::copy_from_slice(part)).await.unwrap();
        }
        output.record(&Bytes::copy_from_slice(b"\xff\xe9")).await.unwrap();
        output.finish().await.unwrap();
        recorder.command("ne show");
        recorder.command("ne show");
        recorder.sent(3).await;
        recorder.sent(2).await;
        recorder.end(EndReason::Client, Vec::new()).await;
    };
    tokio::join!(writing, story);
    let recording = world.verified(&studio);
    assert_eq!((recording.end, recording.chunks), (Some(EndReason::Client), 2));
    let bytes: Vec<_> = recording.events.clone().into_iter().map(|event| event.what).collect();
    let expected = ["风".as_bytes(), b"\xff", b"\xe9"].map(|bytes| What::Bytes(Flow::Output, bytes.to_vec()));
    assert_eq!(bytes, expected, "text stays text, and what is none is kept");
    let reports = reports(&studio);
    let [Report::SessionFirstByte { .. }, Report::SessionEnded(ended)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((ended.chunks, ended.head_sha256.as_str()), (2, recording.head_sha256.as_str()));
    assert_eq!((ended.summary.commands.as_slice(), ended.summary.output_bytes), (&["ne show".to_owned()][..], 5));
    assert_eq!(world.journals(), 0);
    let heads = journal::sessions(world.dir.path()).unwrap();
    let [began, ended] = &heads[..] else { panic!("{heads:?}") };
    assert_eq!((began.session, began.chunks, began.reason), (recording.session, 0, None));
    let expected = (2, recording.head_sha256.as_str(), Some(EndReason::Client), recording.bind.consent);
    assert_eq!((ended.chunks, ended.head.as_str(), ended.reason, ended.consent), expected, "a witness that is not the centre");
    let changed = World::file(&studio).replacen('风', "凤", 1);
    assert!(verify(&changed, world.key.public_key()).unwrap_err().to_string().starts_with("chunk 1"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_long_stream_is_cut_said_so_and_hashed_whole() {
    let world = World::new();
    let studio = world.studio(1 << 22);
    let (recorder, writing) = recorder(&studio);
    let story = async {
        let mut input = recorder.flow(4, Flow::Input, Some(100));
        for _ in 0..30 {
            input.record(&Bytes::copy_from_slice(b"0123456789")).await.unwrap();
        }
        input.finish().await.unwrap();
        recorder.end(EndReason::Revoked, Vec::new()).await;
    };
    tokio::join!(writing, story);
    let events: Vec<_> = world.verified(&studio).events.into_iter().map(|event| event.what).collect();
    let sha256 = lineman_common::statement::sha256_hex("0123456789".repeat(30));
    assert_eq!(events.len(), 12);
    assert_eq!(events[10..], [What::Truncated(Flow::Input), What::Total { flow: Flow::Input, bytes: 300, sha256 }]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_chunk_is_written_after_a_second_or_64_kib() {
    let world = World::new();
    let studio = world.studio(1 << 22);
    let (recorder, writing) = recorder(&studio);
    let story = async {
        let chunks = || World::file(&studio).lines().count();
        recorder.event(0, What::Note("one".into())).await.unwrap();
        assert_eq!(chunks(), 1);
        while chunks() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for _ in 0..3 {
            recorder.event(0, What::Bytes(Flow::Output, vec![b'x'; 32 * 1024])).await.unwrap();
        }
        recorder.end(EndReason::Client, Vec::new()).await;
        assert_eq!(chunks(), 5, "the bind, the second, two that the next event would have made longer than 64 KiB, and the end");
    };
    tokio::join!(writing, story);
    world.verified(&studio);
}

#[tokio::test(flavor = "current_thread")]
async fn it_fails_closed_when_the_spool_is_full() {
    let world = World::new();
    let studio = world.studio(SMALL);
    let (recorder, writing) = recorder(&studio);
    let story = async {
        let mut output = recorder.flow(0, Flow::Output, None);
        while output.record(&Bytes::copy_from_slice(&[b'x'; 16 * 1024])).await.is_ok() {}
        assert!(recorder.failed().is_cancelled());
        recorder.end(EndReason::Client, Vec::new()).await;
    };
    tokio::join!(writing, story);
    let told = reports(&studio);
    let Some(Report::SessionEnded(ended)) = told.last() else { panic!("{told:?}") };
    assert_eq!(ended.reason, EndReason::RecorderFailed);

    // There is no end record yet, and no room for one.
    drop(recorder);
    assert_eq!(end_unfinished(&studio), []);
    assert_eq!(world.studio_again(studio, |studio| assert_eq!(end_unfinished(studio), [])), 1, "a start goes on without it");
    let studio = world.studio(SMALL);
    let stored = World::file(&studio);
    World::acknowledge(&studio);
    assert_eq!(end_unfinished(&studio).len(), 1);
    let recording = verify(&(stored + &World::file(&studio)), world.key.public_key()).unwrap();
    assert_eq!(recording.end, Some(EndReason::RecorderFailed));
    let notes: Vec<_> = recording.events.iter().filter(|event| matches!(event.what, What::Note(_))).collect();
    assert_eq!(notes.len(), 1);
    assert!(matches!(&notes[0].what, What::Note(note) if note.contains("events could not be recorded; the SHA-256")), "{notes:?}");
    let bytes = |event: &Event| if let What::Bytes(_, bytes) = &event.what { bytes.len() } else { 0 };
    assert!(recording.events.iter().map(bytes).sum::<usize>() > KEPT_BYTES / 2, "what was handed over is kept as far as it can be");
    assert_eq!(world.journals(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn no_event_is_too_large_for_a_chunk() {
    let world = World::new();
    let studio = world.studio(1 << 24);
    let (recorder, writing) = recorder(&studio);
    // Control characters become seven bytes each on their way into a chunk.
    let packet = vec![1; 256 * 1024];
    let story = async {
        let mut input = recorder.flow(0, Flow::Input, Some(EXEC_BYTES));
        input.record(&Bytes::copy_from_slice(&packet)).await.unwrap();
        input.finish().await.unwrap();
        let command = "\u{1}".repeat(64 * 1024);
        recorder.event(0, What::Open(Opened { door: Door::Exec, command: Some(command), terminal: None, target: None })).await.unwrap();
        recorder.event(0, What::Note("\u{1}".repeat(64 * 1024))).await.unwrap();
        recorder.end(EndReason::Client, Vec::new()).await;
        assert!(!recorder.failed().is_cancelled());
    };
    tokio::join!(writing, story);
    let recording = world.verified(&studio);
    let pieces = recording.events.iter().filter_map(|event| if let What::Bytes(_, bytes) = &event.what { Some(bytes) } else { None });
    assert!(pieces.clone().all(|piece| piece.len() <= EVENT_BYTES));
    assert_eq!(pieces.flatten().copied().collect::<Vec<u8>>(), packet);
    assert_eq!(recording.end, Some(EndReason::Client));
}

#[tokio::test(flavor = "current_thread")]
async fn input_is_in_the_pending_chunk_before_it_counts() {
    let world = World::new();
    let studio = world.studio(1 << 20);
    let (recorder, writing) = recorder(&studio);
    let mut input = recorder.flow(0, Flow::Input, Some(EXEC_BYTES));
    {
        let typed = Bytes::from_static(b"rm -r /\n");
        let record = input.record(&typed);
        tokio::pin!(record);
        let waits = tokio::time::timeout(Duration::from_millis(50), &mut record).await;
        assert!(waits.is_err(), "nobody has written it down yet");
        tokio::pin!(writing);
        tokio::select! {
            recorded = record => recorded.unwrap(),
            () = &mut writing => panic!("the recorder ended"),
        }
    }
    // The writer is gone: what comes now must not reach a child.
    assert!(input.record(&Bytes::copy_from_slice(b"more\n")).await.is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn long_commands_and_paths_do_not_keep_a_session_from_ending() {
    let world = World::new();
    let studio = world.studio(1 << 20);
    let (recorder, writing) = recorder(&studio);
    let story = async {
        for n in 0..40 {
            recorder.command(&format!("{n} {}", "风".repeat(200_000)));
            recorder.file(&format!("/{n}/{}", "\u{1}".repeat(200_000)));
        }
        recorder.end(EndReason::Client, Vec::new()).await;
    };
    tokio::join!(writing, story);
    assert_eq!(world.journals(), 0);
    let reports = reports(&studio);
    let Some(Report::SessionEnded(ended)) = reports.last() else { panic!("{reports:?}") };
    assert_eq!((ended.summary.commands.len(), ended.summary.files.len()), (32, 32));
    assert!(ended.summary.commands[1].starts_with("1 风风") && ended.summary.commands[1].chars().count() == 513);
}

#[test]
fn a_journal_that_an_older_agent_left_too_large_is_ended() {
    let world = World::new();
    let studio = world.studio(1 << 22);
    let mut chain = World::begin(&studio);
    let summary = SessionSummary { commands: vec!["x".repeat(3 << 20); 2], ..SessionSummary::default() };
    chain.write(&[Vec::new()], summary).unwrap();
    let session = chain.session();
    drop(chain);
    drop(studio);
    let studio = world.studio(1 << 22);
    assert_eq!(end_unfinished(&studio), [session]);
    assert_eq!(world.journals(), 0);
}

#[test]
fn there_is_never_a_second_end_record() {
    let world = World::new();
    let studio = world.studio(1 << 20);
    let chain = World::begin(&studio);
    let session = chain.session();
    // Killed after the end record was sent and acknowledged, before the journal went.
    let log = world.dir.path().join("journal.log");
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    assert!(chain.end(&[], EndReason::Client, SessionSummary::default()).is_err());
    let stored = World::file(&studio);
    World::acknowledge(&studio);
    drop(studio);
    std::fs::remove_dir(&log).unwrap();

    let studio = world.studio(1 << 20);
    assert_eq!(end_unfinished(&studio), [session]);
    assert_eq!(World::file(&studio), "", "nothing was added");
    let recording = verify(&stored, world.key.public_key()).unwrap();
    let reports = reports(&studio);
    let [Report::SessionEnded(ended)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((ended.reason, ended.chunks, &ended.head_sha256), (EndReason::Client, 2, &recording.head_sha256));
    assert_eq!(world.journals(), 0);
}

#[test]
fn a_killed_agent_signs_the_end_at_its_next_start() {
    let world = World::new();
    let studio = world.studio(1 << 20);
    let mut chain = World::begin(&studio);
    let event = Event { seconds: 1.0, channel: 0, what: What::Bytes(Flow::Output, b"x".to_vec()) };
    let summary = SessionSummary { channels: 1, ..SessionSummary::default() };
    chain.write(&[vec![event.to_line()]], summary.clone()).unwrap();
    let session = chain.session();
    // Killed between the chunk and the journal: the journal is one behind.
    let journal = world.dir.path().join("sessions").join(session.to_string());
    let before = std::fs::read(&journal).unwrap();
    chain.write(&[vec![event.to_line()]], summary.clone()).unwrap();
    std::fs::write(&journal, before).unwrap();
    drop(chain);
    drop(studio);

    let studio = world.studio(1 << 20);
    assert_eq!(end_unfinished(&studio), [session]);
    let recording = world.verified(&studio);
    assert_eq!((recording.end, recording.chunks), (Some(EndReason::AgentStopped), 4));
    let reports = reports(&studio);
    let [Report::SessionEnded(ended)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((ended.reason, ended.chunks, &ended.summary), (EndReason::AgentStopped, 4, &summary));
    assert_eq!(end_unfinished(&studio), []);
    assert_eq!(world.journals(), 0);
}

#[test]
fn unfinished_characters_are_found() {
    for (bytes, held) in [
        (&b"abc"[..], 0),
        ("风".as_bytes(), 0),
        (&"风".as_bytes()[..2], 2),
        (&"🌀".as_bytes()[..3], 3),
        (&b"\x80\x80\x80\x80"[..], 0),
        (&b"\xff"[..], 0),
        (&b""[..], 0),
        (&b"a\xc3"[..], 1),
    ] {
        assert_eq!(unfinished(bytes), held, "{bytes:?}");
    }
}
