//! A centre as far as a device's dialling can see: one port, TLS under an authority of its own, links and legs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use lineman_agent::identity;
use lineman_common::link::{FromAgent, PROTOCOL, ToAgent};
use lineman_common::statement::device;
use lineman_common::{leg, link};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{Acceptor, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use ssh_key::{Algorithm, LineEnding, PrivateKey};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::LazyConfigAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::TaskTracker;

/// What the centre does that it should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Honest,
    /// Takes connections, and says nothing.
    Mute,
    /// Says nothing after the welcome, and hears nothing.
    DeafAfterWelcome,
    /// Answers hello with nothing.
    Unwelcoming,
}

/// An authority, and what it vouches for.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn server(&self) -> (ServerConfig, ServerConfig, ServerConfig) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1", "::1", "localhost"].map(str::to_owned).to_vec()).unwrap();
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
        let key = || PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let with = |alpn: &[u8], agents: bool| {
            let builder = ServerConfig::builder();
            let builder =
                if agents { builder.with_client_cert_verifier(Arc::clone(&verifier) as _) } else { builder.with_no_client_auth() };
            let mut config = builder.with_single_cert(chain.clone(), key()).unwrap();
            config.alpn_protocols = vec![alpn.to_vec()];
            config
        };
        (with(link::ALPN, true), with(leg::ALPN, false), with(b"http/1.1", false))
    }

    /// The files that an enrolment with this authority leaves.
    pub fn enrol(&self, dir: &Path, server: &str, config: &str) {
        let key = |()| PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap();
        let [root, approver, host] = [(), (), ()].map(key);
        let link = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let mut params = CertificateParams::new(vec!["ne-1.jw.ne".into()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let now = jiff::Timestamp::now();
        let expiry = now + jiff::SignedDuration::from_hours(240);
        let line =
            |who: &str, space: &str, key: &PrivateKey| format!("{who} namespaces=\"{space}\" {}\n", device::openssh(key.public_key()));
        let head = format!("# lineman-list: signers JW\n# counter: 1\n# issued: {now}\n# expiry: {expiry}\n");
        for (name, content) in [
            (identity::DEVICE, "ne-1.jw.ne\n".to_owned()),
            (identity::HOST_KEY, host.to_openssh(LineEnding::LF).unwrap().to_string()),
            (identity::LINK_KEY, link.serialize_pem()),
            (identity::LINK_CERTIFICATE, params.signed_by(&link, &self.issuer).unwrap().pem()),
            (identity::CA, self.certificate.pem()),
            (identity::SERVER, format!("{server}\n")),
            (identity::SIGNERS, head + &line("approver-jw", "consent@lineman", &approver)),
            (identity::VENDOR_ROOT, line("vendor-root", "roster@lineman", &root)),
            ("agent.toml", config.to_owned()),
        ] {
            std::fs::write(dir.join(name), content).unwrap();
        }
    }
}

/// Runs on a thread of its own until it is dropped.
pub struct Centre {
    runtime: Option<Runtime>,
    pub address: SocketAddr,
    links: Arc<AtomicUsize>,
}

struct Shared {
    manner: Manner,
    link: Arc<ServerConfig>,
    leg: Arc<ServerConfig>,
    people: Arc<ServerConfig>,
    links: Arc<AtomicUsize>,
    tasks: TaskTracker,
}

impl Centre {
    pub fn start(authority: &Authority, address: &str, manner: Manner) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // The port may have been another centre's a moment ago.
        let listener = eventually("a free port", || runtime.block_on(TcpListener::bind(address)).ok());
        let address = listener.local_addr().unwrap();
        let links = Arc::new(AtomicUsize::new(0));
        let (link, leg, people) = authority.server();
        let [link, leg, people] = [link, leg, people].map(Arc::new);
        let shared = Arc::new(Shared { manner, link, leg, people, links: Arc::clone(&links), tasks: TaskTracker::new() });
        shared.tasks.clone().spawn_on(serve(shared, listener), runtime.handle());
        Self { runtime: Some(runtime), address, links }
    }

    /// How many links have said hello.
    pub fn links(&self) -> usize {
        self.links.load(Ordering::SeqCst)
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let connection = Arc::clone(&shared);
        // Whoever is cut off is a device's matter, not this one's.
        shared.tasks.spawn(async move { connection.take(stream).await.ok() });
    }
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Shared {
    async fn take(&self, stream: TcpStream) -> Outcome {
        let mut first = [0];
        if self.manner == Manner::Mute {
            return std::future::pending().await;
        }
        if stream.peek(&mut first).await? == 1 && first[0] != 0x16 {
            return legs(stream).await;
        }
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let wants = |wanted: &[u8]| start.client_hello().alpn().is_some_and(|mut alpn| alpn.any(|protocol| protocol == wanted));
        let (is_link, is_leg) = (wants(link::ALPN), wants(leg::ALPN));
        let config = if is_link {
            &self.link
        } else if is_leg {
            &self.leg
        } else {
            &self.people
        };
        let stream = start.into_stream(Arc::clone(config)).await?;
        if is_link { self.link(stream).await } else { legs(stream).await }
    }

    async fn link(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Outcome {
        let mut socket = tokio_tungstenite::accept_async(stream).await?;
        let hello = socket.next().await.ok_or("no hello")??;
        let FromAgent::Hello(_) = serde_json::from_str(hello.to_text()?)? else { return Err("not a hello".into()) };
        self.links.fetch_add(1, Ordering::SeqCst);
        if self.manner == Manner::Unwelcoming {
            return std::future::pending().await;
        }
        let welcome = ToAgent::Welcome { protocol: PROTOCOL, stored: std::collections::BTreeMap::new() };
        socket.send(Message::text(serde_json::to_string(&welcome)?)).await?;
        if self.manner == Manner::DeafAfterWelcome {
            return std::future::pending().await;
        }
        while let Some(message) = socket.next().await {
            // Answers pings.
            message?;
            socket.flush().await?;
        }
        Ok(())
    }
}

/// A leg's greeting is refused; any other line comes back, and so does what follows.
async fn legs(stream: impl AsyncRead + AsyncWrite + Unpin) -> Outcome {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    if line.starts_with("LINEMAN-LEG/1 ") {
        stream.write_all(b"LINEMAN-LEG/1 NO nobody waits for this leg\n").await?;
        stream.shutdown().await?;
        return Ok(());
    }
    stream.write_all(line.as_bytes()).await?;
    loop {
        stream.flush().await?;
        let mut bytes = [0; 1024];
        let n = stream.read(&mut bytes).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&bytes[..n]).await?;
    }
}

/// Waits for a condition; generous, because it decides and doesn't measure.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        match condition() {
            Some(value) => return value,
            None => assert!(Instant::now() < deadline, "{what}: it does not come"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
