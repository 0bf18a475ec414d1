//! Faults with random lives, minute by minute, through a year.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{NewCustomer, NewEquipment, NewSite, Tier};
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use serde_json::{Value, json};

use crate::events::Kind;
use crate::store::testing::TestStore;
use crate::trust::testing::World as People;
use crate::{customers, equipment};

/// The last minute of the year that is looked at.
pub const END: i64 = 364 * 24 * 60;

pub fn at(minute: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

pub struct World {
    pub store: TestStore,
    pub customers: Vec<CustomerId>,
    /// By the name of the equipment.
    pub products: BTreeMap<String, String>,
    /// By the customer's code: name of the tier, and its targets.
    pub tiers: BTreeMap<String, Tier>,
}

/// A small generator of numbers that look random, the same ones each time.
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % sides.unsigned_abs()).unwrap()
    }

    fn is(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(i64::try_from(of.len()).unwrap())).unwrap()]
    }
}

struct Planned {
    minute: i64,
    claimed: i64,
    kind: Kind,
    fault: Option<usize>,
    device: Option<usize>,
    actor: String,
    internal: bool,
    data: Value,
}

const CODES: [&str; 3] = ["JW", "YW", "DL"];
const CAUSES: [&str; 3] = ["fan worn", "card 3 loose", "软件缺陷"];

impl World {
    pub fn grown(faults: usize, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut store = TestStore::new();
        store.now = at(0);
        let admin = People::admin();
        let mut world = Self { store, customers: Vec::new(), products: BTreeMap::new(), tiers: BTreeMap::new() };
        let mut devices: Vec<(usize, EquipmentId)> = Vec::new();
        for (nth, code) in CODES.iter().enumerate() {
            let tier = Tier {
                name: ["gold", "silver", "bronze"][nth].into(),
                accept_s: Some([300, 900, 1800][nth]),
                respond_s: [Some(900), None, Some(3600)][nth],
                restore_s: [Some(4 * 3600), Some(8 * 3600), None],
                resolve_s: [Some(24 * 3600), None, Some(72 * 3600)],
                calendar: None,
                kinds: BTreeMap::default(),
            };
            let products = &mut world.products;
            let (id, made) = world.store.write(|tx| {
                customers::set_tier(tx, &admin, &tier).unwrap();
                let new = NewCustomer { code: code.parse().unwrap(), name: (*code).into(), tier: tier.name.clone() };
                let customer = customers::add(tx, &admin, new).unwrap();
                let site: NewSite = serde_json::from_value(json!({"customer": code, "name": "site", "zone": "Asia/Shanghai"})).unwrap();
                let site = customers::add_site(tx, &admin, site).unwrap();
                let made = (1..5).map(|number| {
                    let product = ["router", "switch", "=oss()"][number % 3];
                    let new = json!({"customer": code, "handle": format!("ne-{number}"), "site": site.id, "product": product, "model": "m", "serial": "s", "software": "1"});
                    let new: NewEquipment = serde_json::from_value(new).unwrap();
                    let made = equipment::add(tx, &admin, new).unwrap();
                    products.insert(made.name.to_string(), product.to_owned());
                    made.id
                });
                (customer.id, made.collect::<Vec<_>>())
            });
            world.tiers.insert((*code).to_owned(), tier);
            world.customers.push(id);
            devices.extend(made.into_iter().map(|device| (nth, device)));
        }
        let mut plan = presence(&mut dice, devices.len());
        let mut owners = Vec::new();
        let tiers: Vec<Tier> = CODES.iter().map(|code| world.tiers[*code].clone()).collect();
        for fault in 0..faults {
            let device = dice.is(95).then(|| usize::try_from(dice.below(i64::try_from(devices.len()).unwrap())).unwrap());
            let customer = device.map_or(1, |device| devices[device].0);
            owners.push((customer, device));
            Life { dice: &mut dice, plan: &mut plan, fault, device, tier: &tiers[customer], minute: 0 }.live();
        }
        plan.retain(|planned| planned.minute < END);
        plan.sort_by_key(|planned| planned.minute);
        world.write(&plan, &devices, &owners);
        world.store.now = at(END);
        world
    }

    fn write(&mut self, plan: &[Planned], devices: &[(usize, EquipmentId)], owners: &[(usize, Option<usize>)]) {
        let ids: Vec<_> = owners.iter().map(|_| FaultId::new()).collect();
        let mut serials = [0; CODES.len()];
        let mut link = 1_000_000;
        for planned in plan {
            self.store.now = at(planned.minute);
            let customers = &self.customers;
            let device = planned.device.map(|device| devices[device].1);
            self.store.write(|tx| {
                let customer = match (planned.fault, planned.device) {
                    (Some(fault), _) => owners[fault].0,
                    (None, device) => devices[device.unwrap()].0,
                };
                if planned.kind == Kind::FaultReported {
                    serials[customer] += 1;
                    let sql = format!(
                        "INSERT INTO fault(id, customer, serial, equipment, title, description, severity, impact, status, reported_by, reported_at, updated_at)
                         VALUES ('{}', '{}', {}, {}, 'x', '', 'minor', 'none', 'reported', 'x', 0, 0)",
                        ids[planned.fault.unwrap()],
                        customers[customer],
                        serials[customer],
                        device.map_or("NULL".to_owned(), |id| format!("'{id}'"))
                    );
                    tx.sql().execute(&sql, []).unwrap();
                }
                // Straight into the log: what rooms would do when they hear of it is not the question here.
                link += 1;
                let fault = planned.fault.map_or("NULL".to_owned(), |fault| format!("'{}'", ids[fault]));
                let device = device.map_or("NULL".to_owned(), |id| format!("'{id}'"));
                let sql = format!(
                    "INSERT INTO event(kind, customer, equipment, fault, internal, actor, occurred_at, recorded_at, text, data, payload_sha256, chain_sha256, link, shown)
                     VALUES ('{}', '{}', {device}, {fault}, {}, '{}', {}, {}, '=text', '{}', '', '', {link}, iif({}, NULL, {link}))",
                    planned.kind,
                    customers[customer],
                    planned.internal,
                    planned.actor,
                    at(planned.claimed).as_microsecond(),
                    at(planned.minute).as_microsecond(),
                    planned.data,
                    planned.internal
                );
                tx.sql().execute(&sql, []).unwrap();
            });
        }
    }
}

/// Agents come and go.
fn presence(dice: &mut Dice, devices: usize) -> Vec<Planned> {
    let mut plan = Vec::new();
    for device in 0..devices {
        let (mut minute, mut online) = (0, true);
        while minute < END {
            let kind = if online { Kind::AgentOnline } else { Kind::AgentOffline };
            let actor = format!("agent:{device}");
            plan.push(Planned {
                minute,
                claimed: minute,
                kind,
                fault: None,
                device: Some(device),
                actor,
                internal: false,
                data: Value::Null,
            });
            minute += if online { 1 + dice.below(2000) } else { dice.below(40) };
            online = !online;
        }
    }
    plan
}

struct Life<'a> {
    dice: &'a mut Dice,
    plan: &'a mut Vec<Planned>,
    fault: usize,
    device: Option<usize>,
    tier: &'a Tier,
    minute: i64,
}

impl Life<'_> {
    fn tell(&mut self, kind: Kind, actor: &str, data: Value) {
        let late = if self.dice.is(20) { self.dice.below(60) } else { 0 };
        let claimed = if actor == "system" { self.minute } else { self.minute - late };
        let internal = matches!(kind, Kind::CaseCreated) || (kind == Kind::FaultNote && self.dice.is(30));
        let (fault, device, actor) = (Some(self.fault), self.device, actor.to_owned());
        self.plan.push(Planned { minute: self.minute, claimed, kind, fault, device, actor, internal, data });
    }

    fn wait(&mut self, most: i64) {
        self.minute += 1 + self.dice.below(most);
    }

    fn cause(&mut self) -> String {
        let cause = self.dice.one(&CAUSES);
        if self.dice.is(30) { format!("  {} ", cause.to_uppercase().replace(' ', "   ")) } else { cause.to_owned() }
    }

    fn live(mut self) {
        self.minute = self.dice.below(END);
        let severity = self.dice.one(&["critical", "major", "minor", "warning"]);
        let actor = self.dice.one(&["noc-jw", "engineer-a", "agent:ne-1.jw.ne", "system"]);
        let column = ["critical", "major"].iter().position(|word| *word == severity).unwrap_or(2);
        // What holds for the fault is in its log from the beginning.
        let terms = json!({
            "tier": self.tier.name, "severity": severity, "kind": "fault", "calendar": null, "zone": "Asia/Shanghai",
            "accept_s": self.tier.accept_s, "respond_s": self.tier.respond_s,
            "restore_s": self.tier.restore_s[column], "resolve_s": self.tier.resolve_s[column]
        });
        let mut report = json!({"severity": severity, "impact": "none", "title": "x", "terms": terms});
        if self.dice.is(5) {
            report["kind"] = "consulting".into();
        }
        self.tell(Kind::FaultReported, actor, report);
        if self.dice.is(60) {
            let office = self.dice.one(&["local-east", "local-west", "hq"]);
            self.tell(Kind::FaultRouted, "system", json!({"office": office, "why": "x"}));
        }
        self.wait(12);
        if self.dice.is(12) {
            let kind = [Kind::FaultRejected, Kind::FaultCancelled, Kind::FaultDuplicate][usize::try_from(self.dice.below(3)).unwrap()];
            return self.tell(kind, "engineer-a", json!({"reason": "x"}));
        }
        if self.dice.is(5) {
            return;
        }
        self.tell(Kind::FaultAccepted, "engineer-a", json!({"owner": "engineer-a"}));
        let mut restored = self.work();
        while restored && self.dice.is(15) {
            self.wait(3000);
            self.tell(Kind::FaultReopened, "noc-jw", json!({}));
            restored = self.work();
        }
    }

    /// Until it is restored, if it is.
    fn work(&mut self) -> bool {
        if self.dice.is(70) {
            self.wait(30);
            self.tell(Kind::FaultNote, "engineer-a", json!({"from_support": true}));
        }
        if self.dice.is(70) {
            self.consent();
        }
        if self.dice.is(40) {
            self.wait(60);
            let reason = self.dice.one(&["customer", "parts", "access", "third_party"]);
            self.tell(Kind::FaultPending, "engineer-a", json!({"reason": reason}));
            self.wait(600);
            self.tell(Kind::FaultResumed, "engineer-a", Value::Null);
        }
        for _ in 0..self.dice.below(3) {
            self.wait(25);
            let cause = self.cause();
            self.tell(Kind::FaultDiagnosed, "engineer-a", json!({"cause": cause, "plan": "x"}));
        }
        if self.dice.is(6) {
            return false;
        }
        self.wait(400);
        self.tell(Kind::FaultRestored, "engineer-a", Value::Null);
        if self.dice.is(6) {
            return true;
        }
        self.wait(2000);
        let channel = self.dice.one(&["phone", "remote", "onsite", "self"]);
        let cause = self.cause();
        self.tell(Kind::FaultResolved, "engineer-a", json!({"channel": channel, "cause": cause, "note": "x"}));
        for _ in 0..self.dice.below(3) {
            self.wait(10);
            let (case, verdict) = (self.dice.below(4), self.dice.one(&["solved", "helped", "wrong"]));
            let kind = if self.dice.is(20) { Kind::CaseCreated } else { Kind::CaseLinked };
            self.tell(kind, "engineer-a", json!({"case": format!("C-000{case}"), "verdict": verdict}));
        }
        if self.dice.is(85) {
            self.wait(500);
            self.tell(Kind::FaultClosed, "noc-jw", Value::Null);
        }
        true
    }

    fn consent(&mut self) {
        let consent = json!({"consent": format!("cns-{}-{}", self.fault, self.minute)});
        self.wait(20);
        self.tell(Kind::ConsentRequested, "engineer-a", consent.clone());
        let end = self.dice.below(10);
        self.wait(if end == 9 { 1 } else { 90 });
        match end {
            0 => return,
            1 => return self.tell(Kind::ConsentRefused, "approver-jw", consent),
            2 => return self.tell(Kind::ConsentLapsed, "system", consent),
            9 => self.tell(Kind::ConsentApproved, "system", consent.clone()),
            _ => self.tell(Kind::ConsentApproved, "approver-jw", consent.clone()),
        }
        if self.dice.is(80) {
            self.wait(40);
            self.tell(Kind::SessionFirstByte, "agent:ne-1.jw.ne", json!({"session": "x"}));
        }
        if self.dice.is(80) {
            self.wait(30);
            self.tell(Kind::ConsentEnded, "system", consent);
        }
    }
}
