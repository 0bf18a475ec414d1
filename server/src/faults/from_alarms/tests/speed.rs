//! How fast it is: run with `cargo test --release -p lineman-server --bin lineman-server from_alarms::tests::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::*;
use crate::alarms::Intake;

const EVENTS: u32 = 100_000;
const DEVICES: u32 = 100;
const EACH: u32 = 50;

#[test]
#[ignore = "a measurement"]
fn alarm_events_per_second() {
    let mut centre = Centre::new();
    let devices: Vec<_> = (0..DEVICES).map(|n| centre.device(&format!("ne-{n}"), None)).collect();
    let (mut told, mut concluded) = (0.0, 0.0);
    for round in 0..EVENTS / (DEVICES * EACH) {
        centre.store.now += SignedDuration::from_secs(1);
        let (now, begun) = (centre.now(), Instant::now());
        for device in &devices {
            centre.store.write(|tx| {
                let mut intake = Intake::of(device);
                for port in 0..EACH {
                    let word = if round % 2 == 0 { ResourceState::Raised } else { ResourceState::Cleared };
                    let report = said("port.los", &format!("shelf-1/card-{}/port-{port}", round / 2 % 4), LOS, now);
                    intake.take(tx, &AlarmReport { state: word, ..report }).unwrap();
                }
            });
        }
        told += begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        centre.conclude();
        concluded += begun.elapsed().as_secs_f64();
    }
    let each = |seconds: f64| seconds * 1e6 / f64::from(EVENTS);
    let rate = f64::from(EVENTS) / (told + concluded);
    println!(
        "reports: {:.1} us each; conclusions: {:.1} us each; {rate:.0} events/s on one thread, in memory",
        each(told),
        each(concluded)
    );
}

#[test]
#[ignore = "a measurement"]
fn a_storm_of_ten_thousand() {
    let mut centre = Centre::new();
    let top = centre.device("ne-1", None);
    let children: Vec<_> = (0..100).map(|n| centre.device(&format!("onu-{n}"), Some("ne-1"))).collect();
    let begun = Instant::now();
    for child in &children {
        for port in 0..100 {
            centre.raise(child, "port.los", &format!("port-{port}"), LOS);
        }
    }
    centre.raise(&top, "uplink.down", "", LOS);
    centre.pass(5);
    println!("10,000 children and then the root: {} fault(s) in {:?}", centre.faults().len(), begun.elapsed());
}

#[test]
#[ignore = "a measurement"]
fn a_list_of_many() {
    let mut centre = Centre::new();
    let devices: Vec<_> = (0..1000).map(|n| centre.device(&format!("ne-{n}"), None)).collect();
    for device in &devices {
        let now = centre.now();
        centre.store.write(|tx| {
            let mut intake = Intake::of(device);
            for port in 0..1100 {
                let word = if port < 100 { ResourceState::Raised } else { ResourceState::Cleared };
                let report = said("port.los", &format!("port-{port}"), LOS, now - SignedDuration::from_secs(port));
                intake.take(tx, &AlarmReport { state: word, severity: Severity::Minor, ..report }).unwrap();
            }
        });
    }
    centre.conclude();
    let time = |what: &str, filter: Filter| {
        let begun = Instant::now();
        let page = centre.store.read(|db| alarms::list(db, &Scope::All, &Filter { limit: 200, ..filter }).unwrap());
        println!("{what}: {} entries in {:?}", page.items.len(), begun.elapsed());
    };
    time("raised", Filter { state: Some(ResourceState::Raised), ..Filter::default() });
    time("all", Filter::default());
    time("of a device", Filter { equipment: Some(devices[500].id), ..Filter::default() });
    time("text that fits nothing", Filter { text: Some("zzz".into()), ..Filter::default() });
    time("critical", Filter { severities: vec![Severity::Critical], ..Filter::default() });
    let begun = Instant::now();
    let summary = centre.store.read(|db| alarms::summary(db, &Scope::All).unwrap());
    println!("summary of {}: {:?}", summary.raised + summary.cleared, begun.elapsed());
    let id = centre.all(Filter::default())[0].id;
    let begun = Instant::now();
    centre.store.write(|tx| alarms::mark(tx, &admin(), id, OperatorState::Acknowledged, &"seen".into()).unwrap());
    println!("acknowledge: {:?}", begun.elapsed());
}
