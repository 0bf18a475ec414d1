//! The demo's keys and trust files: one folder for each side, as the sides would hold them on machines of their own.
//!
//! | folder | private keys | what it believes |
//! |---|---|---|
//! | `keys/root` | the vendor root, which would rest in a safe | |
//! | `keys/vendor` | the engineers | `vendor-root` |
//! | `keys/jw`, `keys/yw` | the carrier's approver, security officer and technician | `vendor-root`, `signers` |
//!
//! A side's folder is also its trust directory. All keys are Ed25519 in OpenSSH's format, without a passphrase.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};
use lineman_common::name::CustomerCode;
use lineman_common::statement::list::{ROSTER_LIFE_DAYS, VENDOR_ROOT};
use lineman_common::statement::{Anchors, CarrierSigners, Namespace, Roster, Signed, SignerList, device};
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};

use super::Error;
use super::place::{Place, make_dir, read, write};
use super::plan::{CUSTOMERS, Customer, PEOPLE};

/// How long the demo's anchors and signer lists are good for.
const LIST_LIFE_DAYS: i64 = 365;

/// The demo's keys on disk.
#[derive(Clone, Debug)]
pub struct Keys {
    place: Place,
    root: PrivateKey,
    now: Timestamp,
}

impl Keys {
    /// Makes every key and every trust file that doesn't need the server.
    pub fn make(place: &Place) -> Result<Self, Error> {
        // Lists and statements carry whole seconds: people read them.
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        let root = make_key(&place.keys("root"), "vendor-root-key")?;
        let keys = Self { place: place.clone(), root, now };
        keys.side("vendor")?;
        for person in PEOPLE.iter().filter(|person| person.level.is_some()) {
            make_key(&place.keys("vendor"), person.name)?;
        }
        for customer in &CUSTOMERS {
            keys.carrier(customer)?;
        }
        Ok(keys)
    }

    /// A folder that believes the vendor root.
    fn side(&self, side: &str) -> Result<PathBuf, Error> {
        let dir = self.place.keys(side);
        make_dir(&dir, 0o700)?;
        let namespaces = format!("{},{}", Namespace::Roster, Namespace::Anchors);
        let line = signer(VENDOR_ROOT, &namespaces, self.root.public_key());
        write(&dir.join("vendor-root"), 0o644, line)?;
        Ok(dir)
    }

    fn carrier(&self, customer: &Customer) -> Result<(), Error> {
        let dir = self.side(&customer.side())?;
        let approver = make_key(&dir, &customer.approver())?;
        let officer = make_key(&dir, &customer.officer())?;
        let technician = make_key(&dir, &customer.technician())?;
        let both = |one: Namespace, two: Namespace| format!("{one},{two}");
        let text = self.head(&format!("signers {}", customer.code), LIST_LIFE_DAYS)
            + &signer(&customer.approver(), &both(Namespace::Consent, Namespace::Standing), approver.public_key())
            + &signer(&customer.officer(), &both(Namespace::Consent, Namespace::Signers), officer.public_key())
            + &signer(&customer.technician(), Namespace::Device.as_str(), technician.public_key());
        // Read back as a device will read it.
        CarrierSigners::parse(&text, &code(customer)?).map_err(Error::trust)?;
        write(&dir.join("signers"), 0o644, text)
    }

    /// The engineers, and the gateway's keys: the one it is known by, and the one it enters with in grade `gateway`. Signed by the vendor root.
    pub fn roster(&self, gateway: &[PublicKey; 2]) -> Result<Signed, Error> {
        let mut text = self.head("roster", ROSTER_LIFE_DAYS);
        for person in &PEOPLE {
            if let Some(level) = person.level {
                let key = public_key(&self.place.keys("vendor").join(person.name))?;
                text += &signer(&format!("{},level-{level}", person.name), Namespace::Request.as_str(), &key);
            }
        }
        for key in gateway {
            text += &signer("gateway", Namespace::Gateway.as_str(), key);
        }
        let signed = Signed::sign(&self.root, Namespace::Roster, text).map_err(Error::trust)?;
        Roster::verify(&signed, &self.vendor_root()?, self.now).map_err(Error::trust)?;
        Ok(signed)
    }

    /// Who may vouch for this customer's devices, as engineers believe it; signed by the vendor root.
    pub fn anchors(&self, customer: &Customer) -> Result<Signed, Error> {
        let technician = public_key(&self.place.keys(&customer.side()).join(customer.technician()))?;
        let text = self.head(&format!("anchors {}", customer.code), LIST_LIFE_DAYS)
            + &signer(&customer.technician(), Namespace::Device.as_str(), &technician);
        let signed = Signed::sign(&self.root, Namespace::Anchors, text).map_err(Error::trust)?;
        Anchors::verify(&signed, &code(customer)?, &self.vendor_root()?, self.now).map_err(Error::trust)?;
        Ok(signed)
    }

    /// The technician's signature on what an agent wrote at its enrolment.
    pub fn vouch(&self, customer: &Customer, statement: String) -> Result<Signed, Error> {
        let technician = private_key(&self.place.keys(&customer.side()).join(customer.technician()))?;
        Signed::sign(&technician, Namespace::Device, statement).map_err(Error::trust)
    }

    fn vendor_root(&self) -> Result<SignerList, Error> {
        SignerList::parse("vendor root", &read(&self.place.keys("vendor").join("vendor-root"))?).map_err(Error::trust)
    }

    fn head(&self, kind: &str, days: i64) -> String {
        let (issued, expiry) = (self.now, self.now + (24 * days).hours());
        format!("# lineman-list: {kind}\n# counter: 1\n# issued: {issued}\n# expiry: {expiry}\n")
    }
}

fn code(customer: &Customer) -> Result<CustomerCode, Error> {
    customer.code.parse().map_err(Error::trust)
}

/// A line of an allowed_signers file.
fn signer(principals: &str, namespaces: &str, key: &PublicKey) -> String {
    format!("{principals} namespaces=\"{namespaces}\" {}\n", device::openssh(key))
}

/// Makes a key pair `name` and `name.pub`.
fn make_key(dir: &Path, name: &str) -> Result<PrivateKey, Error> {
    make_dir(dir, 0o700)?;
    let mut random = ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng);
    let mut key = PrivateKey::random(&mut random, Algorithm::Ed25519).map_err(Error::trust)?;
    key.set_comment(format!("{name} (lineman demo)"));
    write(&dir.join(name), 0o600, key.to_openssh(LineEnding::LF).map_err(Error::trust)?)?;
    let public = key.public_key().to_openssh().map_err(Error::trust)?;
    write(&dir.join(format!("{name}.pub")), 0o644, format!("{public}\n"))?;
    Ok(key)
}

fn private_key(path: &Path) -> Result<PrivateKey, Error> {
    PrivateKey::from_openssh(read(path)?).map_err(Error::trust)
}

/// The public key beside a private one.
fn public_key(path: &Path) -> Result<PublicKey, Error> {
    read_public_key(&path.with_extension("pub"))
}

pub fn read_public_key(path: &Path) -> Result<PublicKey, Error> {
    PublicKey::from_openssh(read(path)?.trim()).map_err(Error::trust)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lineman_common::statement::DeviceStatement;
    use std::os::unix::fs::PermissionsExt;

    fn keys() -> (tempfile::TempDir, Place, Keys) {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(Some(&dir.path().join("demo"))).unwrap();
        let _lock = place.take().unwrap();
        place.clear().unwrap();
        let keys = Keys::make(&place).unwrap();
        (dir, place, keys)
    }

    #[test]
    fn private_keys_are_their_owners_only() {
        let (_guard, place, _) = keys();
        for path in ["jw/approver-jw", "jw/tech-jw", "vendor/engineer-a", "vendor/engineer-b", "root/vendor-root-key"] {
            let path = place.keys("").join(path);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
            private_key(&path).unwrap();
        }
    }

    #[test]
    fn the_roster_knows_engineers_with_their_levels_and_the_gateway() {
        let (_guard, place, keys) = keys();
        let gateway = ["root/vendor-root-key", "vendor/engineer-b"].map(|key| public_key(&place.keys("").join(key)).unwrap());
        let root = keys.vendor_root().unwrap();
        let roster = Roster::verify(&keys.roster(&gateway).unwrap(), &root, keys.now).unwrap();
        assert_eq!((roster.level("engineer-a"), roster.level("engineer-b")), (Some(2), Some(1)));
        assert_eq!(roster.gateway_keys().count(), 2);
        let engineer = public_key(&place.keys("vendor").join("engineer-a")).unwrap();
        assert_eq!(roster.engineer_of(&engineer), Some("engineer-a"));
    }

    #[test]
    fn what_a_technician_vouches_for_is_believed_by_engineers_and_by_the_carrier() {
        let (_guard, place, keys) = keys();
        let [jw, yw] = &CUSTOMERS;
        let statement = DeviceStatement {
            device: "ne-1.jw.ne".parse().unwrap(),
            host_key: public_key(&place.keys("vendor").join("engineer-a")).unwrap(),
            link_key_sha256: "0".repeat(64),
            signers_sha256: "0".repeat(64),
            vendor_root_sha256: "0".repeat(64),
            counter: 1,
            vouched_by: "tech-jw".parse().unwrap(),
            issued: keys.now,
            valid_before: keys.now + 24.hours(),
        };
        let signed = keys.vouch(jw, statement.write().unwrap()).unwrap();
        let root = keys.vendor_root().unwrap();
        let anchors = Anchors::verify(&keys.anchors(jw).unwrap(), &code(jw).unwrap(), &root, keys.now).unwrap();
        DeviceStatement::verify(&signed, anchors.list(), keys.now).unwrap();
        let signers = read(&place.keys("jw").join("signers")).unwrap();
        let signers = CarrierSigners::parse(&signers, &code(jw).unwrap()).unwrap();
        DeviceStatement::verify(&signed, signers.list(), keys.now).unwrap();
        let others = Anchors::verify(&keys.anchors(yw).unwrap(), &code(yw).unwrap(), &root, keys.now).unwrap();
        assert!(DeviceStatement::verify(&signed, others.list(), keys.now).is_err());
    }
}
