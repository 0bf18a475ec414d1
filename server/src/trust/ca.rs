//! The centre's certificate authority: made at the first start, known to devices by the hash of its key.

use std::path::Path;

use lineman_common::statement::sha256_hex;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};

#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("{0}")]
    Rcgen(#[from] rcgen::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the authority's certificate can't be read: {0}")]
    Pem(String),
}

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
    pub spki_sha256: String,
}

/// A certificate for a device's link.
pub struct Issued {
    pub pem: String,
    pub spki_sha256: String,
}

/// The server's own certificate chain and key.
pub struct Leaf {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Makes an authority; writes `ca.pem` and `ca.key` (0600) into `dir`.
    pub fn create(dir: &Path) -> Result<(), CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = named("Lineman support centre");
        params.not_after = rcgen::date_time_ymd(2056, 1, 1);
        crate::store::files::write_new(&dir.join("ca.key"), key.serialize_pem().as_bytes(), 0o600)?;
        crate::store::files::write_new(&dir.join("ca.pem"), params.self_signed(&key)?.pem().as_bytes(), 0o644)?;
        Ok(())
    }

    pub fn open(dir: &Path) -> Result<Self, CaError> {
        let pem = std::fs::read_to_string(dir.join("ca.pem"))?;
        let key = KeyPair::from_pem(&std::fs::read_to_string(dir.join("ca.key"))?)?;
        let spki_sha256 = sha256_hex(key.subject_public_key_info());
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| CaError::Pem(e.to_string()))?;
        Ok(Self { issuer: Issuer::from_ca_cert_pem(&pem, key)?, pem, der, spki_sha256 })
    }

    pub fn ca_pem(&self) -> &str {
        &self.pem
    }

    pub fn ca_der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Signs a device's link key. Nothing of the request but its key is used.
    pub fn issue(&self, csr_pem: &str, device: &str) -> Result<Issued, CaError> {
        let mut csr = CertificateSigningRequestParams::from_pem(csr_pem)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(device);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = rcgen::date_time_ymd(2056, 1, 1);
        csr.params = params;
        let spki_sha256 = sha256_hex(csr.public_key.subject_public_key_info());
        Ok(Issued { pem: csr.signed_by(&self.issuer)?.pem(), spki_sha256 })
    }

    /// A fresh certificate for the server itself, for the names by which it is reached.
    pub fn leaf(&self, names: &[String]) -> Result<Leaf, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name = named("lineman-server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_after = rcgen::date_time_ymd(2056, 1, 1);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Leaf { chain: vec![certificate.der().clone(), self.der.clone()], key })
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
