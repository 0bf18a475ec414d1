//! Every way in, and every way that is closed.

mod chain;
mod clocks;
mod dual;
mod grades;
mod lists;
mod pages;
mod requests;
mod standing;
mod stops;

use std::sync::Mutex as StdMutex;

use lineman_common::session::{Door, Doors, EndReason};
use lineman_common::statement::standing::{Devices, ForFault};
use lineman_common::statement::{Consent, KeyClass, Namespace, Request, Signed, Standing, device, sha256_hex, sig};
use ssh_key::{Algorithm, PrivateKey};

use super::*;
use crate::identity::SIGNERS;

const START: &str = "2026-11-22T08:00:00Z";
const ROSTER_END: &str = "2026-12-20T00:00:00Z";

struct TestClock(StdMutex<Moment>);

impl TestClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(StdMutex::new(Moment { wall: START.parse().unwrap(), boot_s: 1000.0, boot_id: "boot-1".into() })))
    }

    fn pass(&self, seconds: f64) {
        let mut now = self.0.lock().unwrap();
        now.boot_s += seconds;
        now.wall = later(now.wall, seconds);
    }

    /// Somebody sets the wall clock.
    fn set_wall(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        now.wall = now.wall.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    fn reboot(&self, id: &str, down_s: f64) {
        let mut now = self.0.lock().unwrap();
        *now = Moment { wall: later(now.wall, down_s), boot_s: 5.0, boot_id: id.into() };
    }
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        self.0.lock().unwrap().clone()
    }
}

fn key() -> PrivateKey {
    PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap()
}

fn public(key: &PrivateKey) -> String {
    device::openssh(key.public_key())
}

fn fingerprint(key: &PrivateKey) -> String {
    sig::fingerprint(key.public_key()).to_string()
}

fn line(principals: &str, namespaces: &str, key: &PrivateKey) -> String {
    format!("{principals} namespaces=\"{namespaces}\" {}\n", public(key))
}

/// A device, its carrier, the vendor, engineers.
struct World {
    dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    root: PrivateKey,
    engineer: PrivateKey,
    gateway: PrivateKey,
    /// `approver-jw` and `approver-two`, for consents and standing statements.
    approver: PrivateKey,
    second: PrivateKey,
    /// `chief-jw` and `chief-two`, for signer lists.
    chief: PrivateKey,
    vice: PrivateKey,
    host: PrivateKey,
    policy: Policy,
    enrolled: Option<Timestamp>,
    /// Options of the vendor root's line.
    root_options: &'static str,
}

impl World {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: TestClock::new(),
            root: key(),
            engineer: key(),
            gateway: key(),
            approver: key(),
            second: key(),
            chief: key(),
            vice: key(),
            host: key(),
            policy: Policy {
                grades: vec![Grade::EndToEnd],
                approvals: 1,
                signers_approvals: 1,
                max_duration_s: 14_400,
                challenge_ttl_s: 14_400,
                max_standing_days: 35,
                browser_keys: false,
                accounts: vec!["view".into()],
            },
            enrolled: Some("2026-11-01T00:00:00Z".parse().unwrap()),
            root_options: "",
        }
    }

    fn taking(grades: &[Grade]) -> Self {
        let world = Self::new();
        Self { policy: Policy { grades: grades.to_vec(), ..world.policy.clone() }, ..world }
    }

    /// With the signer list that is in its directory, as the agent starts.
    fn open(&self) -> Consents {
        let device: NeName = "ne-1.jw.ne".parse().unwrap();
        let signers = std::fs::read_to_string(self.dir.path().join(SIGNERS)).unwrap_or_else(|_| self.signers(1, ""));
        let root = format!("vendor-root {}namespaces=\"roster@lineman,anchors@lineman\" {}\n", self.root_options, public(&self.root));
        let pinned = Pinned {
            signers: CarrierSigners::parse(&signers, &device.customer).unwrap(),
            vendor_root: SignerList::parse("vendor root", &root).unwrap(),
            host_key_fingerprint: fingerprint(&self.host),
            enrolled: self.enrolled,
            device,
        };
        Consents::open(self.dir.path(), pinned, self.policy.clone(), self.clock.clone()).unwrap()
    }

    /// The carrier's usual list, with more lines.
    fn signers(&self, counter: u64, more: &str) -> String {
        let approvers = [("approver-jw", &self.approver), ("approver-two", &self.second)];
        let lines: String = approvers.map(|(name, key)| line(name, "consent@lineman,standing@lineman", key)).concat();
        self.signers_of(counter, &(lines + more))
    }

    fn signers_of(&self, counter: u64, lines: &str) -> String {
        let chiefs = line("chief-jw", "signers@lineman", &self.chief) + &line("chief-two", "signers@lineman", &self.vice);
        format!(
            "# lineman-list: signers JW\n# counter: {counter}\n# issued: 2026-01-01T00:00:00Z\n# expiry: 2027-01-01T00:00:00Z\n\
             {lines}{chiefs}"
        )
    }

    fn roster(&self, counter: u64, expiry: &str) -> Signed {
        self.roster_of(counter, expiry, &self.engineer)
    }

    fn roster_of(&self, counter: u64, expiry: &str, engineer: &PrivateKey) -> Signed {
        let lines = line("engineer-a,level-2", "request@lineman", engineer) + &line("gateway-1", "gateway@lineman", &self.gateway);
        self.roster_with(counter, expiry, &lines)
    }

    fn roster_with(&self, counter: u64, expiry: &str, lines: &str) -> Signed {
        let text = format!("# lineman-list: roster\n# counter: {counter}\n# issued: 2026-11-20T00:00:00Z\n# expiry: {expiry}\n{lines}");
        Signed::sign(&self.root, Namespace::Roster, text).unwrap()
    }

    /// With a roster, ready for requests.
    fn ready(&self) -> Consents {
        let consents = self.open();
        consents.take_roster(&self.roster(3, ROSTER_END)).unwrap();
        consents
    }

    fn request(&self, consents: &Consents, change: impl FnOnce(&mut Request)) -> Request {
        let id = ConsentId::new();
        let (challenge, _) = consents.challenge(id).unwrap();
        let mut request = Request {
            id,
            fault: "F-JW-1".parse().unwrap(),
            device: "ne-1.jw.ne".parse().unwrap(),
            host_key: fingerprint(&self.host),
            grade: Grade::EndToEnd,
            engineer: "engineer-a".parse().unwrap(),
            engineer_key: fingerprint(&self.engineer),
            doors: Doors::new([Door::Shell, Door::Exec]).unwrap(),
            account: "view".into(),
            duration_s: 7200,
            challenge,
            reason: "fan".into(),
            issued: START.parse().unwrap(),
        };
        change(&mut request);
        request
    }

    fn request_of(&self, consents: &Consents, grade: Grade) -> Request {
        self.request(consents, |request| request.grade = grade)
    }

    fn signed(&self, request: &Request) -> Signed {
        Signed::sign(&self.engineer, Namespace::Request, request.write().unwrap()).unwrap()
    }

    fn sign(&self, request: &Request, change: impl FnOnce(&mut Consent)) -> (Signed, [Signed; 1]) {
        (self.signed(request), [consent_by("approver-jw", &self.approver, request, change)])
    }

    /// A request of this grade that is live.
    fn live(&self, consents: &Consents, grade: Grade) -> Request {
        let request = self.request_of(consents, grade);
        let (signed, paper) = self.sign(&request, |_| {});
        consents.admit(&signed, &paper).unwrap();
        request
    }

    fn standing(&self, change: impl FnOnce(&mut Standing)) -> Signed {
        standing_by("approver-jw", &self.approver, ConsentId::new(), change)
    }

    fn enters(&self, consents: &Consents) -> bool {
        consents.entry(&fingerprint(&self.engineer)).is_some()
    }

    fn refusal(&self, request: impl FnOnce(&mut Request), consent: impl FnOnce(&mut Consent)) -> String {
        let consents = self.ready();
        let request = self.request(&consents, request);
        let (request, consent) = self.sign(&request, consent);
        let error = consents.admit(&request, &consent).unwrap_err().to_string();
        assert!(!self.enters(&consents) && !consents.any_live());
        error
    }
}

fn consent_by(approver: &str, key: &PrivateKey, request: &Request, change: impl FnOnce(&mut Consent)) -> Signed {
    consent_of(KeyClass::Own, approver, key, request, change)
}

fn consent_of(class: KeyClass, approver: &str, key: &PrivateKey, request: &Request, change: impl FnOnce(&mut Consent)) -> Signed {
    let mut consent = Consent {
        id: request.id,
        request_sha256: sha256_hex(request.write().unwrap()),
        approver: approver.parse().unwrap(),
        doors: request.doors.clone(),
        duration_s: request.duration_s,
        roster: 3,
        issued: START.parse().unwrap(),
    };
    change(&mut consent);
    Signed::sign(key, class.namespace(), consent.write().unwrap()).unwrap()
}

/// For level 2 and higher, all devices, any fault, for 35 days.
fn standing_by(approver: &str, key: &PrivateKey, id: ConsentId, change: impl FnOnce(&mut Standing)) -> Signed {
    let mut standing = Standing {
        id,
        customer: "JW".parse().unwrap(),
        devices: Devices::All,
        fault: ForFault::Any,
        level: 2,
        doors: Doors::new([Door::Shell, Door::Exec]).unwrap(),
        account: "view".into(),
        duration_s: 7200,
        roster: 3,
        approver: approver.parse().unwrap(),
        issued: START.parse().unwrap(),
        valid_before: "2026-12-27T08:00:00Z".parse().unwrap(),
    };
    change(&mut standing);
    Signed::sign(key, Namespace::Standing, standing.write().unwrap()).unwrap()
}

fn says(error: &str, expected: &str) {
    assert!(error.contains(expected), "{error}\nshould say\n{expected}");
}

/// What the error says.
fn why<T>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(_) => panic!("this was to be refused"),
        Err(error) => error.to_string(),
    }
}
