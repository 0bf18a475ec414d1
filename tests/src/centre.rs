//! A hostile centre: it has everything that the honest one had (authority, gateway keys, database, the address), speaks to the real
//! agents over their own links, and obeys nothing. What a device refuses here, no centre can do.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use lineman_common::id::{ConsentId, LegId};
use lineman_common::leg::{self, Greeting, Offer, Secret};
use lineman_common::link::{ALPN, FromAgent, Order, Outcome, PROTOCOL, RecordingFrame, Report, Stream, ToAgent};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Demo, PATIENCE, eventually};

type Reply = oneshot::Sender<Outcome>;

/// The honest server is killed, and this sits in its place until it is dropped.
pub struct HostileCentre {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
}

struct Shared {
    links: Mutex<HashMap<String, mpsc::Sender<(Order, Reply)>>>,
    /// Reports by device, in their order.
    heard: Mutex<HashMap<String, Vec<Report>>>,
    /// Recording chunks by device.
    chunks: Mutex<HashMap<String, Vec<String>>>,
    legs: Mutex<HashMap<LegId, oneshot::Sender<(TcpStream, Greeting)>>>,
    /// Everything that went over legs, both ways.
    wire: Mutex<Vec<u8>>,
    next: AtomicU64,
    acknowledges: AtomicBool,
    /// Cancelled and renewed to cut every link.
    cut: Mutex<CancellationToken>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HostileCentre {
    pub fn take_over(demo: &Demo) -> Self {
        Self::sit_down(demo, &demo.dir().join("server"))
    }

    /// On the honest one's address, but with an authority of its own making.
    pub fn imposter(demo: &Demo) -> Self {
        let dir = demo.scratch("imposter");
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Lineman support centre");
        std::fs::write(dir.join("ca.pem"), params.self_signed(&key).expect("a certificate").pem()).expect("a file");
        std::fs::write(dir.join("ca.key"), key.serialize_pem()).expect("a file");
        Self::sit_down(demo, &dir)
    }

    fn sit_down(demo: &Demo, authority: &Path) -> Self {
        let address: SocketAddr = demo.server().trim_start_matches("https://").parse().expect("an address");
        demo.kill("server");
        let tls = TlsAcceptor::from(Arc::new(tls(authority, address)));
        let shared = Arc::new(Shared {
            links: Mutex::default(),
            heard: Mutex::default(),
            chunks: Mutex::default(),
            legs: Mutex::default(),
            wire: Mutex::default(),
            next: AtomicU64::new(1 << 50),
            acknowledges: AtomicBool::new(true),
            cut: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener =
            eventually("the honest server's port is free", || runtime.block_on(TcpListener::bind(address)).map_err(|e| e.to_string()));
        shared.tasks.spawn_on(serve(Arc::clone(&shared), listener, tls), runtime.handle());
        Self { runtime: Some(runtime), shared }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it runs until it is dropped")
    }

    /// Any order, whether or not an honest centre would give it.
    pub fn order(&self, device: &str, order: &Order) -> Outcome {
        let link = eventually("the device is on the line", || {
            let links = lock(&self.shared.links);
            links.get(device).cloned().ok_or_else(|| format!("{:?}", links.keys()))
        });
        let order = order.clone();
        self.runtime().block_on(async move {
            let (reply, outcome) = oneshot::channel();
            link.send((order, reply)).await.expect("the link stands");
            tokio::time::timeout(PATIENCE, outcome).await.expect("an answer in time").expect("an answer")
        })
    }

    /// The reason of a refusal; anything else is a failed test.
    pub fn refused(&self, device: &str, order: &Order) -> String {
        match self.order(device, order) {
            Outcome::Refused { reason } => reason,
            Outcome::Done { answer } => panic!("{device} obeyed: {answer:?}"),
        }
    }

    pub fn done(&self, device: &str, order: &Order) -> lineman_common::link::Answer {
        match self.order(device, order) {
            Outcome::Done { answer } => answer,
            Outcome::Refused { reason } => panic!("{device} refused: {reason}"),
        }
    }

    /// Has the device dial a leg, and gives it to whoever connects to the port that this answers: no gateway in between.
    pub fn leg(&self, device: &str, key: &str, consent: Option<ConsentId>) -> Result<u16, String> {
        let offer = Offer { id: LegId::new(), secret: Secret::new([6; 32]) };
        let (arrived, arrival) = oneshot::channel();
        lock(&self.shared.legs).insert(offer.id, arrived);
        if let Outcome::Refused { reason } = self.order(device, &Order::Open { key: key.to_owned(), leg: offer.clone(), consent }) {
            return Err(reason);
        }
        self.runtime().block_on(async {
            let leg = tokio::time::timeout(PATIENCE, arrival).await.expect("a leg in time").expect("a leg");
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let shared = Arc::clone(&self.shared);
            self.shared.tasks.spawn(async move {
                if let Ok((ssh, _)) = listener.accept().await {
                    let _ = carry(&shared, ssh, &offer, leg).await;
                }
            });
            Ok(port)
        })
    }

    pub fn heard(&self, device: &str) -> Vec<Report> {
        lock(&self.shared.heard).get(device).cloned().unwrap_or_default()
    }

    /// The chunks of recordings that came, as lines.
    pub fn chunks(&self, device: &str) -> Vec<String> {
        lock(&self.shared.chunks).get(device).cloned().unwrap_or_default()
    }

    /// Everything that went over legs, both ways.
    pub fn wire(&self) -> Vec<u8> {
        lock(&self.shared.wire).clone()
    }

    /// Cuts every link; the devices come back by themselves.
    pub fn drop_links(&self) {
        lock(&self.shared.links).clear();
        std::mem::take(&mut *lock(&self.shared.cut)).cancel();
    }

    /// Whether it acknowledges what it is told.
    pub fn acknowledge(&self, yes: bool) {
        self.shared.acknowledges.store(yes, Ordering::Relaxed);
    }
}

impl Drop for HostileCentre {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

/// With the stolen authority anybody can be the centre.
fn tls(server: &Path, address: SocketAddr) -> ServerConfig {
    let read = |name: &str| std::fs::read_to_string(server.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (pem, key) = (read("ca.pem"), KeyPair::from_pem(&read("ca.key")).expect("the authority's key"));
    let issuer = Issuer::from_ca_cert_pem(&pem, key).expect("the authority");
    let own = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let mut params = CertificateParams::new([address.ip().to_string(), "localhost".to_owned()]).expect("names");
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&own, &issuer).expect("a certificate");
    let authority = CertificateDer::from_pem_slice(pem.as_bytes()).expect("the authority");
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).expect("a root");
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let chain = vec![certificate.der().clone(), authority];
    let mut config = ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key).expect("a configuration");
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}

async fn serve(shared: Arc<Shared>, listener: TcpListener, tls: TlsAcceptor) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            () = shared.stop.cancelled() => return,
        };
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        shared.tasks.clone().spawn(async move {
            let mut first = [0];
            match stream.peek(&mut first).await {
                Ok(1) if first[0] == 0x16 => link(&shared, &tls, stream).await,
                Ok(_) => arrived(&shared, stream).await,
                Err(_) => {}
            }
        });
    }
}

async fn link(shared: &Shared, tls: &TlsAcceptor, stream: TcpStream) {
    let Ok(stream) = tls.accept(stream).await else { return };
    let name = stream.get_ref().1.peer_certificates().and_then(|chain| common_name(chain.first()?));
    let (Some(name), Ok(mut socket)) = (name, tokio_tungstenite::accept_async(stream).await) else { return };
    let (orders, mut to_give) = mpsc::channel::<(Order, Reply)>(16);
    let mut waiting: HashMap<u64, Reply> = HashMap::new();
    let cut = lock(&shared.cut).clone();
    loop {
        let answer = tokio::select! {
            Some((order, reply)) = to_give.recv() => {
                let id = shared.next.fetch_add(1, Ordering::Relaxed);
                waiting.insert(id, reply);
                Some(ToAgent::Order { id, order })
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(FromAgent::Hello(_)) => {
                        lock(&shared.links).insert(name.clone(), orders.clone());
                        Some(ToAgent::Welcome { protocol: PROTOCOL, stored: [].into() })
                    }
                    Ok(FromAgent::Report { stream, seq, body }) => {
                        let report = serde_json::from_str(body.get()).expect("a report that reads");
                        lock(&shared.heard).entry(name.clone()).or_default().push(report);
                        Some(ToAgent::Ack { stream, seq })
                    }
                    Ok(FromAgent::Answer { order, outcome }) => {
                        if let Some(reply) = waiting.remove(&order) {
                            let _ = reply.send(outcome);
                        }
                        None
                    }
                    Err(error) => panic!("{name} said what can't be read: {error}: {text}"),
                },
                Some(Ok(Message::Binary(bytes))) => {
                    let frame = RecordingFrame::decode(&bytes).expect("a recording frame");
                    let line = String::from_utf8_lossy(frame.line).into_owned();
                    lock(&shared.chunks).entry(name.clone()).or_default().push(line);
                    Some(ToAgent::Ack { stream: Stream::Recording, seq: frame.seq })
                }
                Some(Ok(_)) => None,
                Some(Err(_)) | None => return,
            },
            () = shared.stop.cancelled() => return,
            () = cut.cancelled() => return,
        };
        let held = matches!(answer, Some(ToAgent::Ack { .. })) && !shared.acknowledges.load(Ordering::Relaxed);
        if let Some(answer) = answer.filter(|_| !held) {
            let text = serde_json::to_string(&answer).expect("JSON");
            if socket.send(Message::Text(text.into())).await.is_err() {
                return;
            }
        }
    }
}

fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    parsed.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned)
}

/// A leg's greeting.
async fn arrived(shared: &Shared, mut stream: TcpStream) {
    let mut line = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        if byte == b'\n' {
            break;
        }
        line.push(byte);
    }
    let line = String::from_utf8_lossy(&line).into_owned();
    let Ok(greeting) = line.parse::<Greeting>() else { return };
    let waiting = lock(&shared.legs).remove(&greeting.leg);
    if let Some(waiting) = waiting {
        let _ = waiting.send((stream, greeting));
    }
}

/// Bytes on the one side, a leg on the other.
async fn carry(shared: &Shared, ssh: TcpStream, offer: &Offer, (mut wire, greeting): (TcpStream, Greeting)) -> io::Result<()> {
    let (leg, mut carrier, _) = leg::leg();
    wire.write_all(offer.reply(greeting.attempt, carrier.arrived()).as_bytes()).await?;
    let (from_ssh, to_ssh) = ssh.into_split();
    let (from_leg, to_leg) = tokio::io::split(leg);
    let copying = async {
        let both = tokio::try_join!(copy(shared, from_ssh, to_leg), copy(shared, from_leg, to_ssh));
        both.map(drop)
    };
    tokio::join!(carrier.over(wire, greeting.taken), copying).1
}

async fn copy(shared: &Shared, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut buffer).await?;
        lock(&shared.wire).extend_from_slice(&buffer[..n]);
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..n]).await?;
    }
}
