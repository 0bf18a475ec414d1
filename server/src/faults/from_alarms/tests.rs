//! The alarm list and its correlation, as far as what equipment says becomes faults: on a store with the real schema, and with a clock
//! that the tests move.

mod correlation;
mod listing;
mod speed;

use jiff::{SignedDuration, Timestamp};
use lineman_common::alarm::{AlarmKey, AlarmReport, EventType, OperatorState, ProbableCause, ResourceState, Severity};
use lineman_common::api::{Alarm, AlarmPage, Fault, NewEquipment, Tier, Topology};
use lineman_common::fault::FaultStatus;
use lineman_common::id::{CustomerId, PersonId, SiteId};
use lineman_common::people::Role;
use serde_json::json;

use crate::alarms::{self, Filter};
use crate::customers;
use crate::equipment::{self, Known, Reference, topology};
use crate::store::testing::TestStore;
use crate::web::{Actor, Scope};

type Kind = (EventType, ProbableCause);
const LOS: Kind = (EventType::Communications, ProbableCause::LossOfSignal);
const POWER: Kind = (EventType::Equipment, ProbableCause::PowerProblem);
const BROKEN: Kind = (EventType::Equipment, ProbableCause::EquipmentMalfunction);
const FAN: Kind = (EventType::Equipment, ProbableCause::FanFailure);
const HOT: Kind = (EventType::Environmental, ProbableCause::TemperatureUnacceptable);

/// A centre with one customer, and a clock that stands until it is moved.
struct Centre {
    store: TestStore,
    customer: CustomerId,
    site: SiteId,
}

fn actor(role: Role, customer: Option<CustomerId>) -> Actor {
    let customer = customer.map(|id| (id, "JW".parse().unwrap()));
    Actor { id: PersonId::new(), name: "person-a".parse().unwrap(), role, customer }
}

fn admin() -> Actor {
    actor(Role::Admin, None)
}

fn said(alarm_type: &str, qualifier: &str, (event_type, probable_cause): Kind, at: Timestamp) -> AlarmReport {
    AlarmReport {
        key: AlarmKey { alarm_type: alarm_type.into(), qualifier: qualifier.into() },
        state: ResourceState::Raised,
        severity: Severity::Major,
        event_type,
        probable_cause,
        text: format!("{alarm_type} {qualifier}"),
        value: None,
        threshold: None,
        at,
    }
}

impl Centre {
    fn new() -> Self {
        let mut store = TestStore::new();
        let (customer, site) = store.write(|tx| {
            let tier = json!({"name": "gold", "accept_s": 300, "respond_s": 600, "restore_s": [null, null, null], "resolve_s": [null, null, null]});
            customers::set_tier(tx, &admin(), &serde_json::from_value::<Tier>(tier).unwrap()).unwrap();
            let new = serde_json::from_value(json!({"code": "JW", "name": "Telecom", "tier": "gold"})).unwrap();
            let customer = customers::add(tx, &admin(), new).unwrap();
            let new = serde_json::from_value(json!({"customer": "JW", "name": "North", "zone": "UTC", "access_notes": ""})).unwrap();
            (customer.id, customers::add_site(tx, &admin(), new).unwrap().id)
        });
        Self { store, customer, site }
    }

    fn device(&mut self, handle: &str, parent: Option<&str>) -> Known {
        let new = NewEquipment {
            customer: "JW".parse().unwrap(),
            handle: handle.parse().unwrap(),
            site: self.site,
            product: "OLT".into(),
            model: "C320".into(),
            serial: handle.into(),
            software: "1".into(),
            parent: parent.map(|parent| parent.parse().unwrap()),
        };
        self.store.write(|tx| {
            let added = equipment::add(tx, &admin(), new).unwrap();
            equipment::find(tx, &Scope::All, &Reference::Id(added.id)).unwrap()
        })
    }

    fn hang(&mut self, device: &Known, topology: &Topology) {
        self.store.write(|tx| topology::set(tx, &admin(), &Reference::Id(device.id), topology).unwrap());
    }

    fn now(&self) -> Timestamp {
        self.store.now
    }

    fn raise(&mut self, device: &Known, alarm_type: &str, qualifier: &str, kind: Kind) {
        let report = said(alarm_type, qualifier, kind, self.now());
        self.say(device, &report);
    }

    fn clear(&mut self, device: &Known, alarm_type: &str, qualifier: &str, kind: Kind) {
        let report = AlarmReport { state: ResourceState::Cleared, ..said(alarm_type, qualifier, kind, self.now()) };
        self.say(device, &report);
    }

    fn say(&mut self, device: &Known, report: &AlarmReport) {
        self.store.write(|tx| alarms::report(tx, device, report).unwrap());
    }

    /// The job, until it has nothing more to do at this moment.
    fn conclude(&mut self) {
        while self.store.write(|tx| super::settle(tx).unwrap()) {}
    }

    /// Time passes, and the job runs every second.
    fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.store.now += SignedDuration::from_secs(1);
            self.conclude();
        }
    }

    fn all(&self, filter: Filter) -> Vec<Alarm> {
        self.store.read(|db| alarms::list(db, &Scope::All, &Filter { limit: 1000, ..filter }).unwrap()).items
    }

    fn one(&self, device: &Known, alarm_type: &str, qualifier: &str) -> AlarmPage {
        let found = self.all(Filter { equipment: Some(device.id), ..Filter::default() });
        let found = found.into_iter().find(|alarm| alarm.alarm_type.raw() == alarm_type && alarm.qualifier.raw() == qualifier);
        let id = found.unwrap_or_else(|| panic!("no {alarm_type}/{qualifier}")).id;
        self.store.read(|db| alarms::page(db, &Scope::All, id).unwrap())
    }

    /// Open faults, the newest first.
    fn faults(&self) -> Vec<Fault> {
        let filter = crate::faults::Filter { open: true, limit: 1000, ..Default::default() };
        self.store.read(|db| crate::faults::list(db, &Scope::All, &filter).unwrap())
    }

    fn titles(&self) -> Vec<String> {
        self.faults().iter().map(|fault| fault.title.raw().to_owned()).collect()
    }
}

#[test]
fn an_alarm_of_weight_opens_one_fault_and_raised_again_it_joins_that() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    centre.raise(&device, "fan.speed", "fan-2", FAN);
    let minor = AlarmReport { severity: Severity::Minor, ..said("log.full", "", LOS, centre.now()) };
    centre.say(&device, &minor);
    centre.conclude();
    assert!(centre.faults().is_empty(), "a cause may still come");
    centre.pass(4);
    assert_eq!(centre.titles(), ["fan.speed fan-2"]);
    // Of a companion cause, however light it weighs.
    centre.say(&device, &AlarmReport { severity: Severity::Minor, ..said("board.temperature", "", HOT, centre.now()) });
    centre.pass(4);
    centre.clear(&device, "board.temperature", "", HOT);
    centre.clear(&device, "fan.speed", "fan-2", FAN);
    centre.pass(1);
    assert!(centre.faults()[0].proposes_restored);
    centre.raise(&device, "fan.speed", "fan-2", FAN);
    centre.pass(5);
    let faults = centre.faults();
    assert_eq!((faults.len(), faults[0].proposes_restored), (1, false));
    let page = centre.one(&device, "fan.speed", "fan-2");
    assert_eq!((page.alarm.count, page.alarm.operator_state), (2, OperatorState::None));
    assert_eq!(centre.one(&device, "board.temperature", "").alarm.fault, Some(faults[0].number.clone()));
}

#[test]
fn what_clears_within_the_hold_opens_nothing() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    centre.raise(&device, "port.los", "port-1", LOS);
    centre.pass(2);
    centre.clear(&device, "port.los", "port-1", LOS);
    centre.pass(10);
    assert!(centre.faults().is_empty());
    assert_eq!(centre.one(&device, "port.los", "port-1").changes.len(), 2);
}
