//! OpenSSH signatures (SSHSIG) over statements.

use serde::{Deserialize, Serialize};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, Fingerprint, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::Refused;

words! {
    /// What a signature is for. A signature for one purpose is worth nothing for another.
    pub enum Namespace {
        /// The vendor root over the engineers' list.
        Roster = "roster@lineman",
        /// The vendor root over a customer's list of device vouchers.
        Anchors = "anchors@lineman",
        /// An engineer over a request for a session.
        Request = "request@lineman",
        /// A carrier's signer over a consent.
        Consent = "consent@lineman",
        /// A carrier's signer over a consent, with a key in a page that the vendor's centre serves.
        ConsentBrowser = "consent-browser@lineman",
        /// A carrier's signer over a standing statement.
        Standing = "standing@lineman",
        /// A carrier's technician over a device's identity.
        Device = "device@lineman",
        /// A carrier's key that may change the list of its signers.
        Signers = "signers@lineman",
        /// A carrier's key that may change a device's configuration.
        Config = "config@lineman",
        /// The centre's SSH gateway, in the roster.
        Gateway = "gateway@lineman",
        /// A device over its recordings.
        Recording = "recording@lineman",
        /// A device over what it holds: lists, policy, stops.
        Receipt = "receipt@lineman",
        /// A device over what its administrator did there.
        Local = "local@lineman",
    }
}

/// A text and a signature over exactly these bytes; nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Signed {
    /// The bytes that were signed.
    pub text: String,
    /// The armoured signature, as `ssh-keygen -Y sign` writes it.
    pub signature: String,
}

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("RSA keys are not accepted: use Ed25519 (ssh-keygen -t ed25519), ECDSA or a FIDO key")]
    Rsa,
    #[error("the key can't sign: {0}")]
    Key(#[from] ssh_key::Error),
}

impl Signed {
    pub fn sign(key: &PrivateKey, namespace: Namespace, text: String) -> Result<Self, SignError> {
        if matches!(key.algorithm(), Algorithm::Rsa { .. }) {
            return Err(SignError::Rsa);
        }
        let signature = key.sign(namespace.as_str(), HashAlg::Sha512, text.as_bytes())?.to_pem(LineEnding::LF)?;
        Ok(Self { text, signature })
    }

    /// What the signature says that it is for. Nothing is checked: [`Self::signatory`] holds it to that.
    pub fn claims(&self, what: &'static str) -> Result<String, Refused> {
        SshSig::from_pem(&self.signature).map(|signature| signature.namespace().to_owned()).map_err(|_| Refused::BadSignature { what })
    }

    /// Who made this signature, if it is sound and made for `namespace`.
    ///
    /// A sound signature says nothing about whose key it is: ask a [`super::SignerList`].
    pub fn signatory(&self, what: &'static str, namespace: Namespace) -> Result<Signatory, Refused> {
        let signature = SshSig::from_pem(&self.signature).map_err(|_| Refused::BadSignature { what })?;
        // OpenSSH leaves the reserved field out of what it checks; a signature that needs it would be good here and bad there.
        if signature.version() != SshSig::VERSION || !signature.reserved().is_empty() {
            return Err(Refused::BadSignature { what });
        }
        if signature.namespace() != namespace.as_str() {
            let found = signature.namespace().chars().take(64).collect::<String>();
            return Err(Refused::WrongNamespace { what, found: crate::printable::escape(&found), wanted: namespace });
        }
        let wrong = || Refused::WrongSignature { what };
        // A certificate stands in the key's place; what signed is the key in it, and the signature does not cover the certificate.
        let shown = signature.public_key().clone();
        let (key, certificate, signature) = if let KeyData::Certificate(certificate) = shown {
            let key = certificate.public_key().clone();
            let plain = SshSig::new(key.clone(), namespace.as_str(), signature.hash_alg(), signature.signature().clone());
            (key, Some(certificate), plain.map_err(|_| wrong())?)
        } else {
            (shown, None, signature)
        };
        let key = PublicKey::from(key);
        accepted(&key)?;
        key.verify(namespace.as_str(), self.text.as_bytes(), &signature).map_err(|_| wrong())?;
        if is_fido(&key) && !was_touched(&signature) {
            return Err(Refused::NotTouched { what });
        }
        Ok(Signatory { key, certificate })
    }

    /// The key that made this signature, if the signature is sound and made for `namespace`.
    pub fn signing_key(&self, what: &'static str, namespace: Namespace) -> Result<PublicKey, Refused> {
        self.signatory(what, namespace).map(|signatory| signatory.key)
    }
}

/// Who made a signature: a key, and the certificate that came with it, unchecked.
#[derive(Clone, Debug)]
pub struct Signatory {
    pub key: PublicKey,
    pub certificate: Option<Box<Certificate>>,
}

/// A key that lives on a FIDO token.
pub fn is_fido(key: &PublicKey) -> bool {
    matches!(key.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256)
}

/// FIDO's "user present" flag: somebody touched the token. It is the first of the five bytes after the signature proper.
fn was_touched(signature: &SshSig) -> bool {
    const USER_PRESENT: u8 = 1;
    let bytes = signature.signature_bytes();
    bytes.len().checked_sub(5).and_then(|at| bytes.get(at)).is_some_and(|flags| flags & USER_PRESENT != 0)
}

/// Refuses key algorithms that are not taken anywhere.
pub fn accepted(key: &PublicKey) -> Result<(), Refused> {
    let algorithm = key.algorithm();
    let rsa = matches!(algorithm, Algorithm::Rsa { .. });
    let taken = matches!(algorithm, Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256);
    match (taken, rsa) {
        (true, _) => Ok(()),
        (false, true) => Err(Refused::Algorithm { algorithm: "RSA".to_owned() }),
        (false, false) => Err(Refused::Algorithm { algorithm: algorithm.to_string() }),
    }
}

/// `SHA256:...`, as `ssh-keygen -l` prints it.
pub fn fingerprint(key: &PublicKey) -> Fingerprint {
    key.fingerprint(HashAlg::Sha256)
}
