//! The gateway's keys: `gateway_key` proves it to engineers; `gateway_client_key` signs in on devices, for consents of grade `gateway`.
//!
//! The vendor root lists the public half of both in the roster, with `namespaces="gateway@lineman"`. Without that line devices take
//! nobody by that key, whatever a carrier signs.

use std::path::Path;

use anyhow::Context;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use crate::store::files::write_new;

const CLIENT_KEY: &str = "gateway_client_key";

/// Makes the key that proves the gateway to engineers.
pub fn make_host_key(dir: &Path) -> anyhow::Result<()> {
    make(dir, "gateway_key", "lineman gateway").map(drop)
}

/// The key that signs in on devices; made when it is missing.
pub fn client_key(dir: &Path) -> anyhow::Result<PrivateKey> {
    let path = dir.join(CLIENT_KEY);
    if path.exists() {
        return PrivateKey::read_openssh_file(&path).with_context(|| path.display().to_string());
    }
    make(dir, CLIENT_KEY, "lineman gateway client")
}

fn make(dir: &Path, name: &str, comment: &str) -> anyhow::Result<PrivateKey> {
    let mut key = PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519)?;
    key.set_comment(comment);
    write_new(&dir.join(name), key.to_openssh(LineEnding::LF)?.as_bytes(), 0o600)?;
    let public = key.public_key().to_openssh()? + "\n";
    write_new(&dir.join(format!("{name}.pub")), public.as_bytes(), 0o644)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_key_is_made_once_and_is_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let made = client_key(dir.path()).unwrap();
        assert_eq!(client_key(dir.path()).unwrap().public_key().key_data(), made.public_key().key_data());
        let mode = std::fs::metadata(dir.path().join(CLIENT_KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let public = std::fs::read_to_string(dir.path().join("gateway_client_key.pub")).unwrap();
        assert_eq!(public.parse::<ssh_key::PublicKey>().unwrap().key_data(), made.public_key().key_data());
    }
}
