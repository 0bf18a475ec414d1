//! Recordings, from the flow to the verified file.

use lineman_common::id::ConsentId;
use lineman_common::link::Stream;
use lineman_common::recording::{Bind, Recording, verify};
use ssh_key::{Algorithm, PrivateKey};

use super::super::chain::{Studio, end_unfinished};
use super::*;
use crate::spool::Spool;

struct World {
    dir: tempfile::TempDir,
    key: PrivateKey,
}

impl World {
    fn new() -> Self {
        let key = PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sessions")).unwrap();
        Self { dir, key }
    }

    fn studio(&self, max_bytes: u64) -> Arc<Studio> {
        let outbox = Outbox::new(Spool::open(&self.dir.path().join("spool"), max_bytes).unwrap());
        Arc::new(Studio { outbox, host_key: self.key.clone(), journals: self.dir.path().join("sessions") })
    }

    fn begin(studio: &Arc<Studio>) -> Chain {
        let bind = Bind {
            device: "ne-1.jw.ne".parse().unwrap(),
            consent: ConsentId::new(),
            request_sha256: "r".into(),
            consent_sha256: "c".into(),
            engineer: "engineer-a".parse().unwrap(),
            engineer_key: "k".into(),
            host_key: "h".into(),
            account: "nobody".into(),
            started: Timestamp::now(),
        };
        Chain::begin(Arc::clone(studio), SessionId::new(), bind).unwrap()
    }

    /// The recordings in the spool, as the centre would store them.
    fn file(studio: &Studio) -> String {
        let chunks = studio.outbox.spool().read_from(Stream::Recording, 0, usize::MAX).unwrap();
        chunks.into_iter().map(|(_, line)| String::from_utf8(line).unwrap() + "\n").collect()
    }

    fn verified(&self, studio: &Studio) -> Recording {
        verify(&Self::file(studio), self.key.public_key()).unwrap()
    }

    fn journals(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("sessions")).unwrap().count()
    }
}

fn reports(studio: &Studio) -> Vec<Report> {
    let reports = studio.outbox.spool().read_from(Stream::Events, 0, usize::MAX).unwrap();
    reports.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_session_is_recorded_and_verifies() {
    let world = World::new();
    let studio = world.studio(1 << 20);
    let (recorder, writing) = Recorder::new(World::begin(&studio), Arc::clone(&studio.outbox));
    let story = async {
        let mut output = recorder.flow(0, Flow::Output, None);
        // One character in three packets.
        for part in ["风".as_bytes().split_at(1).0, &"风".as_bytes()[1..2], &"风".as_bytes()[2..]] {
            output.record(part).await.unwrap();
        }
        output.record(b"\xff\xe9").await.unwrap();
        output.finish().await.unwrap();
        recorder.command("ne show");
        recorder.command("ne show");
        recorder.sent(3);
        recorder.sent(2);
        recorder.end(EndReason::Client).await;
    };
    tokio::join!(writing, story);
    let recording = world.verified(&studio);
    assert_eq!((recording.end, recording.chunks), (Some(EndReason::Client), 2));
    let bytes: Vec<_> = recording.events.into_iter().map(|event| event.what).collect();
    let expected = ["风".as_bytes(), b"\xff", b"\xe9"].map(|bytes| What::Bytes(Flow::Output, bytes.to_vec()));
    assert_eq!(bytes, expected, "text stays text, and what is none is kept");
    let reports = reports(&studio);
    let [Report::SessionFirstByte { .. }, Report::SessionEnded(ended)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((ended.chunks, ended.head_sha256.as_str()), (2, recording.head_sha256.as_str()));
    assert_eq!((ended.summary.commands.as_slice(), ended.summary.output_bytes), (&["ne show".to_owned()][..], 5));
    assert_eq!(world.journals(), 0);
    let changed = World::file(&studio).replacen('风', "凤", 1);
    assert!(verify(&changed, world.key.public_key()).unwrap_err().to_string().starts_with("chunk 1"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_long_stream_is_cut_said_so_and_hashed_whole() {
    let world = World::new();
    let studio = world.studio(1 << 22);
    let (recorder, writing) = Recorder::new(World::begin(&studio), Arc::clone(&studio.outbox));
    let story = async {
        let mut input = recorder.flow(4, Flow::Input, Some(100));
        for _ in 0..30 {
            input.record(b"0123456789").await.unwrap();
        }
        input.finish().await.unwrap();
        recorder.end(EndReason::Revoked).await;
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
    let (recorder, writing) = Recorder::new(World::begin(&studio), Arc::clone(&studio.outbox));
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
        recorder.end(EndReason::Client).await;
        assert_eq!(chunks(), 4, "the bind, the second, the 64 KiB, and the end");
    };
    tokio::join!(writing, story);
    world.verified(&studio);
}

#[tokio::test(flavor = "current_thread")]
async fn it_fails_closed_when_the_spool_is_full() {
    let world = World::new();
    let studio = world.studio(crate::spool::LEAST_BYTES);
    let (recorder, writing) = Recorder::new(World::begin(&studio), Arc::clone(&studio.outbox));
    let story = async {
        let mut output = recorder.flow(0, Flow::Output, None);
        while output.record(&[b'x'; 16 * 1024]).await.is_ok() {}
        assert!(recorder.failed().is_cancelled());
        recorder.end(EndReason::Client).await;
    };
    tokio::join!(writing, story);
    let reports = reports(&studio);
    let Some(Report::SessionEnded(ended)) = reports.last() else { panic!("{reports:?}") };
    assert_eq!(ended.reason, EndReason::RecorderFailed);
}

#[test]
fn a_killed_agent_signs_the_end_at_its_next_start() {
    let world = World::new();
    let studio = world.studio(1 << 20);
    let mut chain = World::begin(&studio);
    let event = Event { seconds: 1.0, channel: 0, what: What::Bytes(Flow::Output, b"x".to_vec()) };
    let summary = SessionSummary { channels: 1, ..SessionSummary::default() };
    chain.write(&[event.to_line()], summary.clone()).unwrap();
    let session = chain.session();
    // Killed between the chunk and the journal: the journal is one behind.
    let journal = world.dir.path().join("sessions").join(session.to_string());
    let before = std::fs::read(&journal).unwrap();
    chain.write(&[event.to_line()], summary.clone()).unwrap();
    std::fs::write(&journal, before).unwrap();
    drop(chain);
    drop(studio);

    let studio = world.studio(1 << 20);
    assert_eq!(end_unfinished(&studio).unwrap(), [session]);
    let recording = world.verified(&studio);
    assert_eq!((recording.end, recording.chunks), (Some(EndReason::AgentStopped), 4));
    let reports = reports(&studio);
    let [Report::SessionEnded(ended)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((ended.reason, ended.chunks, &ended.summary), (EndReason::AgentStopped, 4, &summary));
    assert_eq!(end_unfinished(&studio).unwrap(), []);
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
