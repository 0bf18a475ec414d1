//! TLS towards the centre: the authority that was pinned at enrolment, and before that the hash in the token.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use lineman_common::statement::sha256_hex;

use crate::identity::{Identity, ServerAddress};

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the pinned authority or the link certificate is not usable: {0}")]
    Material(#[from] rustls::Error),
    #[error("`{0}` can't be the name in a certificate")]
    Name(String),
    #[error("TLS with the centre at {address}: {source}{hint}")]
    Handshake { address: String, source: std::io::Error, hint: &'static str },
    #[error("TLS with the centre at {address}: it took the connection and said nothing for {seconds} s")]
    Silent { address: String, seconds: u64 },
}

impl TlsError {
    /// A proxy that opens TLS shows a certificate of its own, and no pinned authority stands behind that.
    #[must_use]
    pub fn behind_a_proxy(self) -> Self {
        match self {
            Self::Handshake { address, source, hint: _ } if source.kind() == std::io::ErrorKind::InvalidData => {
                Self::Handshake { address, source, hint: " (does the proxy open TLS? It must let the centre's pass as it is)" }
            }
            other @ (Self::Handshake { .. } | Self::Silent { .. } | Self::Name(_) | Self::Material(_)) => other,
        }
    }
}

/// For the link: our certificate, their pinned authority.
pub fn link_config(identity: &Identity, alpn: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder()
        .with_root_certificates(pinned(identity)?)
        .with_client_auth_cert(identity.link_certificate.clone(), identity.link_key.clone_key())?;
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(Arc::new(config))
}

/// For session legs: their pinned authority. The device proves itself by what the link told it of the leg, and inside by its host key.
pub fn leg_config(identity: &Identity, alpn: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder().with_root_certificates(pinned(identity)?).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(Arc::new(config))
}

fn pinned(identity: &Identity) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in &identity.ca {
        roots.add(certificate.clone())?;
    }
    Ok(roots)
}

/// For enrolment: believes a server only under an authority whose key has this hash.
pub fn enrolment_config(ca_spki_sha256: &str) -> Arc<ClientConfig> {
    let verifier = PinnedAuthority {
        spki_sha256: ca_spki_sha256.to_ascii_lowercase(),
        algorithms: ring::default_provider().signature_verification_algorithms,
    };
    let mut config = ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// TLS on a connection that leads to the centre.
pub async fn handshake(address: &ServerAddress, stream: TcpStream, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, TlsError> {
    let name = address.name().map_err(|_| TlsError::Name(address.host.clone()))?;
    let failed = |source| TlsError::Handshake { address: address.to_string(), source, hint: "" };
    TlsConnector::from(config).connect(name, stream).await.map_err(failed)
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo, in hexadecimal.
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(sha256_hex(parsed.tbs_certificate.subject_pki.raw))
}

/// The chain must hold a certificate whose key has the token's hash; from there on the usual rules apply, with that
/// certificate as the only root. Neither a public authority nor the server's own word counts.
#[derive(Debug)]
struct PinnedAuthority {
    spki_sha256: String,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| spki_sha256(certificate).as_deref() == Some(&self.spki_sha256))
            .ok_or_else(|| rustls::Error::General("the server does not show the authority that the enrolment token names".into()))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder(Arc::new(roots))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
