use super::*;
use proptest::prelude::*;
use tokio::io::{DuplexStream, duplex};

/// Carries until the connection or the leg ends.
async fn carry(carrier: &mut Carrier, connection: DuplexStream, arrived: u64) -> Carried {
    carrier.over(connection, arrived).await
}

/// Both ends over one connection, until one of them says how it ended, or `job` is done.
async fn joined<T>(device: &mut Carrier, centre: &mut Carrier, bytes: usize, job: impl Future<Output = T>) -> T {
    let (near, far) = duplex(bytes);
    let (there, here) = (centre.arrived(), device.arrived());
    tokio::select! {
        biased;
        done = job => done,
        ends = async { tokio::join!(carry(device, near, there), carry(centre, far, here)) } => panic!("the leg ended: {ends:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_go_both_ways_and_the_end_is_told() {
    let ((mut device, mut from, _), (mut centre, mut to, _)) = (leg(), leg());
    let (near, far) = duplex(1024);
    let story = async {
        centre.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 5];
        device.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"hello");
        device.write_all(b"world").await.unwrap();
        drop(device);
        let mut rest = Vec::new();
        centre.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"world");
        centre.shutdown().await.unwrap();
    };
    let (one, other, ()) = tokio::join!(from.over(near, 0), to.over(far, 0), story);
    assert!(matches!((one, other), (Carried::Finished, Carried::Finished)));
}

#[tokio::test(start_paused = true)]
async fn what_the_cut_connection_did_not_bring_over_comes_with_the_next() {
    let ((mut device, mut from, handle), (mut centre, mut to, _)) = (leg(), leg());
    let said: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    device.write_all(&said).await.unwrap();
    let mut heard = Vec::new();
    for bytes in [100, 5_000, 1, 300_000] {
        joined(&mut from, &mut to, 700, async {
            let mut part = vec![0; bytes];
            centre.read_exact(&mut part).await.unwrap();
            heard.append(&mut part);
        })
        .await;
        assert!(matches!(*handle.up().borrow(), Up::Cut(_)));
    }
    drop(device);
    let (near, far) = duplex(64 * 1024);
    let (there, here) = (to.arrived(), from.arrived());
    let rest = async {
        centre.read_to_end(&mut heard).await.unwrap();
        drop(centre);
    };
    let (one, other, ()) = tokio::join!(from.over(near, there), to.over(far, here), rest);
    assert!(matches!((one, other), (Carried::Finished, Carried::Finished)));
    assert!(heard == said, "not the same bytes");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_lost_is_told_again() {
    let ((device, mut from, _), (mut centre, mut to, _)) = (leg(), leg());
    drop(device);
    let (near, far) = duplex(1024);
    // The device's end is on its way when the connection breaks.
    tokio::select! {
        biased;
        _ = from.over(near, 0) => panic!("the centre has not ended"),
        () = tokio::time::sleep(PING_EVERY / 2) => drop(far),
    }
    let (near, far) = duplex(1024);
    let (there, here) = (to.arrived(), from.arrived());
    let story = async {
        assert_eq!(centre.read(&mut [0; 8]).await.unwrap(), 0);
        drop(centre);
    };
    let (one, other, ()) = tokio::join!(from.over(near, there), to.over(far, here), story);
    assert!(matches!((one, other), (Carried::Finished, Carried::Finished)));
}

#[tokio::test(start_paused = true)]
async fn nobody_can_be_flooded_and_an_acknowledgement_never_waits() {
    let ((mut device, mut from, _), (mut centre, mut to, _)) = (leg(), leg());
    let much = vec![7; usize::try_from(WINDOW_BYTES).unwrap() + 1];
    // Neither side reads while it writes.
    let both_write = async {
        let full = |leg: &mut Leg| {
            let written = leg.0.state().outward.written;
            assert_eq!(written, WINDOW_BYTES);
        };
        let stuck = tokio::time::sleep(SILENCE * 10);
        tokio::select! {
            _ = device.write_all(&much) => panic!("more than the window went"),
            _ = centre.write_all(&much) => panic!("more than the window went"),
            () = stuck => {}
        }
        full(&mut device);
        full(&mut centre);
        // One side reads: the other goes on, though nothing of its own was read.
        let mut all = vec![0; much.len()];
        let rest = &much[..1];
        let (read, wrote) = tokio::join!(centre.read_exact(&mut all), device.write_all(rest));
        assert!(read.is_ok() && wrote.is_ok() && all == much);
    };
    joined(&mut from, &mut to, 64 * 1024, both_write).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_lost_and_one_at_rest_is_not() {
    let ((_device, mut from, _), (_centre, mut to, _)) = (leg(), leg());
    joined(&mut from, &mut to, 1024, tokio::time::sleep(SILENCE * 100)).await;
    let (near, _far) = duplex(1024);
    let Carried::Broken(error) = from.over(near, 0).await else { panic!("finished") };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    // Also when it takes nothing.
    let (mut device, mut from, _) = leg();
    device.write_all(&[0; 1024]).await.unwrap();
    let (near, _far) = duplex(1);
    let Carried::Broken(error) = from.over(near, 0).await else { panic!("finished") };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn the_other_side_is_not_believed() {
    async fn against(said: &[u8]) -> String {
        let (_leg, mut carrier, _) = leg();
        let (near, mut far) = duplex(4 * 1024 * 1024);
        far.write_all(said).await.unwrap();
        match carrier.over(near, 0).await {
            Carried::Broken(error) => error.to_string(),
            Carried::Finished => panic!("believed"),
        }
    }
    let frame = |header: Header, body: &[u8]| [&header.encode()[..], body].concat();
    assert!(against(b"HTTP/1.1 200 OK\r\n").await.contains("not in version 1"));
    assert!(against(&frame(Header::Ack, &1u64.to_be_bytes())).await.contains("of which 0 were sent"));
    let after = [frame(Header::Fin, b""), frame(Header::Data(1), b"x")].concat();
    assert_eq!(against(&after).await, LegError::Room.to_string());
    let twice = [frame(Header::Fin, b""), frame(Header::Fin, b"")].concat();
    assert_eq!(against(&twice).await, LegError::Room.to_string());
    let flood = frame(Header::Data(MAX_DATA_BYTES), &vec![0; MAX_DATA_BYTES]).repeat(33);
    assert_eq!(against(&flood).await, LegError::Room.to_string());
    let (mut device, mut carrier, _) = leg();
    device.write_all(b"abc").await.unwrap();
    let (near, _far) = duplex(1024);
    let Carried::Broken(error) = carrier.over(near, 4).await else { panic!("believed") };
    assert_eq!(error.to_string(), LegError::Ahead { claimed: 4, sent: 0 }.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_reason_to_end_reaches_the_other_side_and_the_stream_goes_on() {
    let ((mut device, mut from, there), (mut centre, mut to, here)) = (leg(), leg());
    let story = async {
        here.ask_end("the support centre stops\u{1b}[2J");
        assert_eq!(there.asked_end().await, "the support centre stops\\u{1b}[2J");
        device.write_all(b"goodbye").await.unwrap();
        let mut last = [0; 7];
        centre.read_exact(&mut last).await.unwrap();
        assert_eq!(&last, b"goodbye");
    };
    joined(&mut from, &mut to, 1024, story).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nothing_carries_any_more_is_broken() {
    let (mut leg, carrier, _) = leg();
    drop(carrier);
    assert_eq!(leg.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(leg.write(&[0; 8]).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn a_leg_at_rest_keeps_no_large_buffers() {
    let ((mut device, mut from, _), (mut centre, mut to, _)) = (leg(), leg());
    let much = vec![7; 1024 * 1024];
    let story = async {
        let mut all = vec![0; much.len()];
        let (read, wrote) = tokio::join!(centre.read_exact(&mut all), device.write_all(&much));
        assert!(read.is_ok() && wrote.is_ok());
        tokio::time::sleep(PING_EVERY * 3).await;
        let (one, other) = (device.0.state(), centre.0.state());
        assert!(one.outward.unacknowledged.is_empty() && one.outward.unsent.capacity() <= KEPT_BYTES);
        assert!(other.inward.waiting.capacity() <= KEPT_BYTES);
    };
    joined(&mut from, &mut to, 64 * 1024, story).await;
}

proptest! {
    /// Whatever is cut where, in whatever pieces: the same bytes arrive on both sides, once and in order.
    #[test]
    fn any_cuts_lose_nothing_and_double_nothing(
        sizes in proptest::collection::vec((1usize..40_000, 1usize..40_000), 1..8),
        pieces in proptest::collection::vec((1usize..60_000, 1usize..60_000), 0..8),
        buffer in 1usize..5_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let ((device, mut from, _), (centre, mut to, _)) = (leg(), leg());
            let numbered = |total: usize| (0..=252u8).cycle().take(total).collect::<Vec<u8>>();
            let down = numbered(sizes.iter().map(|(down, _)| down).sum());
            let up = numbered(sizes.iter().map(|(_, up)| up).sum());
            let speak = |mut leg: tokio::io::WriteHalf<Leg>, text: Vec<u8>| async move {
                leg.write_all(&text).await.unwrap();
                leg.shutdown().await.unwrap();
                leg
            };
            let listen = |mut leg: tokio::io::ReadHalf<Leg>, count: Arc<watch::Sender<usize>>| async move {
                let (mut all, mut part) = (Vec::new(), [0; 700]);
                loop {
                    match leg.read(&mut part).await.unwrap() {
                        0 => return all,
                        n => all.extend_from_slice(&part[..n]),
                    }
                    count.send_replace(all.len());
                }
            };
            let ((device_in, device_out), (centre_in, centre_out)) = (tokio::io::split(device), tokio::io::split(centre));
            let counts = [Arc::new(watch::Sender::new(0)), Arc::new(watch::Sender::new(0))];
            let (heard_down, heard_up) = (listen(centre_in, Arc::clone(&counts[0])), listen(device_in, Arc::clone(&counts[1])));
            let talk = async { tokio::join!(speak(device_out, down.clone()), speak(centre_out, up.clone()), heard_down, heard_up) };
            tokio::pin!(talk);
            let mut cuts = pieces.into_iter();
            let heard = loop {
                let (near, far) = duplex(buffer);
                let (there, here) = (to.arrived(), from.arrived());
                let cut = cuts.next();
                let cut_here = async {
                    match cut {
                        Some((down, up)) => {
                            let (mut downs, mut ups) = (counts[0].subscribe(), counts[1].subscribe());
                            tokio::select! {
                                _ = downs.wait_for(|n| *n >= down) => {}
                                _ = ups.wait_for(|n| *n >= up) => {}
                                () = tokio::time::sleep(SILENCE) => {}
                            }
                        }
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    heard = &mut talk => break heard,
                    ends = async { tokio::join!(from.over(near, there), to.over(far, here)) } => {
                        assert!(matches!(ends, (Carried::Finished, Carried::Finished)), "{ends:?}");
                        break talk.await;
                    }
                    () = cut_here => {}
                }
            };
            assert!(heard.2 == down && heard.3 == up, "other bytes than were sent");
        });
    }
}
