//! A FIDO token in software: keys of the `sk-` kinds, and an ssh-agent that holds one.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use lineman_common::statement::{Namespace, Signed};
use russh::keys::signature::Signer;
use ssh_key::public::{KeyData, SkEcdsaSha2NistP256, SkEd25519};
use ssh_key::sha2::{Digest, Sha256};
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SshSig};

/// Somebody touched the token.
pub const TOUCHED: u8 = 1;

const APPLICATION: &str = "ssh:";

/// What the token keeps, and what the world sees.
pub fn ed25519() -> (PrivateKey, PublicKey) {
    let key = super::key();
    let public = SkEd25519::new(*key.public_key().key_data().ed25519().unwrap(), APPLICATION);
    (key, PublicKey::from(KeyData::SkEd25519(public)))
}

pub fn ecdsa() -> (PrivateKey, PublicKey) {
    let algorithm = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };
    let key = PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), algorithm).unwrap();
    let KeyData::Ecdsa(ssh_key::public::EcdsaPublicKey::NistP256(point)) = key.public_key().key_data() else { panic!("not P-256") };
    let public = PublicKey::from(KeyData::SkEcdsaSha2NistP256(SkEcdsaSha2NistP256::new(*point, APPLICATION)));
    (key, public)
}

/// As a token signs: over the application, its flags and counter, and the message.
fn sign(key: &PrivateKey, public: &PublicKey, message: &[u8], flags: u8) -> Signature {
    let trailer = [&[flags][..], &7u32.to_be_bytes()].concat();
    let told = [&Sha256::digest(APPLICATION)[..], &trailer, &Sha256::digest(message)[..]].concat();
    let plain: Signature = key.try_sign(&told).unwrap();
    Signature::new(public.algorithm(), [plain.as_bytes(), &trailer].concat()).unwrap()
}

/// A statement, signed by the token.
pub fn signed(key: &PrivateKey, public: &PublicKey, text: String) -> Signed {
    let namespace = Namespace::Request.as_str();
    let message = SshSig::signed_data(namespace, HashAlg::Sha512, text.as_bytes()).unwrap();
    let signature = sign(key, public, &message, TOUCHED);
    let signature = SshSig::new(public.key_data().clone(), namespace, HashAlg::Sha512, signature).unwrap();
    Signed { text, signature: signature.to_pem(LineEnding::LF).unwrap() }
}

/// Speaks the ssh-agent protocol on this socket, for as long as the test runs.
pub fn serve(socket: &Path, key: PrivateKey, public: PublicKey, flags: u8) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            converse(&mut stream.unwrap(), &key, &public, flags);
        }
    });
}

fn converse(stream: &mut UnixStream, key: &PrivateKey, public: &PublicKey, flags: u8) {
    const REQUEST_IDENTITIES: u8 = 11;
    const SIGN_REQUEST: u8 = 13;
    let mut length = [0; 4];
    while stream.read_exact(&mut length).is_ok() {
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request).unwrap();
        let answer = match request[0] {
            REQUEST_IDENTITIES => [&[12][..], &1u32.to_be_bytes(), &string(&public.to_bytes().unwrap()), &string(b"token")].concat(),
            SIGN_REQUEST => {
                let (_, rest) = take(&request[1..]);
                let signature = sign(key, public, take(rest).0, flags);
                let (bytes, trailer) = signature.as_bytes().split_at(signature.as_bytes().len() - 5);
                let encoded = [string(public.algorithm().as_str().as_bytes()), string(bytes), trailer.to_vec()].concat();
                [vec![14], string(&encoded)].concat()
            }
            // What an agent doesn't know.
            _ => vec![5],
        };
        stream.write_all(&string(&answer)).unwrap();
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn take(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
    rest.split_at(u32::from_be_bytes(*length) as usize)
}
