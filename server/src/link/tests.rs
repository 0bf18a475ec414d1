//! Agents that fall silent, that take nothing any more, and that come back before their old link is gone.

use std::net::SocketAddr;

use lineman_common::id::SpoolEpoch;
use lineman_common::link::Order;
use lineman_common::statement::Signed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;
use crate::events;
use crate::store::StoreError;
use crate::trust::testing::World;

/// A store with one device, and its link's door.
struct Bench {
    door: Arc<Door>,
    device: Known,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.door.stop.cancel();
    }
}

impl Bench {
    async fn new(silence: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("x.db"), crate::LISTENERS).unwrap();
        let world = store.write(|tx| -> Result<_, StoreError> { Ok(World::found(tx, "JW")) }).await.unwrap();
        let samples = Samples::open(&dir.path().join("health")).unwrap();
        let (links, stop, tasks) = (Links::default(), CancellationToken::new(), TaskTracker::new());
        let door = Arc::new(Door { store, samples, links, stop: stop.clone(), tasks: tasks.clone() });
        let id = world.device.id;
        let key = door.store.read(move |db| trust::device_statement(db, id).map(|(_, statement)| statement.link_key_sha256)).await.unwrap();
        let (served, device) = (Arc::clone(&door), world.device.clone());
        let open =
            move |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(move |socket| serve(served, device, key, socket, silence)) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(open));
        tasks.spawn(axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).into_future());
        Self { door, device: world.device, address, _dir: dir }
    }

    /// An agent that has been welcomed.
    async fn agent(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        // So that little fits between the two.
        socket.set_recv_buffer_size(4096).unwrap();
        let mut agent = socket.connect(self.address).await.unwrap();
        let key = "AAAAAAAAAAAAAAAAAAAAAA==";
        let upgrade = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        agent.write_all(upgrade.as_bytes()).await.unwrap();
        let hello = FromAgent::Hello(Hello {
            protocol: PROTOCOL,
            software: "test 1.0".into(),
            epoch: SpoolEpoch::new(),
            boot_id: "boot".into(),
            capabilities: Vec::new(),
            roster: 1,
        });
        let hello = serde_json::to_vec(&hello).unwrap();
        // Text, masked with zeros.
        let length = u16::try_from(hello.len()).unwrap().to_be_bytes();
        agent.write_all(&[&[0x81, 0x80 | 0x7e], &length[..], &[0; 4], &hello].concat()).await.unwrap();
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains("\"welcome\"") {
            heard.push(agent.read_u8().await.unwrap());
        }
        agent
    }

    /// Whether the device came or went, in their order, and why it went.
    async fn presence(&self) -> (Vec<bool>, String) {
        let device = self.device.id;
        let read = self.door.store.read(move |db| -> Result<_, StoreError> {
            let presence = events::presence_of(db, device)?.into_iter().map(|(_, online)| online).collect();
            let last = events::after(db, &Scope::All, 0, 1000)?.pop();
            Ok((presence, last.map(|event| event.text.raw().to_owned()).unwrap_or_default()))
        });
        read.await.unwrap()
    }

    async fn until(&self, presence: &[bool]) -> String {
        let waiting = async {
            loop {
                let (seen, last) = self.presence().await;
                if seen == presence {
                    return last;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), waiting).await.expect("its presence changes")
    }
}

#[tokio::test]
async fn an_agent_that_falls_silent_is_gone() {
    let bench = Bench::new(Duration::from_secs(1)).await;
    let _agent = bench.agent().await;
    let why = bench.until(&[true, false]).await;
    assert_eq!(why, "ne-1.jw.ne is not connected: nothing was heard for 1 s");
    assert_eq!(bench.door.links.count(), 0);
}

#[tokio::test]
async fn an_agent_that_takes_nothing_is_gone_and_its_orders_wait() {
    let bench = Bench::new(Duration::from_secs(1)).await;
    let device = bench.device.id;
    let large = Order::Roster { signed: Signed { text: "x".repeat(200_000), signature: String::new() } };
    let fill =
        move |tx: &mut crate::store::Tx<'_>| -> Result<(), StoreError> { (0..60).try_for_each(|_| agents::order(tx, device, &large)) };
    bench.door.store.write(fill).await.unwrap();
    let _agent = bench.agent().await;
    let why = bench.until(&[true, false]).await;
    assert_eq!(why, "ne-1.jw.ne is not connected: nothing was taken for 1 s");
    let waiting = bench.door.store.read(move |db| agents::waiting(db, device)).await.unwrap();
    assert!(waiting.len() >= 60, "{}", waiting.len());
}

#[tokio::test]
async fn an_agent_that_comes_back_before_its_old_link_is_gone_stays_connected() {
    let bench = Bench::new(Duration::from_secs(30)).await;
    let mut older = bench.agent().await;
    let newer = bench.agent().await;
    // The server closes it.
    older.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(bench.presence().await.0, [true]);
    drop(newer);
    bench.until(&[true, false]).await;
}
