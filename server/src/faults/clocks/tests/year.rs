//! A year of faults in the zones of the world, each lived moment by moment with the job that warns, and compared with the model.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::date;

use super::model::{Case, Found, STEP_S, Term, compare, live, some_targets, walk};
use super::*;
use crate::customers::calendars::tests as calendars;
use crate::faults::clocks::count::{BREACH, Due, WARNINGS};
use crate::faults::clocks::story::Said;

/// The same numbers on every machine, for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(below)).unwrap()
    }
}

const FAULTS: u32 = 150;

/// A fault somewhere in 2026, of a few hours or a few weeks.
fn case(dice: &mut Dice) -> Case {
    let new_year: Timestamp = "2025-12-31T12:00:00Z".parse().unwrap();
    let start = new_year + SignedDuration::from_secs(i64::from(dice.roll(366 * 24 * 120)) * STEP_S);
    let pace = [40, 40, 200, 2000][dice.roll(4) as usize];
    let choices: Vec<_> = (0..10 + dice.roll(20)).map(|_| (u8::try_from(dice.roll(24)).unwrap(), i64::from(dice.roll(pace)))).collect();
    let (log, presence) = live(start, &choices);
    let mut terms = Vec::new();
    let mut since = start;
    for _ in 0..=dice.roll(3) {
        let mut office = calendars::office();
        office.holidays.retain(|_| dice.roll(3) > 0);
        if dice.roll(4) == 0 {
            office.holidays.push(lineman_common::api::Holiday { date: date(2026, 5, 1), name: "劳动节".into() });
        }
        let calendar = (dice.roll(4) > 0).then_some(office);
        let zone = calendars::ZONES[dice.roll(7) as usize];
        terms.push(Term { since, targets: some_targets(dice.roll(625)), calendar, zone });
        since += SignedDuration::from_secs(i64::from(dice.roll(2000)) * STEP_S);
    }
    Case { terms, log, presence }
}

/// Lives a fault as the server does: sleeps until the next moment at which there is something to say or something happens.
fn job(case: &Case, end: Timestamp) -> Vec<(Timestamp, String, Due)> {
    let mut happens: Vec<Timestamp> = case.log.iter().map(|event| event.recorded_at).collect();
    happens.extend(case.presence.iter().map(|(at, _)| *at));
    happens.extend(case.terms.iter().map(|term| term.since));
    happens.sort();
    let mut said: Vec<Said> = Vec::new();
    let mut told = Vec::new();
    let mut now = case.log[0].recorded_at;
    while now <= end {
        let sheet = case.until(now).sheet();
        let next = sheet.with_counted(now, |clocks| {
            for clock in clocks {
                for due in clock.due(&said) {
                    let Due { percent, target_s, reached_at: due_at, .. } = due;
                    said.push(Said { clock: clock.name.into(), percent, target_s, due_at, recorded_at: now });
                    told.push((now, clock.name.to_owned(), due));
                }
            }
            clocks.iter().filter_map(count::Counted::next_due).min()
        });
        let event = happens.iter().find(|at| **at > now).copied();
        match next.into_iter().chain(event).min() {
            Some(next) => {
                assert!(next > now, "the job stands still at {now}: {case:#?}");
                now = next;
            }
            None => break,
        }
    }
    told
}

/// What was said against what the model says there was to say.
fn judge(case: &Case, told: &[(Timestamp, String, Due)], found: &BTreeMap<&'static str, Found>, end: Timestamp) {
    let mut seen = std::collections::BTreeSet::new();
    for (now, clock, due) in told {
        assert!(seen.insert((clock.clone(), due.target_s, due.percent)), "{clock} said twice: {due:?} in {case:#?}");
        let model = &found[clock.as_str()];
        let since = case.terms.iter().filter(|term| term.since <= *now).map(|term| term.since).max().unwrap();
        let wanted = i64::from(due.target_s) * i64::from(due.percent) / 100;
        let reached = model.reached.iter().find(|(_, elapsed)| *elapsed >= wanted).map(|(at, _)| *at);
        // K4 and K5 may learn late that a loss was short, or when a byte left.
        if !matches!(clock.as_str(), "K4" | "K5") {
            let fixed = reached.map(|at| at.max(since));
            if due.percent == BREACH {
                assert_eq!(model.breaches.get(&due.target_s), Some(&due.reached_at), "{clock} {due:?} in {case:#?}");
            } else {
                assert_eq!(fixed, Some(due.reached_at), "{clock} {due:?} at {now} in {case:#?}");
            }
            let late = now.duration_since(due.reached_at);
            assert!(!late.is_negative() && late <= SignedDuration::from_micros(1), "{clock} {due:?} said {late:#} late in {case:#?}");
        }
    }
    for (name, model) in found.iter().filter(|(name, _)| !matches!(**name, "K4" | "K5")) {
        for target in model.breaches.keys() {
            assert!(seen.contains(&((*name).to_owned(), *target, BREACH)), "{name} missed {target} s, and nobody said so: {case:#?}");
        }
        // Under one target for ever, every warning that was reached before the end was said.
        let [term] = case.terms.as_slice() else { continue };
        let target = match *name {
            "K1" => term.targets.accept_s,
            "K2" => term.targets.respond_s,
            "K6" => term.targets.restore_s,
            "K7" => term.targets.resolve_s,
            _ => None,
        };
        for percent in WARNINGS {
            let part = target.map(|target| i64::from(target) * i64::from(percent) / 100);
            // At the moment of its end it is over, and not warned of any more.
            let passed = part.is_some_and(|part| model.elapsed_s > part);
            assert!(
                !passed || seen.contains(&((*name).to_owned(), target.unwrap_or(0), percent)),
                "{name} passed {percent} % unsaid by {end}: {case:#?}"
            );
        }
    }
}

#[test]
fn a_year_of_faults_is_counted_and_warned_as_the_model_says() {
    let mut dice = Dice(2026);
    let (mut warnings, mut breaches) = (0, 0);
    for _ in 0..FAULTS {
        let case = case(&mut dice);
        let end = case.log.last().unwrap().recorded_at + SignedDuration::from_hours(7);
        compare(&case, end);
        let told = job(&case, end);
        warnings += told.iter().filter(|(.., due)| due.percent < BREACH).count();
        breaches += told.iter().filter(|(.., due)| due.percent == BREACH).count();
        judge(&case, &told, &walk(&case, end), end);
    }
    assert!(warnings > 200 && breaches > 100, "a year in which something happens: {warnings} warnings, {breaches} breaches");
}
