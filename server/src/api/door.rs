//! The one port: TLS for browsers, clients and agents, and plain session legs, told apart by their first byte and ALPN.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioIo, TokioTimer};
use lineman_common::statement::sha256_hex;
use lineman_common::{leg, link};
use rustls::ServerConfig;
use rustls::server::{Acceptor, WebPkiClientVerifier};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::gateway::{self, Platform};
use crate::link::LinkKey;
use crate::trust::Authority;

/// TLS record type of a ClientHello; a leg's greeting begins with a letter.
const TLS_HANDSHAKE: u8 = 0x16;
/// A peer that can't say hello in this time is none.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

pub struct Door {
    pub router: Router,
    pub platform: Platform,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    tls: Tls,
}

/// Browsers are never asked for a certificate; agents always are.
struct Tls {
    people: Arc<ServerConfig>,
    agents: Arc<ServerConfig>,
    /// Session legs from networks that let nothing but TLS through. What they carry protects itself.
    legs: Arc<ServerConfig>,
}

impl Tls {
    fn new(authority: &Authority, names: &[String]) -> anyhow::Result<Self> {
        let leaf = authority.leaf(names)?;
        let mut legs = ServerConfig::builder().with_no_client_auth().with_single_cert(leaf.chain.clone(), leaf.key.clone_key())?;
        legs.alpn_protocols = vec![leg::ALPN.to_vec()];
        let mut people = ServerConfig::builder().with_no_client_auth().with_single_cert(leaf.chain.clone(), leaf.key.clone_key())?;
        people.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.ca_der().clone())?;
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
        let mut agents = ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(leaf.chain, leaf.key)?;
        agents.alpn_protocols = vec![link::ALPN.to_vec()];
        Ok(Self { people: Arc::new(people), agents: Arc::new(agents), legs: Arc::new(legs) })
    }
}

impl Door {
    pub fn new(
        router: Router,
        platform: Platform,
        authority: &Authority,
        names: &[String],
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> anyhow::Result<Self> {
        Ok(Self { router, platform, stop, tasks, tls: Tls::new(authority, names)? })
    }
}

/// Takes connections until the server stops.
pub async fn serve(door: Door, listener: TcpListener) {
    let door = Arc::new(door);
    loop {
        tokio::select! {
            () = door.stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let door = Arc::clone(&door);
                    door.tasks.clone().spawn(async move { door.connection(stream).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

impl Door {
    async fn connection(&self, stream: TcpStream) {
        gateway::tune(&stream);
        let mut first = [0];
        match tokio::time::timeout(HANDSHAKE_PATIENCE, stream.peek(&mut first)).await {
            Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => self.tls(stream).await,
            Ok(Ok(1)) => self.platform.arrived(stream).await,
            Ok(_) | Err(_) => {}
        }
    }

    async fn tls(&self, stream: TcpStream) {
        let handshake = async {
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
            let offers = |wanted: &[u8]| start.client_hello().alpn().is_some_and(|mut alpn| alpn.any(|protocol| protocol == wanted));
            let (config, is_leg) = match (offers(link::ALPN), offers(leg::ALPN)) {
                (true, _) => (&self.tls.agents, false),
                (false, true) => (&self.tls.legs, true),
                (false, false) => (&self.tls.people, false),
            };
            Ok::<_, std::io::Error>((start.into_stream(Arc::clone(config)).await?, is_leg))
        };
        let stream = match tokio::time::timeout(HANDSHAKE_PATIENCE, handshake).await {
            Ok(Ok((stream, true))) => return self.platform.arrived(stream).await,
            Ok(Ok((stream, false))) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => return,
        };
        let link_key = stream.get_ref().1.peer_certificates().and_then(|chain| spki_sha256(chain.first()?)).map(LinkKey);
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request: Request = request.map(axum::body::Body::new);
            if let Some(key) = link_key.clone() {
                request.extensions_mut().insert(key);
            }
            router.clone().oneshot(request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(30))
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }
}

fn spki_sha256(certificate: &rustls::pki_types::CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(sha256_hex(certificate.tbs_certificate.subject_pki.raw))
}
