//! Every way in, and every way that is closed.

use std::sync::Mutex as StdMutex;

use lineman_common::session::{Door, Doors};
use lineman_common::statement::{Namespace, device, sha256_hex, sig};
use ssh_key::{Algorithm, PrivateKey};

use super::*;

const START: &str = "2026-11-22T08:00:00Z";

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

/// A device, its carrier, the vendor, an engineer.
struct World {
    dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    root: PrivateKey,
    engineer: PrivateKey,
    approver: PrivateKey,
    host: PrivateKey,
    policy: Policy,
}

impl World {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: TestClock::new(),
            root: key(),
            engineer: key(),
            approver: key(),
            host: key(),
            policy: Policy {
                grades: vec![Grade::EndToEnd],
                max_duration_s: 14_400,
                challenge_ttl_s: 14_400,
                accounts: vec!["view".into()],
            },
        }
    }

    fn open(&self) -> Consents {
        let device: NeName = "ne-1.jw.ne".parse().unwrap();
        let signers = format!(
            "# lineman-list: signers JW\n# counter: 1\n# issued: 2026-01-01T00:00:00Z\n# expiry: 2027-01-01T00:00:00Z\n\
             approver-jw namespaces=\"consent@lineman\" {}\n",
            public(&self.approver)
        );
        let root = format!("vendor-root namespaces=\"roster@lineman,anchors@lineman\" {}\n", public(&self.root));
        let pinned = Pinned {
            signers: CarrierSigners::parse(&signers, &device.customer).unwrap(),
            vendor_root: SignerList::parse("vendor root", &root).unwrap(),
            host_key_fingerprint: fingerprint(&self.host),
            device,
        };
        Consents::open(self.dir.path(), pinned, self.policy.clone(), self.clock.clone()).unwrap()
    }

    fn roster(&self, counter: u64, expiry: &str) -> Signed {
        self.roster_of(counter, expiry, &self.engineer)
    }

    fn roster_of(&self, counter: u64, expiry: &str, engineer: &PrivateKey) -> Signed {
        let text = format!(
            "# lineman-list: roster\n# counter: {counter}\n# issued: 2026-11-20T00:00:00Z\n# expiry: {expiry}\n\
             engineer-a,level-2 namespaces=\"request@lineman\" {}\n",
            public(engineer)
        );
        Signed::sign(&self.root, Namespace::Roster, text).unwrap()
    }

    /// With a roster, ready for requests.
    fn ready(&self) -> Consents {
        let consents = self.open();
        consents.take_roster(&self.roster(3, "2026-12-20T00:00:00Z")).unwrap();
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

    fn sign(&self, request: &Request, change: impl FnOnce(&mut Consent)) -> (Signed, Signed) {
        let text = request.write().unwrap();
        let mut consent = Consent {
            id: request.id,
            request_sha256: sha256_hex(&text),
            approver: "approver-jw".parse().unwrap(),
            doors: request.doors.clone(),
            duration_s: request.duration_s,
            roster: 3,
            issued: START.parse().unwrap(),
        };
        change(&mut consent);
        let request = Signed::sign(&self.engineer, Namespace::Request, text).unwrap();
        (request, Signed::sign(&self.approver, Namespace::Consent, consent.write().unwrap()).unwrap())
    }

    fn refusal(&self, request: impl FnOnce(&mut Request), consent: impl FnOnce(&mut Consent)) -> String {
        let consents = self.ready();
        let request = self.request(&consents, request);
        let (request, consent) = self.sign(&request, consent);
        let error = consents.admit(&request, &consent).unwrap_err().to_string();
        assert!(consents.entry(&fingerprint(&self.engineer)).is_none() && !consents.any_live());
        error
    }
}

fn says(error: &str, expected: &str) {
    assert!(error.contains(expected), "{error}\nshould say\n{expected}");
}

#[test]
fn a_sound_consent_lets_its_engineer_in_and_nobody_else() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (request, consent) = world.sign(&request, |consent| consent.doors = Doors::new([Door::Shell]).unwrap());
    let until = consents.admit(&request, &consent).unwrap();
    assert_eq!(until.to_string(), "2026-11-22T10:00:00Z");
    let live = consents.entry(&fingerprint(&world.engineer)).unwrap();
    assert_eq!((live.doors.to_string().as_str(), live.account.as_str()), ("shell", "view"), "narrowed by the approver");
    assert!(consents.entry(&fingerprint(&world.approver)).is_none());
    says(&consents.why_not("SHA256:x"), "no live consent on ne-1.jw.ne names the key SHA256:x");
    world.clock.pass(60.0);
    assert_eq!(consents.admit(&request, &consent).unwrap(), until, "the same bytes again change nothing");
}

#[test]
fn a_request_for_something_else_is_refused() {
    let world = World::new();
    let other = fingerprint(&key());
    says(&world.refusal(|r| r.device = "ne-2.jw.ne".parse().unwrap(), |_| {}), "the request is for ne-2.jw.ne; this is ne-1.jw.ne");
    says(&world.refusal(|r| r.host_key = other.clone(), |_| {}), "the request names the host key SHA256:");
    says(&world.refusal(|r| r.challenge = "0".repeat(64), |_| {}), "was not issued by ne-1.jw.ne for this request");
    says(&world.refusal(|r| r.account = "root".into(), |_| {}), "no account profile `root`: its local configuration has view");
    says(&world.refusal(|r| r.duration_s = 20_000, |_| {}), "at most 14400 seconds; this one lasts 20000");
    says(&world.refusal(|r| r.engineer = "engineer-b".parse().unwrap(), |_| {}), "not listed for `engineer-b`");
    says(&world.refusal(|r| r.engineer_key = other.clone(), |_| {}), "another key signed it");
    let strict = World { policy: Policy { grades: Vec::new(), ..world.policy.clone() }, ..World::new() };
    says(&strict.refusal(|_| {}, |_| {}), "does not take consents of grade end-to-end: its local policy takes none");
}

#[test]
fn a_consent_that_widens_or_is_not_the_carriers_is_refused() {
    let world = World::new();
    says(&world.refusal(|_| {}, |c| c.doors = Doors::new([Door::SftpWrite]).unwrap()), "doors that were not requested");
    says(&world.refusal(|_| {}, |c| c.duration_s += 1), "lasts longer than was requested");
    says(&world.refusal(|_| {}, |c| c.request_sha256 = "0".repeat(64)), "for another request");
    says(&world.refusal(|_| {}, |c| c.roster = 4), "checked against roster number 4; ne-1.jw.ne holds only number 3");
    says(&world.refusal(|_| {}, |c| c.approver = "approver-x".parse().unwrap()), "not listed for `approver-x`");
    let thief = World { approver: key(), ..World::new() };
    let consents = thief.ready();
    let request = thief.request(&consents, |_| {});
    let (request, consent) =
        World { approver: thief.engineer.clone(), engineer: thief.engineer.clone(), ..World::new() }.sign(&request, |_| {});
    says(&consents.admit(&request, &consent).unwrap_err().to_string(), "not listed for `approver-jw`");
    let (_, mut changed) = thief.sign(&thief.request(&consents, |_| {}), |_| {});
    changed.text = changed.text.replace("shell", "sftp-write");
    says(&consents.admit(&request, &changed).unwrap_err().to_string(), "signature does not match its text");
}

#[test]
fn rosters_only_go_forward() {
    let world = World::new();
    let consents = world.open();
    assert_eq!(consents.roster_counter(), 0);
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "holds no roster");
    consents.take_roster(&world.roster(3, "2026-12-20T00:00:00Z")).unwrap();
    consents.take_roster(&world.roster(3, "2026-12-20T00:00:00Z")).unwrap();
    says(&consents.take_roster(&world.roster(2, "2026-12-20T00:00:00Z")).unwrap_err().to_string(), "number 2 is older than number 3");
    says(&consents.take_roster(&world.roster(3, "2026-12-21T00:00:00Z")).unwrap_err().to_string(), "here already, with another text");
    says(&consents.take_roster(&world.roster(4, "2027-12-21T00:00:00Z")).unwrap_err().to_string(), "35 days at most");
    let forged = World { root: key(), ..World::new() };
    says(&consents.take_roster(&forged.roster(9, "2026-12-20T00:00:00Z")).unwrap_err().to_string(), "not listed for `vendor-root`");
    assert_eq!(world.open().roster_counter(), 3, "it is on disk");
}

#[test]
fn an_expired_roster_authorises_nothing_even_with_a_clock_that_was_set_back() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    world.clock.set_wall(40 * 86_400);
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "the roster expired at 2026-12-20T00:00:00Z");
    // A newer roster was issued later than the clock now says: the older list stays expired.
    let late = World { ..World::new() };
    let consents = late.open();
    let text = late.roster(7, "2026-12-20T00:00:00Z").text.replace("2026-11-20T00:00:00Z", "2026-12-01T00:00:00Z");
    late.clock.set_wall(-300 * 86_400);
    consents.take_roster(&Signed::sign(&late.root, Namespace::Roster, text).unwrap()).unwrap();
    assert_eq!(trusted_time(&consents.state().ledger, &late.clock.now()).to_string(), "2026-12-01T00:00:00Z");
    let request = late.request(&consents, |_| {});
    let (signed, consent) = late.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
}

#[test]
fn an_approvers_wrong_clock_locks_nobody_out() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |consent| consent.issued = "2999-01-01T00:00:00Z".parse().unwrap());
    consents.admit(&signed, &consent).unwrap();
    assert!(consents.entry(&fingerprint(&world.engineer)).is_some(), "the roster still counts");
    for consents in [consents, world.open()] {
        let request = world.request(&consents, |_| {});
        let (signed, consent) = world.sign(&request, |_| {});
        consents.admit(&signed, &consent).unwrap();
        assert_eq!(trusted_time(&consents.state().ledger, &world.clock.now()).to_string(), "2026-12-19T23:59:59Z");
    }
    let consents = world.open();
    let (forgotten, now) = consents.reset_clock().unwrap();
    assert_eq!((forgotten.unwrap().to_string().as_str(), now.to_string().as_str()), ("2026-12-19T23:59:59Z", START));
    assert_eq!(trusted_time(&world.open().state().ledger, &world.clock.now()), world.clock.now().wall, "also on disk");
}

#[test]
fn a_key_that_left_the_roster_enters_no_more_and_its_consents_end() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    consents.take_roster(&world.roster(4, "2026-12-20T00:00:00Z")).unwrap();
    assert!(consents.entry(&fingerprint(&world.engineer)).is_some() && consents.unfounded().is_empty(), "listed again");
    consents.take_roster(&world.roster_of(5, "2026-12-20T00:00:00Z", &key())).unwrap();
    for consents in [&consents, &world.open()] {
        assert!(consents.entry(&fingerprint(&world.engineer)).is_none());
        assert_eq!(consents.unfounded(), [request.id], "also after a restart");
        says(&consents.why_not(&fingerprint(&world.engineer)), "not listed for `engineer-a`");
    }
}

#[test]
fn a_roster_that_expires_lets_nobody_in_and_ends_nothing() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    world.clock.set_wall(40 * 86_400);
    assert!(consents.entry(&fingerprint(&world.engineer)).is_none() && consents.unfounded().is_empty());
}

#[test]
fn the_sessions_of_a_consent_are_known_until_nothing_of_them_is_left() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let (gone, stays) = (SessionId::new(), SessionId::new());
    consents.entered(request.id, gone).unwrap();
    consents.entered(request.id, stays).unwrap();
    consents.left(request.id, gone);
    assert_eq!(consents.to_reap(), [], "while the consent is live");
    let consents = world.open();
    consents.end(request.id, EndReason::TimeUp).unwrap();
    assert!(consents.entered(request.id, gone).is_err(), "nobody begins under an ended consent");
    for consents in [&consents, &world.open()] {
        assert_eq!(consents.to_reap(), [(request.id, vec![stays])]);
    }
    consents.left(request.id, stays);
    assert_eq!(world.open().to_reap(), []);
}

#[test]
fn an_end_that_is_not_on_disk_is_an_error_and_ends_all_the_same() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let blocked = world.dir.path().join("consents.new");
    std::fs::create_dir(&blocked).unwrap();
    assert!(consents.end(request.id, EndReason::Revoked).is_err());
    assert!(consents.entry(&fingerprint(&world.engineer)).is_none());
    std::fs::remove_dir(&blocked).unwrap();
    assert!(world.open().any_live(), "a restart would have brought it back: it was not done");
    consents.end(request.id, EndReason::Revoked).unwrap();
    assert!(!world.open().any_live());
    assert_eq!(consents.untold().len(), 1);
}

#[test]
fn a_challenge_works_once_and_lapses_on_either_clock() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    world.clock.pass(14_401.0);
    world.clock.set_wall(-14_000);
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "the challenge lapsed");
    // Used: another consent over the same request, under another id, would need another challenge.
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let again = Request { id: ConsentId::new(), ..request };
    let (signed, consent) = world.sign(&again, |_| {});
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "was used already");
}

#[test]
fn what_has_ended_never_comes_back() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let (_, wider) = world.sign(&request, |consent| consent.duration_s = 60);
    says(&consents.admit(&signed, &wider).unwrap_err().to_string(), "is live already, with other terms");
    consents.end(request.id, EndReason::Revoked).unwrap();
    assert!(consents.entry(&fingerprint(&world.engineer)).is_none());
    for consents in [&consents, &world.open()] {
        says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "(revoked) and can't be used again");
        assert!(consents.challenge(request.id).is_err());
        assert_eq!(consents.untold().len(), 1, "the centre is to be told, also after a restart");
    }
    consents.told(request.id).unwrap();
    assert_eq!(consents.untold(), []);
    // Revoked before it arrived.
    let request = world.request(&consents, |_| {});
    let (signed, consent) = world.sign(&request, |_| {});
    consents.end(request.id, EndReason::FaultClosed).unwrap();
    says(&consents.admit(&signed, &consent).unwrap_err().to_string(), "fault_closed");
    assert_eq!(consents.untold(), [], "it never was live");
}

#[test]
fn time_runs_on_the_boot_clock_and_survives_reboots() {
    let world = World::new();
    let consents = world.ready();
    let request = world.request(&consents, |request| request.duration_s = 1000);
    let (signed, consent) = world.sign(&request, |_| {});
    consents.admit(&signed, &consent).unwrap();
    let left = |consents: &Consents| consents.remaining(request.id).unwrap().as_secs();
    world.clock.pass(100.0);
    world.clock.set_wall(-50_000);
    assert_eq!(left(&consents), 900, "setting the clock back gives no time");
    world.clock.set_wall(100_000);
    assert_eq!(left(&consents), 900, "setting it forward takes none");
    consents.store_elapsed().unwrap();
    world.clock.reboot("boot-2", 200.0);
    let consents = world.open();
    assert_eq!(left(&consents), 700, "the time that it was off counts");
    consents.store_elapsed().unwrap();
    world.clock.reboot("boot-3", 0.0);
    world.clock.set_wall(-86_400);
    let consents = world.open();
    assert_eq!(left(&consents), 700, "a wall clock that went back gives no time");
    world.clock.pass(701.0);
    assert_eq!(consents.expired(), [request.id]);
    assert!(consents.entry(&fingerprint(&world.engineer)).is_none(), "nobody enters in the last moment");
    assert_eq!(consents.next_end(), Some(Duration::ZERO));
}
