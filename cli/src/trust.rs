//! What this machine believes: the lists that are pinned here, and what follows from them.
//!
//! A *trust directory* holds `vendor-root` and, on a carrier's machine, `signers`. Both were put there by hand. Rosters,
//! anchors and device statements come from the centre and count only as far as these two files vouch for them. The number
//! of the newest roster seen is remembered, so that the centre can't bring back an old one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::api::TrustBundle;
use lineman_common::name::{CustomerCode, NeName};
use lineman_common::statement::{Anchors, CarrierSigners, DeviceStatement, Refused, Roster, Signed, SignerList};

use crate::context::{self, Env};
use crate::exit::{Exit, Failure};

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("can't read the {what} {path}: {source}")]
    Read { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the centre publishes no anchors for {0}: nothing says who may vouch for its devices")]
    NoAnchors(CustomerCode),
    #[error("no believable statement vouches for {device}{why}")]
    NotVouched { device: NeName, why: String },
    #[error("can't remember the roster's number in {path}: {source}")]
    State { path: PathBuf, source: std::io::Error },
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        let what = error.to_string();
        match error {
            TrustError::Read { what: list, .. } => Self::failed(what).hint(format!(
                "pin it once: get the {list} from its owner (not from the centre), and put it into the trust directory: the folder of your key (LINEMAN_KEY, --key), LINEMAN_TRUST, or ~/.config/lineman/trust"
            )),
            TrustError::Refused(Refused::OlderList { .. }) => {
                Self::new(Exit::CheckFailed, what).hint("the centre shows an old list: ask it why; nothing is believed until it shows a newer one")
            }
            TrustError::Refused(Refused::ExpiredList { .. }) => {
                Self::new(Exit::CheckFailed, what).hint("the vendor has to publish a new one; is this machine's clock right?")
            }
            TrustError::NoAnchors(customer) => Self::new(Exit::CheckFailed, what)
                .hint(format!("an admin publishes them: lineman admin anchors publish {customer} FILE --key VENDOR_ROOT_KEY")),
            TrustError::NotVouched { device, .. } => Self::new(Exit::CheckFailed, what)
                .hint(format!("the carrier's technician signs it: lineman equipment vouch {device} --statement FILE --key FILE")),
            TrustError::Refused(_) | TrustError::State { .. } => Self::new(Exit::CheckFailed, what),
        }
    }
}

/// The pinned files of one person.
#[derive(Clone, Debug)]
pub struct Trust {
    pub vendor_root: SignerList,
    pub vendor_root_path: PathBuf,
    vendor_root_text: String,
    pub signers_path: PathBuf,
}

impl Trust {
    /// Reads the vendor root of a trust directory; single files can be named instead.
    pub fn open(folder: &Path, vendor_root: Option<&Path>, signers: Option<&Path>) -> Result<Self, TrustError> {
        let vendor_root_path = vendor_root.map_or_else(|| folder.join("vendor-root"), Path::to_owned);
        let text = read("vendor root", &vendor_root_path)?;
        Ok(Self {
            vendor_root: SignerList::parse("vendor root", &text)?,
            vendor_root_path,
            vendor_root_text: text,
            signers_path: signers.map_or_else(|| folder.join("signers"), Path::to_owned),
        })
    }

    pub fn has_signers(&self) -> bool {
        self.signers_path.is_file()
    }

    pub fn signers_text(&self) -> Result<String, TrustError> {
        read("signer list", &self.signers_path)
    }

    /// The carrier's own signers.
    pub fn signers(&self, customer: &CustomerCode) -> Result<CarrierSigners, TrustError> {
        Ok(CarrierSigners::parse(&self.signers_text()?, customer)?)
    }

    pub fn vendor_root_text(&self) -> &str {
        &self.vendor_root_text
    }

    /// Verifies a roster, and that it is none that was replaced already.
    pub fn roster(&self, signed: &Signed, env: &Env, at: Timestamp) -> Result<Roster, TrustError> {
        let roster = Roster::verify(signed, &self.vendor_root, at)?;
        self.remember(&roster, env)?;
        roster.list().check_expiry(at)?;
        Ok(roster)
    }

    /// One counter per vendor root: another vendor, or a new demo, starts its own count.
    fn remember(&self, roster: &Roster, env: &Env) -> Result<(), TrustError> {
        let Ok(folder) = env.state_folder() else { return Ok(()) };
        let name = self.vendor_root.sha256.get(..32).unwrap_or(&self.vendor_root.sha256);
        let path = folder.join("rosters").join(name);
        let known = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
        roster.check_newer_than(known)?;
        if roster.head.counter > known {
            let state = |source| TrustError::State { path: path.clone(), source };
            context::private_folder(&folder.join("rosters")).map_err(state)?;
            context::write_private(&path, roster.head.counter.to_string().as_bytes()).map_err(state)?;
        }
        Ok(())
    }

    /// Who may vouch for a customer's devices: the carrier's own signers where they are pinned, else the anchors that the
    /// vendor root signed.
    pub fn vouchers(&self, customer: &CustomerCode, anchors: Option<&Signed>, at: Timestamp) -> Result<SignerList, TrustError> {
        if self.has_signers() {
            return Ok(self.signers(customer)?.list().clone());
        }
        let anchors = anchors.ok_or_else(|| TrustError::NoAnchors(customer.clone()))?;
        Ok(Anchors::verify(anchors, customer, &self.vendor_root, at)?.list().clone())
    }

    /// Everything that is believed about a customer's devices.
    pub fn bundle(&self, bundle: &TrustBundle, customer: &CustomerCode, env: &Env, at: Timestamp) -> Result<Believed, TrustError> {
        let roster = self.roster(&bundle.roster, env, at)?;
        let vouchers = self.vouchers(customer, bundle.anchors.as_ref(), at)?;
        let (mut devices, mut doubts) = (BTreeMap::<NeName, DeviceStatement>::new(), Vec::new());
        for signed in &bundle.devices {
            match DeviceStatement::verify(signed, &vouchers, at) {
                Ok(statement) if statement.device.customer != *customer => {
                    doubts.push((None, format!("{} is not a device of {customer}", statement.device)));
                }
                Ok(statement) => {
                    let older = devices.get(&statement.device).is_some_and(|known| known.counter >= statement.counter);
                    if !older {
                        devices.insert(statement.device.clone(), statement);
                    }
                }
                Err(refused) => {
                    let device = DeviceStatement::read_unverified(&signed.text).ok().map(|statement| statement.device);
                    doubts.push((device, refused.to_string()));
                }
            }
        }
        Ok(Believed { roster, vouchers, devices, doubts })
    }
}

/// What was verified of a trust bundle.
#[derive(Clone, Debug)]
pub struct Believed {
    pub roster: Roster,
    pub vouchers: SignerList,
    /// The newest believed statement of each device.
    pub devices: BTreeMap<NeName, DeviceStatement>,
    /// What was not believed: the device it claims to be about, and why not.
    pub doubts: Vec<(Option<NeName>, String)>,
}

impl Believed {
    pub fn device(&self, device: &NeName) -> Result<&DeviceStatement, TrustError> {
        self.devices.get(device).ok_or_else(|| {
            let doubt = self.doubts.iter().find(|(about, _)| about.as_ref() == Some(device));
            TrustError::NotVouched { device: device.clone(), why: doubt.map(|(_, why)| format!(": {why}")).unwrap_or_default() }
        })
    }
}

fn read(what: &'static str, path: &Path) -> Result<String, TrustError> {
    std::fs::read_to_string(path).map_err(|source| TrustError::Read { what, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[test]
    fn what_the_vendor_root_vouches_for_is_believed() {
        let world = World::new();
        let trust = Trust::open(world.vendor_trust().as_path(), None, None).unwrap();
        let believed = trust.bundle(&world.bundle(), &world.customer, &world.env(), Timestamp::now()).unwrap();
        assert_eq!(believed.device(&world.device).unwrap().host_key.key_data(), world.host_key.public_key().key_data());
        let other = "ne-9.jw.ne".parse().unwrap();
        assert!(matches!(believed.device(&other), Err(TrustError::NotVouched { .. })));
    }

    #[test]
    fn an_old_roster_is_refused_once_a_newer_one_was_seen() {
        let world = World::new();
        let trust = Trust::open(world.vendor_trust().as_path(), None, None).unwrap();
        let (old, new) = (world.roster(4), world.roster(5));
        let now = Timestamp::now();
        trust.roster(&old, &world.env(), now).unwrap();
        trust.roster(&new, &world.env(), now).unwrap();
        assert!(matches!(trust.roster(&old, &world.env(), now), Err(TrustError::Refused(Refused::OlderList { found: 4, known: 5, .. }))));
    }

    #[test]
    fn another_vendor_root_believes_nothing() {
        let (world, other) = (World::new(), World::new());
        let trust = Trust::open(other.vendor_trust().as_path(), None, None).unwrap();
        assert!(trust.bundle(&world.bundle(), &world.customer, &other.env(), Timestamp::now()).is_err());
    }

    #[test]
    fn a_statement_by_somebody_else_is_a_doubt_and_not_a_device() {
        let (world, other) = (World::new(), World::new());
        let trust = Trust::open(world.vendor_trust().as_path(), None, None).unwrap();
        let bundle = TrustBundle { devices: other.bundle().devices, ..world.bundle() };
        let believed = trust.bundle(&bundle, &world.customer, &world.env(), Timestamp::now()).unwrap();
        assert!(believed.devices.is_empty());
        assert!(believed.device(&world.device).unwrap_err().to_string().contains("not listed"));
    }

    #[test]
    fn the_carriers_own_signers_win_over_published_anchors() {
        let world = World::new();
        let trust = Trust::open(world.carrier_trust().as_path(), None, None).unwrap();
        let bundle = TrustBundle { anchors: None, ..world.bundle() };
        assert_eq!(trust.bundle(&bundle, &world.customer, &world.env(), Timestamp::now()).unwrap().devices.len(), 1);
        let trust = Trust::open(world.vendor_trust().as_path(), None, None).unwrap();
        let error = trust.bundle(&bundle, &world.customer, &world.env(), Timestamp::now()).unwrap_err();
        assert!(matches!(error, TrustError::NoAnchors(_)));
    }
}
