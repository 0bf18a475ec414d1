//! A small world of keys for tests: a vendor, a carrier, an engineer, a device, and the papers between them.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};
use lineman_common::api::{ChallengeReply, ConsentState, ConsentView, TrustBundle};
use lineman_common::id::ConsentId;
use lineman_common::link::DevicePolicy;
use lineman_common::name::{CustomerCode, FaultNumber, NeName};
use lineman_common::session::Grade;
use lineman_common::statement::device::openssh;
use lineman_common::statement::{DeviceStatement, Namespace, Signed};
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
        for (name, key) in
            [("engineer", &world.engineer), ("approver", &world.approver), ("technician", &world.technician), ("root", &world.vendor_root)]
        {
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
        head("signers JW", 1)
            + &line("approver-jw", "consent@lineman", &self.approver)
            + &line("tech-jw", "device@lineman", &self.technician)
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
            signers_sha256: lineman_common::statement::sha256_hex(self.signers()),
            vendor_root_sha256: "0".repeat(64),
            counter: 1,
            vouched_by: "tech-jw".parse().unwrap(),
            issued: now - 1.hours(),
            valid_before: now + (24 * 365).hours(),
        };
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
            policy: DevicePolicy { grades: vec![Grade::EndToEnd], approvals: 1, accounts: vec!["view".into()], max_duration_s: 14_400 },
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
            consents: Vec::new(),
            local: None,
            roster: Some(self.roster(7)),
            device_statement: Some(self.statement_for(self.host_key.public_key())),
        }
    }
}

pub fn ask() -> Ask {
    Ask {
        engineer: "engineer-a".parse().unwrap(),
        doors: "shell".parse().unwrap(),
        account: "view".into(),
        duration_s: 7200,
        reason: "fan 2 stopped".into(),
    }
}
