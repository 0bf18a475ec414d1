//! What this machine believes: the lists that are pinned here, and what follows from them.
//!
//! A *trust directory* holds `vendor-root` and, on a carrier's machine, `signers`. Both were put there by hand. Rosters,
//! anchors and device statements come from the centre and count only as far as these two files vouch for them. The number
//! of the newest roster seen is remembered, of each customer's anchors and of each device's statement too, so that the
//! centre can't bring back an old one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::api::TrustBundle;
use lineman_common::name::{CustomerCode, NeName};
use lineman_common::printable::escape;
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
    #[error("can't remember the number of the newest {what} in {path}: {source}")]
    State { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("can't read the number of the newest {what} that was seen here, in {path}: {why}")]
    Forgotten { what: &'static str, path: PathBuf, why: String },
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
            TrustError::Forgotten { what: list, path, .. } => Self::new(Exit::CheckFailed, what).hint(format!(
                "the file holds one number: ask whoever signs the {list} (not the centre) for the newest, and write it there; without {} the next one that the centre shows is believed, however old",
                path.display()
            )),
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
        self.seen(env).check(Kind::Roster, None, roster.head.counter)?;
        roster.list().check_expiry(at)?;
        Ok(roster)
    }

    /// Checks that a device's statement, verified already, is none that was replaced, and remembers its number.
    pub fn check_newest(&self, statement: &DeviceStatement, env: &Env) -> Result<(), TrustError> {
        self.seen(env).check(Kind::Device, Some(&statement.device), statement.counter)
    }

    /// One count per vendor root: another vendor, or a new demo, starts its own.
    fn seen(&self, env: &Env) -> Seen<'_> {
        let root = self.vendor_root.sha256.get(..32).unwrap_or(&self.vendor_root.sha256);
        Seen { folder: env.state_folder().ok(), root }
    }

    /// Who may vouch for a customer's devices: the carrier's own signers where they are pinned, else the anchors that the
    /// vendor root signed. Whether these are the newest is not asked here (`newest_vouchers`).
    pub fn vouchers(&self, customer: &CustomerCode, anchors: Option<&Signed>, at: Timestamp) -> Result<SignerList, TrustError> {
        if self.has_signers() {
            return Ok(self.signers(customer)?.list().clone());
        }
        let anchors = anchors.ok_or_else(|| TrustError::NoAnchors(customer.clone()))?;
        Ok(Anchors::verify(anchors, customer, &self.vendor_root, at)?.list().clone())
    }

    /// As `vouchers`, and the anchors are none that were replaced already.
    pub fn newest_vouchers(
        &self,
        customer: &CustomerCode,
        anchors: Option<&Signed>,
        env: &Env,
        at: Timestamp,
    ) -> Result<SignerList, TrustError> {
        let vouchers = self.vouchers(customer, anchors, at)?;
        // The carrier's own list is a pinned file: nobody can bring back an old one.
        if let (false, Some(head)) = (self.has_signers(), &vouchers.head) {
            self.seen(env).check(Kind::Anchors, Some(customer), head.counter)?;
        }
        Ok(vouchers)
    }

    /// Everything that is believed about a customer's devices.
    pub fn bundle(&self, bundle: &TrustBundle, customer: &CustomerCode, env: &Env, at: Timestamp) -> Result<Believed, TrustError> {
        let roster = self.roster(&bundle.roster, env, at)?;
        let vouchers = self.newest_vouchers(customer, bundle.anchors.as_ref(), env, at)?;
        let (mut newest, mut doubts) = (BTreeMap::<NeName, DeviceStatement>::new(), Vec::new());
        for signed in &bundle.devices {
            match DeviceStatement::verify(signed, &vouchers, at) {
                Ok(statement) if statement.device.customer != *customer => {
                    doubts.push((None, format!("{} is not a device of {customer}", statement.device)));
                }
                Ok(statement) => {
                    let older = newest.get(&statement.device).is_some_and(|known| known.counter >= statement.counter);
                    if !older {
                        newest.insert(statement.device.clone(), statement);
                    }
                }
                Err(refused) => {
                    let device = DeviceStatement::read_unverified(&signed.text).ok().map(|statement| statement.device);
                    doubts.push((device, refused.to_string()));
                }
            }
        }
        let mut devices = BTreeMap::new();
        for (device, statement) in newest {
            match self.check_newest(&statement, env) {
                Ok(()) => drop(devices.insert(device, statement)),
                // The customer's other devices are none the worse for it.
                Err(TrustError::Refused(older)) => doubts.insert(0, (Some(device), older.to_string())),
                Err(error) => return Err(error),
            }
        }
        Ok(Believed { roster, vouchers, devices, doubts })
    }
}

/// The part of a bundle that claims to be about one device. Claims are checked later; leaving the others' unread makes the first
/// one's wait shorter.
pub fn only(mut bundle: TrustBundle, device: &NeName) -> TrustBundle {
    bundle.devices.retain(|signed| DeviceStatement::read_unverified(&signed.text).is_ok_and(|statement| statement.device == *device));
    bundle
}

/// What is numbered, so that an old one can be told from a new one.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Roster,
    Anchors,
    Device,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Roster => "roster",
            Self::Anchors => "anchors",
            Self::Device => "device statement",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Roster => "rosters",
            Self::Anchors => "anchors",
            Self::Device => "devices",
        }
    }
}

/// The highest numbers that this machine has seen: one file for each name.
struct Seen<'a> {
    /// None where the machine has no place for state: then nothing is remembered.
    folder: Option<PathBuf>,
    root: &'a str,
}

impl Seen<'_> {
    /// Refuses a lower number than the known one, and remembers a higher one.
    fn check(&self, kind: Kind, name: Option<&dyn std::fmt::Display>, found: u64) -> Result<(), TrustError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let folder = folder.join(kind.folder());
        let path = folder.join(name.map_or_else(|| self.root.to_owned(), |name| format!("{}-{name}", self.root)));
        let known = known(kind.word(), &path)?;
        if let Some(known) = known.filter(|known| found < *known) {
            return Err(Refused::OlderList { list: kind.word(), found, known }.into());
        }
        if known.is_none_or(|known| found > known) {
            let state = |source| TrustError::State { what: kind.word(), path: path.clone(), source };
            context::private_folder(&folder).map_err(state)?;
            context::write_private(&path, found.to_string().as_bytes()).map_err(state)?;
        }
        Ok(())
    }
}

/// The number in a file; none where there is no file yet. A file that can't be read is not the same as none: it would let
/// every old list in.
fn known(what: &'static str, path: &Path) -> Result<Option<u64>, TrustError> {
    let forgotten = |why: String| TrustError::Forgotten { what, path: path.to_owned(), why };
    match std::fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            let start: String = text.trim().chars().take(40).collect();
            forgotten(format!("it holds `{}`, and not a number", escape(&start)))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(forgotten(error.to_string())),
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
    use lineman_common::statement::Namespace;

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
    fn one_device_is_believed_on_its_own_statement_and_no_other() {
        let world = World::new();
        let trust = Trust::open(world.vendor_trust().as_path(), None, None).unwrap();
        let mut bundle = world.bundle();
        bundle.devices.extend([world.statement_of("ne-2.jw.ne"), Signed { text: "no statement".into(), signature: String::new() }]);
        let believe = |bundle| trust.bundle(&bundle, &world.customer, &world.env(), Timestamp::now()).unwrap();
        let believed = believe(only(bundle.clone(), &world.device));
        assert!(believed.devices.keys().eq([&world.device]) && believed.doubts.is_empty());
        // What claims to be about it, and isn't vouched for, is still doubted in words.
        bundle.devices[0].text = bundle.devices[0].text.replace("counter: 1", "counter: 2");
        let believed = believe(only(bundle, &world.device));
        assert!(believed.device(&world.device).unwrap_err().to_string().contains(": "), "no reason is given");
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

    fn statement(world: &World, counter: u64) -> Signed {
        let now = DeviceStatement::read_unverified(&world.statement_for(world.host_key.public_key()).text).unwrap();
        Signed::sign(&world.technician, Namespace::Device, DeviceStatement { counter, ..now }.write().unwrap()).unwrap()
    }

    fn anchors(world: &World, counter: u64) -> Signed {
        let text = world.bundle().anchors.unwrap().text.replace("# counter: 1\n", &format!("# counter: {counter}\n"));
        Signed::sign(&world.vendor_root, Namespace::Anchors, text).unwrap()
    }

    #[test]
    fn old_anchors_are_refused_once_newer_ones_were_seen() {
        let world = World::new();
        let trust = Trust::open(world.vendor_trust().as_path(), None, None).unwrap();
        let believe = |trust: &Trust, counter| {
            let bundle = TrustBundle { anchors: Some(anchors(&world, counter)), ..world.bundle() };
            trust.bundle(&bundle, &world.customer, &world.env(), Timestamp::now())
        };
        believe(&trust, 4).unwrap();
        believe(&trust, 5).unwrap();
        believe(&trust, 5).unwrap();
        let error = believe(&trust, 4).unwrap_err();
        assert_eq!(error.to_string(), "the anchors number 4 is older than number 5, which is already known");
        assert!(Failure::from(error).hint.unwrap().contains("the centre shows an old list"));
        // Another customer's have their own count.
        let seen = trust.seen(&world.env());
        seen.check(Kind::Anchors, Some(&"YW"), 1).unwrap();
        // Where the carrier's own list is pinned, the anchors don't count.
        believe(&Trust::open(world.carrier_trust().as_path(), None, None).unwrap(), 4).unwrap();
    }

    #[test]
    fn an_old_device_statement_is_a_doubt_once_a_newer_one_was_seen() {
        let world = World::new();
        for folder in [world.vendor_trust(), world.carrier_trust()] {
            let trust = Trust::open(folder.as_path(), None, None).unwrap();
            let believe = |counters: &[u64]| {
                let devices = counters.iter().map(|counter| statement(&world, *counter)).collect();
                trust.bundle(&TrustBundle { devices, ..world.bundle() }, &world.customer, &world.env(), Timestamp::now()).unwrap()
            };
            assert_eq!(believe(&[2, 3, 1]).device(&world.device).unwrap().counter, 3);
            assert!(believe(&[2, 3, 1]).doubts.is_empty());
            let why = believe(&[2]).device(&world.device).unwrap_err().to_string();
            assert!(why.ends_with(": the device statement number 2 is older than number 3, which is already known"), "{why}");
        }
    }

    #[test]
    fn what_was_seen_under_one_vendor_root_says_nothing_about_another() {
        let (world, other) = (World::new(), World::new());
        for (world, counter) in [(&world, 9), (&other, 1)] {
            let trust = Trust::open(world.vendor_trust().as_path(), None, None).unwrap();
            let bundle = TrustBundle { devices: vec![statement(world, counter)], anchors: Some(anchors(world, counter)), ..world.bundle() };
            // Both on the same machine.
            assert_eq!(trust.bundle(&bundle, &world.customer, &other.env(), Timestamp::now()).unwrap().devices.len(), 1);
        }
    }

    #[test]
    fn a_broken_number_is_an_error_that_says_what_to_do() {
        for kind in [Kind::Roster, Kind::Anchors, Kind::Device] {
            for bytes in [&b""[..], b"many", b"-1", b"\xff\xfe", b"1 2"] {
                let world = World::new();
                let trust = Trust::open(world.vendor_trust().as_path(), None, None).unwrap();
                let believe = || trust.bundle(&world.bundle(), &world.customer, &world.env(), Timestamp::now());
                believe().unwrap();
                let folder = world.env().state_folder().unwrap().join(kind.folder());
                let path = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
                std::fs::write(&path, bytes).unwrap();
                let error = believe().unwrap_err();
                let what = error.to_string();
                assert!(what.contains(kind.word()) && what.contains(path.to_str().unwrap()), "{what}");
                let hint = Failure::from(error).hint.unwrap();
                assert!(hint.contains("ask whoever signs") && hint.contains("write it there"), "{hint}");
                assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing took its place");
            }
        }
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
