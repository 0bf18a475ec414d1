//! A hostile device: the agent is killed, and this speaks on its link, with its keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lineman_common::id::SpoolEpoch;
use lineman_common::link::{ALPN, FromAgent, Hello, PROTOCOL, RecordingFrame, Report, Stream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::{Demo, PATIENCE, eventually};

pub struct HostileDevice {
    runtime: Runtime,
    socket: Mutex<WebSocketStream<TlsStream<TcpStream>>>,
    sent: AtomicU64,
}

impl HostileDevice {
    /// The agent of this element is killed, and its link is ours.
    pub fn take_over(demo: &Demo, handle: &str) -> Self {
        demo.kill(handle);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let state = demo.agent(handle);
        let read = |name: &str| std::fs::read(state.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&read("ca.pem")).expect("the authority")).expect("a root");
        let chain = vec![CertificateDer::from_pem_slice(&read("link.pem")).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(&read("link.key")).expect("a key");
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key).expect("a configuration");
        config.alpn_protocols = vec![ALPN.to_vec()];
        let (config, server) = (Arc::new(config), demo.server().trim_start_matches("https://").to_owned());
        let socket = eventually("a link", || runtime.block_on(connect(&server, Arc::clone(&config))).map_err(|e| e.to_string()));
        Self { runtime, socket: Mutex::new(socket), sent: AtomicU64::new(0) }
    }

    /// Anything, as a text frame.
    pub fn say(&self, text: &str) {
        self.send(Message::Text(text.to_owned().into()));
    }

    pub fn report(&self, report: &Report) {
        let body = RawValue::from_string(serde_json::to_string(report).expect("JSON")).expect("JSON");
        let seq = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        self.say(&serde_json::to_string(&FromAgent::Report { stream: Stream::Events, seq, body }).expect("JSON"));
    }

    /// A recording chunk's line.
    pub fn chunk(&self, line: &str) {
        self.send(Message::Binary(RecordingFrame { seq: 1, line: line.as_bytes() }.encode().into()));
    }

    fn send(&self, message: Message) {
        // A link that the centre has closed meanwhile takes nothing; `closed` is how to ask for that.
        self.runtime.block_on(async { drop(self.socket.lock().await.send(message).await) });
    }

    /// Until the centre has stored everything that was reported.
    pub fn acknowledged(&self) {
        let wanted = format!("\"seq\":{}", self.sent.load(Ordering::Relaxed));
        self.until("the last report is acknowledged", |message| match message {
            Some(Ok(Message::Text(text))) => text.contains("ack") && text.contains("events") && text.contains(&wanted),
            Some(Ok(_)) => false,
            other => panic!("the link ended: {other:?}"),
        });
    }

    /// Until the centre has closed the link.
    pub fn closed(&self) {
        self.until("the centre closes the link", |message| !matches!(message, Some(Ok(message)) if !matches!(message, Message::Close(_))));
    }

    fn until(&self, what: &str, is_it: impl Fn(&Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> bool) {
        self.runtime.block_on(async {
            let mut socket = self.socket.lock().await;
            let wait = async {
                loop {
                    let message = socket.next().await;
                    if is_it(&message) {
                        return;
                    }
                }
            };
            assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{what}: not in time");
        });
    }
}

async fn connect(server: &str, config: Arc<ClientConfig>) -> Result<WebSocketStream<TlsStream<TcpStream>>, Box<dyn std::error::Error>> {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host).to_owned();
    let tcp = TcpStream::connect(server).await?;
    let stream = TlsConnector::from(config).connect(ServerName::try_from(host)?, tcp).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("wss://{server}/agent/v1/link"), stream).await?;
    let hello = Hello {
        protocol: PROTOCOL,
        software: "hostile 1.0".into(),
        epoch: SpoolEpoch::new(),
        boot_id: "hostile".into(),
        capabilities: Vec::new(),
        roster: u64::MAX >> 1,
    };
    socket.send(Message::Text(serde_json::to_string(&FromAgent::Hello(hello))?.into())).await?;
    // The welcome, so that what follows is not taken for a greeting.
    let _ = tokio::time::timeout(Duration::from_secs(10), socket.next()).await?;
    Ok(socket)
}
