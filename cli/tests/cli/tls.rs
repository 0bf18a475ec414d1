//! The CA of the file is believed, and no other.

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{ends, lineman, run, stderr};

/// A CA and a server certificate for 127.0.0.1: (CA in PEM, configuration).
fn identity() -> (String, ServerConfig) {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &Issuer::from_ca_cert_pem(&ca.pem(), ca_key).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .unwrap();
    (ca.pem(), config)
}

#[test]
fn only_the_named_ca_is_believed() {
    let (ca, config) = identity();
    let (other_ca, _) = identity();
    let home = tempfile::tempdir().unwrap();
    let (right, wrong) = (home.path().join("ca.pem"), home.path().join("other.pem"));
    std::fs::write(&right, ca).unwrap();
    std::fs::write(&wrong, other_ca).unwrap();

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let config = Arc::new(config);
        // Two strangers hang up during the handshake, one friend gets an answer.
        let mut answered = 0;
        for _ in 0..3 {
            let (socket, _) = listener.accept().unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|length| length > 0) {
                let body = r#"{"items":[],"as_of":"2026-11-22T00:00:00Z"}"#;
                let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                stream.conn.send_close_notify();
                let _ = stream.flush();
                answered += 1;
            }
        }
        answered
    });
    let list = |ca: Option<&std::path::Path>| {
        let mut command = lineman(home.path());
        command.env("LINEMAN_SERVER", &url).env("LINEMAN_TOKEN", "token-1");
        if let Some(ca) = ca {
            command.env("LINEMAN_CA", ca);
        }
        run(&mut command, &["fault", "list"])
    };
    for ca in [None, Some(wrong.as_path())] {
        let output = list(ca);
        ends(&output, 7);
        assert!(stderr(&output).contains("ca.pem"), "{}", stderr(&output));
    }
    ends(&list(Some(&right)), 0);
    assert_eq!(server.join().unwrap(), 1);

    std::fs::write(&wrong, "no certificate\n").unwrap();
    ends(&list(Some(&wrong)), 1);
    ends(&list(Some(&home.path().join("absent"))), 1);
}
