//! A small world of keys for tests: a vendor, a carrier, an engineer, a device, and the papers between them.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};
use lineman_common::api::{ChallengeReply, ConsentState, ConsentView, DeviceReceipt, SignersView, TrustBundle};
use lineman_common::id::ConsentId;
use lineman_common::link::DevicePolicy;
use lineman_common::name::{CustomerCode, FaultNumber, NeName};
use lineman_common::session::Grade;
use lineman_common::statement::device::openssh;
use lineman_common::statement::{CarrierSigners, DeviceStatement, Namespace, Receipt, Signed, sha256_hex};
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};
use tempfile::TempDir;

use crate::consents::Ask;
use crate::context::Env;

pub struct World {
    pub folder: TempDir,
    pub customer: CustomerCode,
    pub device: NeName,
    pub fault: FaultNumber,
    pub vendor_root: PrivateKey,
    pub engineer: PrivateKey,
    pub gateway: PrivateKey,
    pub approver: PrivateKey,
    /// A second person who may approve.
    pub second: PrivateKey,
    /// Whose keys may change the signer list.
    pub officers: [PrivateKey; 2],
    pub technician: PrivateKey,
    pub host_key: PrivateKey,
    pub id: ConsentId,
}

pub fn key() -> PrivateKey {
    PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap()
}

fn line(principals: &str, namespaces: &str, key: &PrivateKey) -> String {
    format!("{principals} namespaces=\"{namespaces}\" {}\n", openssh(key.public_key()))
}

fn head(kind: &str, counter: u64) -> String {
    let now = Timestamp::now();
    format!("# lineman-list: {kind}\n# counter: {counter}\n# issued: {}\n# expiry: {}\n", now - 1.hours(), now + (30 * 24).hours())
}

impl World {
    pub fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            customer: "JW".parse().unwrap(),
            device: "ne-1.jw.ne".parse().unwrap(),
            fault: "F-JW-1".parse().unwrap(),
            vendor_root: key(),
            engineer: key(),
            gateway: key(),
            approver: key(),
            second: key(),
            officers: [key(), key()],
            technician: key(),
            host_key: key(),
            id: ConsentId::new(),
        };
        let root = line("vendor-root", "roster@lineman,anchors@lineman", &world.vendor_root);
        for folder in [world.vendor_trust(), world.carrier_trust()] {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("vendor-root"), &root).unwrap();
        }
        std::fs::write(world.carrier_trust().join("signers"), world.signers()).unwrap();
        let [officer, other] = &world.officers;
        for (name, key) in [
            ("engineer", &world.engineer),
            ("approver", &world.approver),
            ("second", &world.second),
            ("officer", officer),
            ("officer-2", other),
            ("technician", &world.technician),
            ("root", &world.vendor_root),
        ] {
            key.write_openssh_file(world.path(name), LineEnding::LF).unwrap();
        }
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    pub fn env(&self) -> Env {
        Env::of([("HOME", self.home().to_str().unwrap())])
    }

    pub fn vendor_trust(&self) -> PathBuf {
        self.path("vendor-trust")
    }

    pub fn carrier_trust(&self) -> PathBuf {
        self.path("carrier-trust")
    }

    pub fn engineer_key_file(&self) -> PathBuf {
        self.path("engineer")
    }

    pub fn approver_key_file(&self) -> PathBuf {
        self.path("approver")
    }

    pub fn signers(&self) -> String {
        self.signers_numbered(1)
    }

    pub fn signers_numbered(&self, counter: u64) -> String {
        let [officer, other] = &self.officers;
        head("signers JW", counter)
            + &line("approver-jw", "consent@lineman,standing@lineman", &self.approver)
            + &line("second-jw", "consent@lineman,standing@lineman", &self.second)
            + &line("tech-jw", "device@lineman", &self.technician)
            + &line("officer-jw", "signers@lineman", officer)
            + &line("other-jw", "signers@lineman", other)
    }

    /// The list that is pinned on the carrier's machine, byte for byte.
    pub fn pinned_signers(&self) -> String {
        std::fs::read_to_string(self.carrier_trust().join("signers")).unwrap()
    }

    /// What the device says that it holds: `list` is the text of its signer list.
    pub fn receipt(&self, list: &str, approvals: u8) -> Receipt {
        let signers = CarrierSigners::parse(list, &self.customer).unwrap();
        Receipt {
            device: self.device.clone(),
            signers: signers.counter(),
            signers_sha256: sha256_hex(list),
            signers_expiry: signers.list().head.as_ref().unwrap().expiry,
            vendor_root_sha256: "0".repeat(64),
            roster: 7,
            grades: "end-to-end,role,gateway".into(),
            approvals,
            stopped: "no".into(),
            at: Timestamp::now() - 1.hours(),
        }
    }

    /// The centre's answer about signer lists, with a receipt that `key` signed.
    pub fn signers_view(&self, receipt: &Receipt, key: &PrivateKey) -> SignersView {
        SignersView {
            signed: Vec::new(),
            devices: vec![DeviceReceipt {
                device: self.device.clone(),
                receipt: Some(Signed::sign(key, Namespace::Receipt, receipt.write().unwrap()).unwrap()),
                received_at: Some(Timestamp::now()),
                refusal: None,
                device_statement: Some(self.statement_for(self.host_key.public_key())),
            }],
        }
    }

    pub fn roster(&self, counter: u64) -> Signed {
        let text = head("roster", counter)
            + &line("engineer-a,level-2", "request@lineman", &self.engineer)
            + &line("centre", "gateway@lineman", &self.gateway);
        Signed::sign(&self.vendor_root, Namespace::Roster, text).unwrap()
    }

    pub fn statement_for(&self, host_key: &PublicKey) -> Signed {
        let now = Timestamp::now();
        let statement = DeviceStatement {
            device: self.device.clone(),
            host_key: host_key.clone(),
            link_key_sha256: "0".repeat(64),
            signers_sha256: sha256_hex(self.signers()),
            vendor_root_sha256: "0".repeat(64),
            counter: 1,
            vouched_by: "tech-jw".parse().unwrap(),
            issued: now - 1.hours(),
            valid_before: now + (24 * 365).hours(),
        };
        Signed::sign(&self.technician, Namespace::Device, statement.write().unwrap()).unwrap()
    }

    /// A statement about another device, with the same keys.
    pub fn statement_of(&self, device: &str) -> Signed {
        let own = DeviceStatement::read_unverified(&self.statement_for(self.host_key.public_key()).text).unwrap();
        let statement = DeviceStatement { device: device.parse().unwrap(), ..own };
        Signed::sign(&self.technician, Namespace::Device, statement.write().unwrap()).unwrap()
    }

    pub fn bundle(&self) -> TrustBundle {
        let anchors = head("anchors JW", 1) + &line("tech-jw", "device@lineman,signers@lineman", &self.technician);
        TrustBundle {
            roster: self.roster(7),
            anchors: Some(Signed::sign(&self.vendor_root, Namespace::Anchors, anchors).unwrap()),
            devices: vec![self.statement_for(self.host_key.public_key())],
            jump: "127.0.0.1:2222".into(),
        }
    }

    pub fn challenge(&self) -> ChallengeReply {
        ChallengeReply {
            id: self.id,
            fault: self.fault.clone(),
            device: self.device.clone(),
            challenge: "c".repeat(43),
            lapses_at: Timestamp::now() + 4.hours(),
            policy: DevicePolicy {
                grades: vec![Grade::EndToEnd],
                approvals: 1,
                accounts: vec!["view".into()],
                max_duration_s: 14_400,
                browser_keys: false,
            },
            device_statement: self.statement_for(self.host_key.public_key()),
        }
    }

    pub fn view(&self, request: Signed) -> ConsentView {
        ConsentView {
            id: self.id,
            state: ConsentState::Requested,
            fault: self.fault.clone(),
            device: self.device.clone(),
            grade: Some(Grade::EndToEnd),
            engineer: "engineer-a".parse().unwrap(),
            doors: Some(ask().doors),
            account: Some("view".into()),
            duration_s: Some(7200),
            reason: Some("fan 2 stopped".into()),
            requested_at: Some(Timestamp::now()),
            lapses_at: Timestamp::now() + 4.hours(),
            decided_at: None,
            decided_by: None,
            refusal: None,
            live_until: None,
            device_says: None,
            ended_at: None,
            end_reason: None,
            request: Some(request),
            approvals_needed: 1,
            browser_keys: false,
            consents: Vec::new(),
            approvals: Vec::new(),
            local: None,
            roster: Some(self.roster(7)),
            device_statement: Some(self.statement_for(self.host_key.public_key())),
        }
    }
}

pub fn ask() -> Ask {
    Ask {
        engineer: "engineer-a".parse().unwrap(),
        grade: Grade::EndToEnd,
        doors: "shell".parse().unwrap(),
        account: "view".into(),
        duration_s: 7200,
        reason: "fan 2 stopped".into(),
    }
}
