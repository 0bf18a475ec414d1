//! A simulated device: real enrolment, real certificate, real link.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use lineman_common::id::SpoolEpoch;
use lineman_common::link::{ALPN, EnrolmentToken, FromAgent, Hello, PROTOCOL, Report, Stream, ToAgent};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::centre::{Api, Centre};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Reports on their way that are not acknowledged yet.
const WINDOW: u64 = 1000;

pub struct Agent {
    config: Arc<ClientConfig>,
    epoch: SpoolEpoch,
    /// Of the newest report.
    sent: u64,
}

pub struct Link {
    up: SplitSink<Socket, Message>,
    down: SplitStream<Socket>,
    pub acknowledged: u64,
}

impl Agent {
    pub async fn enrol(centre: &Centre, api: &Api, name: &str) -> anyhow::Result<Self> {
        let token = api.post(&format!("/api/v1/equipment/{name}/enrolment-token"), &json!({})).await?;
        let token: EnrolmentToken = token["token"].as_str().context("a token")?.parse()?;
        let key = KeyPair::generate()?;
        let csr = CertificateParams::new(Vec::new())?.serialize_request(&key)?.pem()?;
        let reply = api.post("/agent/v1/enrol", &json!({"secret": token.secret, "csr": csr, "host_key": centre.host_key})).await?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(reply["ca"].as_str().context("the authority")?.as_bytes())?)?;
        let chain = vec![CertificateDer::from_pem_slice(reply["certificate"].as_str().context("a certificate")?.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes())?;
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), epoch: SpoolEpoch::new(), sent: 0 })
    }

    /// A link that was greeted; what the centre has stored is known.
    pub async fn connect(&self, address: &str) -> anyhow::Result<Link> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).to_owned();
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(ServerName::try_from(host)?, tcp).await?;
        let (socket, _) = tokio_tungstenite::client_async(format!("wss://{address}/agent/v1/link"), stream).await?;
        let (mut up, mut down) = socket.split();
        let hello = Hello {
            protocol: PROTOCOL,
            software: "bench 1.0".into(),
            epoch: self.epoch,
            boot_id: "bench".into(),
            capabilities: Vec::new(),
            roster: u64::MAX >> 1,
        };
        up.send(text(&FromAgent::Hello(hello))?).await?;
        loop {
            if let ToAgent::Welcome { stored, .. } = hear(&mut up, &mut down).await? {
                let stored: BTreeMap<Stream, u64> = stored;
                return Ok(Link { up, down, acknowledged: stored.get(&Stream::Events).copied().unwrap_or(0) });
            }
        }
    }

    /// Sends all of them, as fast as the window lets, and waits until the last one is acknowledged.
    pub async fn send(&mut self, link: &mut Link, reports: impl IntoIterator<Item = Report>) -> anyhow::Result<()> {
        for report in reports {
            self.sent += 1;
            let body = RawValue::from_string(serde_json::to_string(&report)?)?;
            link.up.feed(text(&FromAgent::Report { stream: Stream::Events, seq: self.sent, body })?).await?;
            while self.sent - link.acknowledged >= WINDOW {
                link.up.flush().await?;
                link.hear().await?;
            }
        }
        link.up.flush().await?;
        while link.acknowledged < self.sent {
            link.hear().await?;
        }
        Ok(())
    }

    pub const fn sent(&self) -> u64 {
        self.sent
    }
}

impl Link {
    async fn hear(&mut self) -> anyhow::Result<()> {
        match hear(&mut self.up, &mut self.down).await? {
            ToAgent::Ack { stream: Stream::Events, seq } => self.acknowledged = self.acknowledged.max(seq),
            ToAgent::Goodbye { reason, .. } => bail!("the centre closed the link: {reason}"),
            ToAgent::Ack { .. } | ToAgent::Order { .. } | ToAgent::Welcome { .. } => {}
        }
        Ok(())
    }
}

fn text(message: &FromAgent) -> anyhow::Result<Message> {
    Ok(Message::Text(serde_json::to_string(message)?.into()))
}

async fn hear(up: &mut SplitSink<Socket, Message>, down: &mut SplitStream<Socket>) -> anyhow::Result<ToAgent> {
    loop {
        match down.next().await.context("the link ended")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            // The answer to a ping waits until something is flushed.
            Message::Ping(_) => up.flush().await?,
            Message::Close(_) => bail!("the centre closed the link"),
            Message::Binary(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}
