//! Customers with an enrolled, vouched device and everybody's keys, for the tests of the rooms above.

use jiff::ToSpan;
use lineman_common::api::{NewCustomer, NewEquipment, NewSite, Tier};
use lineman_common::id::{CustomerId, PersonId};
use lineman_common::link::EnrolRequest;
use lineman_common::people::Role;
use lineman_common::statement::device::openssh;
use lineman_common::statement::{Namespace, sig};
use ssh_key::{Algorithm, PrivateKey};

use super::*;
use crate::equipment::Known;

pub fn key() -> PrivateKey {
    PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap()
}

pub fn actor(name: &str, role: Role, customer: Option<(CustomerId, &str)>) -> Actor {
    let customer = customer.map(|(id, code)| (id, code.parse().unwrap()));
    Actor { id: PersonId::new(), name: name.parse().unwrap(), role, customer }
}

pub fn fingerprint(key: &PrivateKey) -> String {
    sig::fingerprint(key.public_key()).to_string()
}

fn line(principals: &str, namespaces: &str, key: &PrivateKey) -> String {
    format!("{principals} namespaces=\"{namespaces}\" {}\n", openssh(key.public_key()))
}

/// The vendor, and one customer with one device.
pub struct World {
    pub root: PrivateKey,
    pub vendor_root: VendorRoot,
    pub engineer_key: PrivateKey,
    /// Of the gateway, listed in the roster.
    pub gateway_key: PrivateKey,
    pub technician: PrivateKey,
    pub approvers: [PrivateKey; 2],
    pub host: PrivateKey,
    pub customer: CustomerId,
    pub code: CustomerCode,
    pub device: Known,
    authority: Authority,
}

impl World {
    pub fn found(tx: &mut Tx<'_>, code: &str) -> Self {
        let root = key();
        let text = line("vendor-root", "roster@lineman,anchors@lineman", &root);
        let vendor_root = SignerList::parse("vendor root", &text).unwrap();
        let dir = tempfile::tempdir().unwrap();
        Authority::create(dir.path()).unwrap();
        let (customer, device) = place(tx, code);
        let world = Self {
            vendor_root,
            engineer_key: key(),
            gateway_key: key(),
            technician: key(),
            approvers: [key(), key()],
            host: key(),
            customer,
            code: code.parse().unwrap(),
            device,
            authority: Authority::open(dir.path()).unwrap(),
            root,
        };
        world.publish_roster(tx, 1);
        world.publish_anchors(tx);
        world.enrol(tx, &world.host);
        world.vouch(tx, &world.host, 1);
        world
    }

    pub fn admin() -> Actor {
        actor("admin-z", Role::Admin, None)
    }

    pub fn engineer() -> Actor {
        actor("engineer-a", Role::Engineer, None)
    }

    pub fn noc(&self) -> Actor {
        actor("noc-a", Role::Noc, Some((self.customer, self.code.as_str())))
    }

    pub fn head(tx: &Tx<'_>, kind: &str, counter: u64) -> String {
        let (issued, expiry) = (tx.now() - 1.hour(), tx.now() + (24 * 30).hours());
        format!("# lineman-list: {kind}\n# counter: {counter}\n# issued: {issued}\n# expiry: {expiry}\n")
    }

    /// Lists `engineer-a` with level 2, and the gateway.
    pub fn publish_roster(&self, tx: &mut Tx<'_>, counter: u64) {
        let text = Self::head(tx, "roster", counter)
            + &line("engineer-a,level-2", "request@lineman", &self.engineer_key)
            + &line("gateway", "gateway@lineman", &self.gateway_key);
        let signed = Signed::sign(&self.root, Namespace::Roster, text).unwrap();
        publish_roster(tx, &Self::admin(), &signed, &self.vendor_root).unwrap();
    }

    fn publish_anchors(&self, tx: &mut Tx<'_>) {
        let text = Self::head(tx, &format!("anchors {}", self.code), 1) + &line("technician-a", "device@lineman", &self.technician);
        let signed = Signed::sign(&self.root, Namespace::Anchors, text).unwrap();
        publish_anchors(tx, &Self::admin(), &self.code, &signed, &self.vendor_root).unwrap();
    }

    /// The carrier's list of that number, signed by these keys.
    pub fn signers(&self, tx: &Tx<'_>, counter: u64, by: &[&PrivateKey]) -> Vec<Signed> {
        let text = Self::head(tx, &format!("signers {}", self.code), counter)
            + &line("approver-a", "consent@lineman,standing@lineman,signers@lineman", &self.approvers[0])
            + &line("approver-b", "consent@lineman,standing@lineman,signers@lineman", &self.approvers[1]);
        by.iter().map(|key| Signed::sign(key, Namespace::Signers, text.clone()).unwrap()).collect()
    }

    pub fn enrol(&self, tx: &mut Tx<'_>, host: &PrivateKey) {
        let reference = Reference::Id(self.device.id);
        let token = issue_token(tx, &Self::admin(), &reference, "127.0.0.1:7443", &self.authority.spki_sha256).unwrap().token;
        let token: EnrolmentToken = token.parse().unwrap();
        let link = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let csr = rcgen::CertificateParams::default().serialize_request(&link).unwrap().pem().unwrap();
        let request = EnrolRequest { secret: token.secret, csr, host_key: openssh(host.public_key()) };
        enrol(tx, &self.authority, &request).unwrap();
    }

    pub fn vouch(&self, tx: &mut Tx<'_>, host: &PrivateKey, counter: u64) {
        let statement = DeviceStatement {
            device: self.device.name.clone(),
            host_key: host.public_key().clone(),
            link_key_sha256: sql::device(tx, self.device.id).unwrap().unwrap().link_key_sha256,
            signers_sha256: "0".repeat(64),
            vendor_root_sha256: "0".repeat(64),
            counter,
            vouched_by: "technician-a".parse().unwrap(),
            issued: tx.now(),
            valid_before: tx.now() + (24 * 365).hours(),
        };
        let signed = Signed::sign(&self.technician, Namespace::Device, statement.write().unwrap()).unwrap();
        vouch(tx, &self.noc(), &Reference::Id(self.device.id), &signed, &self.vendor_root).unwrap();
    }
}

/// A customer with a site and `ne-1`.
pub fn place(tx: &mut Tx<'_>, code: &str) -> (CustomerId, Known) {
    let admin = World::admin();
    let tier = Tier { name: "gold".into(), accept_s: Some(300), respond_s: Some(600), ..Tier::default() };
    customers::set_tier(tx, &admin, &tier).unwrap();
    let code: CustomerCode = code.parse().unwrap();
    let customer = customers::add(tx, &admin, NewCustomer { code: code.clone(), name: "Telecom".into(), tier: tier.name }).unwrap();
    let site = NewSite {
        customer: code.clone(),
        name: "North exchange".into(),
        zone: "UTC".into(),
        latitude_deg: None,
        longitude_deg: None,
        access_notes: "".into(),
    };
    let site = customers::add_site(tx, &admin, site).unwrap();
    let device = NewEquipment {
        customer: code.clone(),
        handle: "ne-1".parse().unwrap(),
        site: site.id,
        product: "OLT".into(),
        model: "C320".into(),
        serial: "SN2102312".into(),
        software: "1.0".into(),
        parent: None,
    };
    let device = equipment::add(tx, &admin, device).unwrap();
    (customer.id, equipment::find(tx, &Scope::All, &Reference::Id(device.id)).unwrap())
}
