//! The job with a real store: what it reads, that it goes on where it was, and that it stops where it has to.

use lineman_common::recording::screen;
use lineman_common::session::EndReason;
use proptest::prelude::*;

use super::*;
use crate::sessions::search::Search;
use crate::sessions::testing::{Inside, Recorder, Running, at, output, shell};
use crate::web::Scope;

/// Puts lines into a session's transcript.
pub fn said(tx: &mut Tx<'_>, session: &Inside, lines: &[&str]) {
    let key = Key { device: session.device.id, session: session.id };
    let lines: Vec<Line> = lines.iter().map(|text| Line { channel: 0, seconds: 1.0, text: (*text).to_owned() }).collect();
    sql::insert_lines(tx, key, &lines).unwrap();
}

impl Running {
    fn job(&self) -> Job {
        Job { store: self.store.clone(), screens: Screens::default(), waiting: VecDeque::new() }
    }

    /// Reads all that is stored.
    async fn read_all(&self, job: &mut Job) {
        job.look_at_everything().await;
        job.work(&CancellationToken::new(), &mut self.store.nudges()).await.unwrap();
    }

    async fn lines(&self) -> Vec<String> {
        let sql = "SELECT channel || ':' || seconds || ' ' || text FROM transcript_line ORDER BY id";
        let read = move |db: &Db<'_>| -> Result<Vec<String>, StoreError> {
            Ok(db.sql().prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        };
        self.store.read(read).await.unwrap()
    }

    async fn digest(&self, session: &Inside) -> Digest {
        let key = Key { device: session.device.id, session: session.id };
        self.store.read(move |db| sql::digest(db, key)).await.unwrap().unwrap()
    }

    async fn shots(&self, session: &Inside, at_s: Option<f64>) -> Vec<Keyframe> {
        let wanted = Wanted { at_s, most: 500, most_bytes: 1 << 20, ..Wanted::default() };
        let (device, id) = (session.device.id, session.id);
        self.store.read(move |db| keyframes(db, device, id, &wanted)).await.unwrap().0
    }
}

#[tokio::test]
async fn a_live_session_is_read_as_it_comes_and_once() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let (mut recorder, mut job) = (Recorder::new(session.id), centre.job());
    let first = recorder.chunk(&[at(0.0, 0, shell(80, 24)), at(0.5, 0, output("$ id\r\nuid=0(ro"))], None);
    centre.stores(&session, vec![first.clone()]).await;
    centre.read_all(&mut job).await;
    assert_eq!(centre.lines().await, ["0:0.5 $ id"]);
    // The same again, from the device and by a job that has forgotten everything: nothing changes.
    centre.stores(&session, vec![first]).await;
    let mut job = centre.job();
    centre.read_all(&mut job).await;
    let second = recorder.chunk(&[at(1.5, 0, output("ot)\r\n$ 风扇"))], Some(EndReason::Client));
    centre.stores(&session, vec![second]).await;
    centre.read_all(&mut job).await;
    centre.read_all(&mut job).await;
    assert_eq!(centre.lines().await, ["0:0.5 $ id", "0:1.5 uid=0(root)", "0:1.5 $ 风扇"]);
    let digest = centre.digest(&session).await;
    assert_eq!((digest.chunks, digest.finished.as_deref(), digest.lines), (2, Some("the end record: client"), 3));
    let search = Search { most: 10, ..Search::of("ROOT").unwrap() };
    let found = centre.store.read(move |db| search.find(db, &Scope::All)).await.unwrap();
    assert_eq!(found.iter().map(|found| found.hit.line.raw()).collect::<Vec<_>>(), ["uid=0(root)"]);
}

#[tokio::test]
async fn it_waits_at_a_gap_and_stops_where_the_chain_breaks() {
    let centre = Running::new();
    let (gap, broken) = (centre.session("ne-1.jw.ne").await, centre.session("ne-1.yw.ne").await);
    let mut job = centre.job();
    let mut recorder = Recorder::new(gap.id);
    let chunks: Vec<String> = (0..4).map(|n| recorder.chunk(&[at(n.into(), 0, output(&format!("gap {n}\n")))], None)).collect();
    centre.stores(&gap, vec![chunks[0].clone(), chunks[2].clone(), chunks[3].clone()]).await;
    centre.read_all(&mut job).await;
    assert_eq!(centre.lines().await, ["0:0.0 gap 0"]);
    centre.stores(&gap, vec![chunks[1].clone()]).await;
    centre.read_all(&mut job).await;
    assert_eq!(centre.lines().await.len(), 4);

    let mut recorder = Recorder::new(broken.id);
    let first = recorder.chunk(&[at(0.0, 0, output("true\n"))], None);
    let mut other = Recorder::new(broken.id);
    other.chunk(&[at(0.0, 0, output("another\n"))], None);
    let forged = other.chunk(&[at(1.0, 0, output("forged\n"))], None);
    centre.stores(&broken, vec![first, forged]).await;
    centre.read_all(&mut job).await;
    assert!(!centre.lines().await.iter().any(|line| line.contains("forged")));
    let why = centre.digest(&broken).await.finished.unwrap();
    assert!(why.contains("does not follow"), "{why}");
}

#[tokio::test]
async fn the_same_line_again_and_again_is_one() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let flood = at(1.0, 0, output(&"y\n".repeat(20_000)));
    let chunk = Recorder::new(session.id).chunk(&[flood, at(2.0, 0, output("\n  \nno\n"))], None);
    centre.stores(&session, vec![chunk]).await;
    centre.read_all(&mut centre.job()).await;
    assert_eq!(centre.lines().await, ["0:1.0 y", "0:2.0 no"]);
}

#[tokio::test]
async fn a_transcript_has_an_end() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let mut recorder = Recorder::new(session.id);
    centre.stores(&session, vec![recorder.chunk(&[at(1.0, 0, output("one\n"))], None)]).await;
    let mut job = centre.job();
    centre.read_all(&mut job).await;
    let key = Key { device: session.device.id, session: session.id };
    let fill = move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let digest = sql::digest(tx, key)?.unwrap();
        sql::put_digest(tx, key, &Digest { lines: MOST_LINES - 2, ..digest })
    };
    centre.store.write(fill).await.unwrap();
    centre.stores(&session, vec![recorder.chunk(&[at(2.0, 0, output("two\nthree\nfour\n"))], None)]).await;
    centre.stores(&session, vec![recorder.chunk(&[at(3.0, 0, output("five\n"))], Some(EndReason::Client))]).await;
    centre.read_all(&mut job).await;
    assert_eq!(centre.lines().await, ["0:1.0 one", "0:2.0 two", "0:2.0 (the transcript ends here: it would be too long)"]);
    assert_eq!(centre.digest(&session).await.chunks, 3, "keyframes go on");
}

/// Two terminals, one flooding: frames as `screen::keyframes` makes them, also when the job begins anew between any two chunks.
async fn films(forgets: bool) {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let mut recorder = Recorder::new(session.id);
    let mut chunks = vec![recorder.chunk(&[at(0.0, 0, shell(40, 10)), at(0.0, 1, shell(20, 5)), at(0.1, 1, output("quiet"))], None)];
    for n in 0..12u32 {
        let seconds = f64::from(n) * 4.0;
        let text = format!("\x1b[{}mline {n}\x1b[0m 风扇\r\n{}", 31 + n % 6, "x".repeat(9000));
        chunks.push(recorder.chunk(&[at(seconds, 0, output(&text)), at(seconds + 0.5, 1, output("."))], None));
    }
    chunks.push(recorder.chunk(&[at(90.0, 0, output("\x1b[2J\x1b[Hlast"))], None));
    let mut job = centre.job();
    for chunk in &chunks {
        centre.stores(&session, vec![chunk.clone()]).await;
        if forgets {
            job = centre.job();
        }
        centre.read_all(&mut job).await;
    }
    let recording = lineman_common::recording::read_unverified(&chunks.join("\n")).unwrap();
    let stored = centre.shots(&session, None).await;
    for channel in [0, 1] {
        let expected = screen::keyframes(&recording, channel);
        assert!(expected.len() >= 3, "{} frames", expected.len());
        let stored: Vec<_> = stored.iter().filter(|frame| frame.channel == channel).collect();
        assert_eq!(stored.len(), expected.len(), "channel {channel}");
        for (frame, expected) in stored.iter().zip(&expected) {
            assert_eq!((frame.seconds, frame.chunks, frame.events), (expected.seconds, expected.chunks, expected.events));
            let shows = |drawn: &str| {
                let mut screen = screen::Screen::new(frame.cols.into(), frame.rows.into());
                screen.feed(&at(0.0, 0, output(drawn)));
                screen.formatted()
            };
            assert_eq!(shows(&frame.screen), shows(&expected.screen));
        }
    }
    let newest = centre.shots(&session, Some(1e9)).await;
    assert_eq!(newest.iter().map(|frame| frame.channel).collect::<Vec<_>>(), [0, 1]);
    assert!(newest[0].screen.contains("last"), "{newest:?}");
    let early = centre.shots(&session, Some(15.0)).await;
    assert!(early.iter().all(|frame| frame.seconds <= 15.0) && early.len() == 2, "{early:?}");
}

#[tokio::test]
async fn keyframes_are_those_of_the_recording() {
    films(false).await;
}

#[tokio::test]
async fn screens_are_made_again_after_a_restart() {
    films(true).await;
}

#[tokio::test]
async fn keyframes_come_in_pages() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let mut recorder = Recorder::new(session.id);
    let mut chunks = vec![recorder.chunk(&[at(0.0, 0, shell(40, 10))], None)];
    chunks.extend((1..=7u32).map(|n| recorder.chunk(&[at(f64::from(n) * 20.0, 0, output("x"))], None)));
    centre.stores(&session, chunks).await;
    centre.read_all(&mut centre.job()).await;
    let (device, id) = (session.device.id, session.id);
    let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let wanted = Wanted { after, most: 3, most_bytes: 1 << 20, ..Wanted::default() };
        let (page, is_more) = centre.store.read(move |db| keyframes(db, device, id, &wanted)).await.unwrap();
        after = page.last().map(|last| (last.channel, last.chunks, last.events));
        seen.extend(page.into_iter().map(|frame| frame.seconds));
        pages += 1;
        if !is_more {
            break;
        }
    }
    assert_eq!((seen, pages), (vec![20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0], 3));
}

/// What a hostile device may sign: any events, well and ill formed.
fn hostile() -> impl Strategy<Value = Vec<String>> {
    let event = prop_oneof![
        "[ -~]{0,30}".prop_map(|text| text),
        (any::<f64>(), 0u32..4, "o|oo|e|i|r|open|sftp|exit|truncated|note", "[ -~]{0,20}")
            .prop_map(|(seconds, channel, code, data)| serde_json::json!([seconds, channel, code, data]).to_string()),
        (0u32..100_000, 0u32..100_000).prop_map(|(cols, rows)| format!("[1.0,0,\"r\",\"{cols}x{rows}\"]")),
        (0u32..4).prop_map(|channel| at(1.0, channel, shell(u32::MAX, 0)).to_line()),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
            at(1e300, 0, lineman_common::recording::What::Bytes(lineman_common::recording::Flow::Output, bytes)).to_line()
        }),
    ];
    proptest::collection::vec(event, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_chunk_breaks_the_reader(events in hostile(), again in hostile()) {
        let session = SessionId::new();
        let mut recorder = Recorder::new(session);
        let first = recorder.chunk(&[at(0.0, 0, shell(80, 24))], None);
        let forge = |line: &str, events: &[String]| {
            let mut chunk: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = chunk["text"].as_str().unwrap().to_owned() + &events.join("\n");
            chunk["text"] = text.into();
            chunk.to_string()
        };
        let page = vec![(0, forge(&first, &events)), (1, forge(&recorder.chunk(&[], None), &again))];
        let (digest, _, gain) = reader::read(Digest::default(), screens::Cameras::default(), &page);
        prop_assert!(digest.chunks <= 2 && gain.lines.len() <= 10_000);
    }
}

#[tokio::test]
async fn a_transcript_is_paged_in_order_and_says_whether_the_recording_is_whole() {
    let centre = Running::new();
    let session = centre.session("ne-1.jw.ne").await;
    let (mut recorder, mut job) = (Recorder::new(session.id), centre.job());
    let (device, id) = (session.device.id, session.id);
    let page = async |after: i64, most: u32| centre.store.read(move |db| transcript(db, device, id, after, most)).await.unwrap();
    let nothing = page(0, 10).await;
    assert_eq!((nothing.items.len(), nothing.chunks, nothing.whole), (0, 0, false));
    let first = recorder.chunk(&[at(0.0, 0, shell(80, 24)), at(0.5, 0, output("one\r\ntwo\r\nthree\r\n"))], None);
    centre.stores(&session, vec![first]).await;
    centre.read_all(&mut job).await;
    let begin = page(0, 2).await;
    assert_eq!(begin.items.iter().map(|line| line.line.raw()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((begin.finished, begin.whole), (None, false), "more may come");
    let rest = page(begin.next.unwrap().parse().unwrap(), 2).await;
    assert_eq!(rest.items.iter().map(|line| (line.line.raw(), line.seconds)).collect::<Vec<_>>(), [("three", 0.5)]);
    assert_eq!(rest.next, None);
    centre.stores(&session, vec![recorder.chunk(&[], Some(EndReason::Client))]).await;
    centre.read_all(&mut job).await;
    let whole = page(0, 10).await;
    assert_eq!((whole.chunks, whole.whole), (2, true));
    // Of a chain that breaks, what is before the break is there, and what is wrong is said.
    let broken = centre.session("ne-1.yw.ne").await;
    let mut recorder = Recorder::new(broken.id);
    let first = recorder.chunk(&[at(0.5, 0, output("kept\r\n"))], None);
    let _dropped = recorder.chunk(&[], None);
    let third = recorder.chunk(&[], Some(EndReason::Client)).replace("\\\"chunk\\\":2", "\\\"chunk\\\":1");
    centre.stores(&broken, vec![first, third]).await;
    centre.read_all(&mut job).await;
    let (device, id) = (broken.device.id, broken.id);
    let left = centre.store.read(move |db| transcript(db, device, id, 0, 10)).await.unwrap();
    assert_eq!((left.items.len(), left.chunks, left.whole), (1, 1, false));
    assert!(left.finished.is_some(), "what is wrong is said");
}
