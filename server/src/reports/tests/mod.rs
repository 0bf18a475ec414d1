//! Some thousand faults with random lives, and every figure counted a second time: by a plain model that knows nothing but the events
//! which the API exports ([`model`]).

mod lives;
mod model;

use std::collections::BTreeMap;

use lineman_common::api::{Figure, FigurePart, ReportBy};
use serde_json::Value;

use super::{Asked, Narrow, Window, counted, report};
use crate::store::testing::TestStore;
use crate::web::Scope;

use lives::World;

fn window(from: &str, until: &str, zone: &str, as_of: Option<&str>) -> Window {
    let asked = Asked {
        from: Some(from.into()),
        until: Some(until.into()),
        zone: Some(zone.into()),
        as_of: as_of.map(|text| text.parse().unwrap()),
    };
    Window::of(&asked, lives::at(lives::END)).unwrap()
}

/// Everything that the API gives out, page by page, as a reader outside would have it.
fn exported(store: &TestStore, scope: &Scope) -> Vec<Value> {
    let (mut events, mut seq) = (Vec::new(), 0);
    loop {
        let (page, next) = store.read(|db| super::events_after(db, scope, None, seq, 700).unwrap());
        events.extend(page.iter().map(|event| serde_json::to_value(event).unwrap()));
        match next {
            Some(next) => seq = next,
            None => return events,
        }
    }
}

/// One question, asked of the room and of the model.
fn compare(world: &World, scope: &Scope, window: &Window, by: &[ReportBy], narrow: &Narrow) -> usize {
    let events = exported(&world.store, scope);
    let model = model::Model::of(&events, &world.products, &world.tiers, window);
    let answer = world.store.read(|db| report(db, scope, window, by, narrow).unwrap());
    let mut expected = model.groups(window, by, narrow);
    let mut compared = 0;
    for row in &answer.rows {
        let faults = expected.remove(&row.group).unwrap_or_default();
        for value in &row.figures {
            let figure = model::figure(&faults, value.figure);
            let place = format!("{} of {:?}", value.figure, row.group);
            assert_eq!(
                (value.numerator, value.denominator, value.undecided),
                (figure.numerator, figure.denominator, figure.undecided),
                "{place}"
            );
            match (value.value, figure.value) {
                // The model adds up the normal distribution in steps.
                (Some(ours), Some(other)) if value.figure == Figure::Sigma => {
                    assert!((ours - other).abs() < 0.002, "{place}: {ours} and {other}");
                }
                (Some(ours), Some(other)) => assert!((ours - other).abs() <= 1e-6 * other.abs().max(1.0), "{place}: {ours} and {other}"),
                (ours, other) => assert_eq!(ours, other, "{place}"),
            }
            assert_eq!(value.small, value.denominator < 30);
            compared += usize::from(value.value.is_some());
        }
    }
    assert!(expected.is_empty(), "groups that the report does not have: {:?}", expected.keys());
    compared
}

#[test]
fn every_figure_is_what_the_exported_events_say() {
    let world = World::grown(80, 20_261_122);
    let (all, jw) = (Scope::All, Scope::Customer(world.customers[0]));
    let year = window("2026-01-01", "2027-01-01", "UTC", None);
    let none = Narrow::default();
    assert_eq!(compare(&world, &all, &year, &[], &none), Figure::ALL.len(), "every figure has a value");
    compare(&world, &jw, &year, &[ReportBy::Customer], &none);
    for by in [ReportBy::Customer, ReportBy::Office, ReportBy::Product, ReportBy::Tier, ReportBy::Severity] {
        compare(&world, &all, &year, &[by], &none);
    }
    compare(&world, &all, &year, &[ReportBy::Month, ReportBy::Severity], &none);
    // Days of a zone that changes its clocks, by what was known in the middle of it.
    let spring = window("2026-03-20", "2026-04-05", "Europe/Berlin", Some("2026-03-30T10:20:00Z"));
    compare(&world, &all, &spring, &[ReportBy::Day], &none);
    compare(&world, &all, &spring, &[ReportBy::Week], &Narrow { severity: Some("major".into()), ..Narrow::default() });
    compare(&world, &all, &year, &[ReportBy::Quarter], &Narrow { product: Some("router".into()), tier: Some("gold".into()), ..none });
}

#[test]
fn each_number_leads_to_exactly_its_faults() {
    let world = World::grown(600, 7);
    let half = window("2026-01-01", "2026-07-01", "Asia/Shanghai", Some("2026-06-01T00:00:00Z"));
    let answer = world.store.read(|db| report(db, &Scope::All, &half, &[ReportBy::Customer], &Narrow::default()).unwrap());
    let model = model::Model::of(&exported(&world.store, &Scope::All), &world.products, &world.tiers, &half);
    let groups = model.groups(&half, &[ReportBy::Customer], &Narrow::default());
    for row in &answer.rows {
        let narrow = Narrow { customer: row.group[0].clone(), ..Narrow::default() };
        for value in &row.figures {
            let expected = model::figure(&groups[&row.group], value.figure);
            for (part, count) in [(FigurePart::Numerator, value.numerator), (FigurePart::Denominator, value.denominator)] {
                let list = world.store.read(|db| counted(db, &Scope::All, &half, &narrow, value.figure, part).unwrap());
                assert_eq!(list.len() as u64, count, "{} {part}", value.figure);
                let mut ours: BTreeMap<String, usize> = BTreeMap::new();
                for one in &list {
                    *ours.entry(one.fault.to_string()).or_default() += 1;
                    assert!(one.counted || part == FigurePart::Denominator);
                }
                assert_eq!(ours, expected.lists[usize::from(part == FigurePart::Denominator)], "{} {part}", value.figure);
            }
        }
    }
}

#[test]
fn a_customer_counts_its_own_only_and_knows_no_internal_notes() {
    let world = World::grown(300, 3);
    let year = window("2026-01-01", "2027-01-01", "UTC", None);
    let jw = Scope::Customer(world.customers[0]);
    let rows = |scope: &Scope| world.store.read(|db| report(db, scope, &year, &[ReportBy::Customer], &Narrow::default()).unwrap()).rows;
    assert_eq!(rows(&jw).iter().map(|row| row.group.clone()).collect::<Vec<_>>(), [[Some("JW".to_owned())]]);
    assert_eq!(rows(&Scope::All).len(), 3);
    // Asking for another's by name finds nothing, like asking for nobody's.
    let of = |code: &str| Narrow { customer: Some(code.into()), ..Narrow::default() };
    for figure in [Figure::Faults, Figure::LateEntry] {
        let list = |narrow: &Narrow| world.store.read(|db| counted(db, &jw, &year, narrow, figure, FigurePart::Denominator).unwrap());
        assert!(list(&of("YW")).is_empty() && list(&of("QQ")).is_empty());
        assert!(!list(&of("JW")).is_empty());
    }
    let links = |scope: &Scope| {
        let row = rows(scope).into_iter().find(|row| row.group == [Some("JW".to_owned())]).unwrap();
        row.figures.iter().find(|value| value.figure == Figure::CaseLink).unwrap().numerator
    };
    assert!(links(&jw) < links(&Scope::All), "drafted cases are the support centre's own business");
}

#[test]
fn an_empty_period_has_no_figures_and_no_nonsense() {
    let world = World::grown(0, 1);
    let year = window("2026-01-01", "2027-01-01", "UTC", None);
    let answer = world.store.read(|db| report(db, &Scope::All, &year, &[ReportBy::Month], &Narrow::default()).unwrap());
    assert_eq!(answer.rows.len(), 12, "a curve has no gaps");
    let text = serde_json::to_string(&answer).unwrap();
    assert!(answer.rows.iter().flat_map(|row| &row.figures).all(|value| value.value.is_none() && value.denominator == 0), "{text}");
    assert!(!super::csv::of_report(&answer).contains("NaN"));
}
