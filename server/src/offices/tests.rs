//! The tree, the plans against a brute-force model of a year, and what offices cover.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan};
use lineman_common::alarm::Severity;
use lineman_common::api::{DutyRank, NewPerson, Stretch};
use lineman_common::calendar::Weekday;
use lineman_common::people::Role;

use super::coverage::{Subject, target};
use super::*;
use crate::store::testing::TestStore;

fn admin() -> Actor {
    Actor { id: lineman_common::id::PersonId::new(), name: person("admin-z"), role: Role::Admin, customer: None }
}

fn customer(tx: &mut Tx<'_>, code: &str) -> lineman_common::id::CustomerId {
    let tier = json!({"name": "gold", "accept_s": 300, "respond_s": 600, "restore_s": [null, null, null], "resolve_s": [null, null, null]});
    customers::set_tier(tx, &admin(), &serde_json::from_value(tier).unwrap()).unwrap();
    let new = serde_json::from_value(json!({"code": code, "name": "Telecom", "tier": "gold"})).unwrap();
    customers::add(tx, &admin(), new).unwrap().id
}

fn name(text: &str) -> OfficeName {
    text.parse().unwrap()
}

fn person(text: &str) -> PersonName {
    text.parse().unwrap()
}

fn office(text: &str, kind: OfficeKind, parent: Option<&str>, zone: &str) -> Office {
    let json = json!({"name": text, "kind": kind, "parent": parent, "zone": zone, "members": ["ann", "bob", "cat", "dan"]});
    serde_json::from_value(json).unwrap()
}

fn shift(json: serde_json::Value) -> Shift {
    serde_json::from_value(json).unwrap()
}

fn centre() -> TestStore {
    let mut store = TestStore::new();
    store.write(|tx| {
        for one in ["ann", "bob", "cat", "dan"] {
            let new = NewPerson { name: person(one), role: Role::Engineer, customer: None, password: None };
            people::add(tx, "admin-z", new, None).unwrap();
        }
        add(tx, &admin(), office("hq", OfficeKind::Hq, None, "UTC")).unwrap();
        add(tx, &admin(), office("experts", OfficeKind::Subcentre, Some("hq"), "Europe/Berlin")).unwrap();
        add(tx, &admin(), office("hotline", OfficeKind::Local, Some("experts"), "Asia/Shanghai")).unwrap();
    });
    store
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

// ---- The tree -------------------------------------------------------------------------------------------------------

#[test]
fn the_tree_has_one_top_and_no_rings() {
    let mut store = centre();
    let admin = admin();
    let mut tried = |office: Office| store.write(|tx| refusal(add(tx, &admin, office)));
    assert!(tried(office("hq-2", OfficeKind::Hq, None, "UTC")).contains("there is one hq"));
    assert!(tried(office("lone", OfficeKind::Local, None, "UTC")).contains("needs a parent"));
    assert!(tried(office("lone", OfficeKind::Local, Some("nowhere"), "UTC")).contains("no office nowhere"));
    assert!(tried(office("lost", OfficeKind::Local, Some("hq"), "Mars/Olympus")).contains("IANA"));
    assert!(tried(office("odd", OfficeKind::Subcentre, Some("hotline"), "UTC")).contains("can't be above"));
    assert!(tried(office("hotline", OfficeKind::Local, Some("hq"), "UTC")).contains("already"));
    let stranger = Office { members: vec![person("noc-x")], ..office("new", OfficeKind::Local, Some("hq"), "UTC") };
    assert!(tried(stranger).contains("nobody named noc-x"));
    store.write(|tx| {
        add(tx, &admin, office("inner", OfficeKind::Subcentre, Some("experts"), "UTC")).unwrap();
        let ring = office("experts", OfficeKind::Subcentre, Some("inner"), "UTC");
        assert!(refusal(replace(tx, &admin, &name("experts"), ring)).contains("inner is below experts"));
        let itself = office("experts", OfficeKind::Subcentre, Some("experts"), "UTC");
        assert!(matches!(replace(tx, &admin, &name("experts"), itself), Err(Error::Ring { .. })));
        // What stands below a subcentre may be one itself: then it can't become a hotline.
        let lower = office("experts", OfficeKind::Local, Some("hq"), "UTC");
        assert!(matches!(replace(tx, &admin, &name("experts"), lower), Err(Error::WrongParent { .. })));
        let other = office("renamed", OfficeKind::Local, Some("hq"), "UTC");
        assert!(refusal(replace(tx, &admin, &name("hotline"), other)).contains("names are for good"));
    });
}

#[test]
fn an_office_in_use_stays_and_says_by_what() {
    let mut store = centre();
    let admin = admin();
    store.write(|tx| {
        let policy =
            vec![EscalationStep { clock: lineman_common::api::ClockName::K1, percent: 75, to: Some(name("experts")), level: None }];
        let hotline = Office { escalation: Some(policy), ..get(tx, &Scope::All, &name("hotline")).unwrap() };
        replace(tx, &admin, &name("hotline"), hotline).unwrap();
        let rule = serde_json::from_value(json!({"name": "all of it", "office": "experts"})).unwrap();
        put_rules(tx, &admin, vec![rule]).unwrap();
        let nights = shift(json!({"name": "nights", "from": "20:00", "to": "08:00", "turns": [["ann"]], "start": "2026-01-01"}));
        put_shift(tx, &admin, &name("experts"), nights).unwrap();
        let why = refusal(delete(tx, &admin, &name("experts")));
        for part in ["hotline is below it", "hotline escalates to it", "the rule `all of it`", "the shift nights"] {
            assert!(why.contains(part), "{why}");
        }
        let without = Office { members: vec![person("bob")], ..get(tx, &Scope::All, &name("experts")).unwrap() };
        assert!(refusal(replace(tx, &admin, &name("experts"), without)).contains("ann is in the shift nights"));
        delete(tx, &admin, &name("hotline")).unwrap();
        assert!(matches!(get(tx, &Scope::All, &name("hotline")), Err(Error::NotFound)));
    });
}

#[test]
fn a_customer_sees_no_office() {
    let mut store = centre();
    let customer = store.write(|tx| customer(tx, "JW"));
    let scope = Scope::Customer(customer);
    store.read(|db| {
        assert!(list(db, &scope).unwrap().is_empty());
        assert!(rules(db, &scope).unwrap().is_empty());
        assert!(matches!(get(db, &scope, &name("hq")), Err(Error::NotFound)));
        assert!(matches!(shifts(db, &scope, &name("hq")), Err(Error::NotFound)));
        assert!(matches!(overrides(db, &scope, &name("hq")), Err(Error::NotFound)));
        let log = events::after(db, &scope, 0, 1000).unwrap();
        assert!(!log.iter().any(|event| event.kind.starts_with("office")), "nor events of them");
    });
}

// ---- A year against a model -----------------------------------------------------------------------------------------

/// A year of minutes, painted by hand: who is on duty is written into each minute of the time, and the wall clock is looked up in a
/// table that was made by walking through the year. Nothing of the rota is used.
struct Model {
    begin: Timestamp,
    /// The first minute of the year at which the wall shows this.
    wall: BTreeMap<(Date, i16), usize>,
    minutes: Vec<Vec<(DutyRank, PersonName)>>,
}

impl Model {
    fn new(zone: &str, begin: Timestamp, days: usize) -> Self {
        let tz = TimeZone::get(zone).unwrap();
        let mut wall = BTreeMap::new();
        for minute in 0..days * 24 * 60 {
            let local = (begin + SignedDuration::from_mins(i64::try_from(minute).unwrap())).to_zoned(tz.clone());
            wall.entry((local.date(), i16::from(local.hour()) * 60 + i16::from(local.minute()))).or_insert(minute);
        }
        Self { begin, wall, minutes: vec![Vec::new(); days * 24 * 60] }
    }

    /// When the wall shows it; when it never does, as long after the last time that it did show. What lies outside of the table is
    /// at its ends.
    fn minute(&self, date: Date, of_day: i16) -> usize {
        let last = self.minutes.len();
        if let Some(minute) = self.wall.get(&(date, of_day)) {
            return *minute;
        }
        let Some((&(shown_on, shown), &minute)) = self.wall.range(..(date, of_day)).next_back() else { return 0 };
        let days = i64::from(shown_on.until(date).unwrap().get_days());
        (minute + usize::try_from(days * 24 * 60 + i64::from(of_day - shown)).unwrap()).min(last)
    }

    fn paint(&mut self, shift: &Shift) {
        let of_day = |time: lineman_common::api::DayTime| i16::from(time.0.hour()) * 60 + i16::from(time.0.minute());
        let mut date = self.wall.keys().next().unwrap().0.yesterday().unwrap();
        let end = self.wall.keys().next_back().unwrap().0;
        while date <= end {
            let day = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"][usize::try_from(date.weekday().to_monday_zero_offset()).unwrap()];
            let begins = shift.days.is_empty() || shift.days.iter().any(|one| one.as_str() == *day);
            if begins && date >= shift.start && shift.end.is_none_or(|end| date <= end) {
                let next = if of_day(shift.to) <= of_day(shift.from) { date.tomorrow().unwrap() } else { date };
                let (from, to) = (self.minute(date, of_day(shift.from)), self.minute(next, of_day(shift.to)));
                let age = usize::try_from(shift.start.until(date).unwrap().get_days()).unwrap();
                let turn = &shift.turns[age / usize::from(shift.turn_days) % shift.turns.len()];
                for minute in from..to {
                    self.minutes[minute].extend(turn.iter().map(|one| (shift.rank, one.clone())));
                }
            }
            date = date.tomorrow().unwrap();
        }
    }

    fn change(&mut self, change: &Override) {
        let index = |at: Timestamp| usize::try_from(at.duration_since(self.begin).as_mins().max(0)).unwrap();
        let (from, to) = (index(change.from), index(change.to).min(self.minutes.len()));
        for minute in &mut self.minutes[from..to] {
            match change.kind {
                OverrideKind::Off => minute.retain(|(_, one)| *one != change.person),
                OverrideKind::Extra => minute.push((change.rank, change.person.clone())),
                OverrideKind::StandIn => {
                    for (_, one) in minute.iter_mut().filter(|(_, one)| *one == change.person) {
                        *one = change.other.clone().unwrap();
                    }
                }
                OverrideKind::Swap => {
                    let other = change.other.clone().unwrap();
                    for (_, one) in minute.iter_mut() {
                        if *one == change.person {
                            *one = other.clone();
                        } else if *one == other {
                            *one = change.person.clone();
                        }
                    }
                }
            }
        }
    }

    fn at(&self, minute: usize) -> Vec<(DutyRank, PersonName)> {
        let mut duty = self.minutes[minute].clone();
        duty.sort_by_key(|(rank, _)| *rank);
        let mut seen: Vec<PersonName> = Vec::new();
        duty.retain(|(_, one)| {
            let new = !seen.contains(one);
            seen.push(one.clone());
            new
        });
        duty
    }
}

fn change(kind: OverrideKind, from: &str, to: &str, one: &str, other: Option<&str>) -> Override {
    Override {
        id: OverrideId::new(),
        kind,
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        person: person(one),
        other: other.map(person),
        rank: DutyRank::Primary,
        reason: "x".into(),
        by: person("admin-z"),
        at: Timestamp::UNIX_EPOCH,
    }
}

/// Three shifts round the clock with rotations of different lengths, weekends apart, boundaries inside the hours that DST takes and gives.
fn a_year_of_shifts() -> Vec<Shift> {
    vec![
        shift(json!({"name": "early", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "06:00", "to": "14:00",
            "turns": [["ann"], ["bob"], ["cat"]], "turn_days": 7, "start": "2025-12-01"})),
        shift(json!({"name": "late", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "14:00", "to": "22:30",
            "turns": [["bob"], ["cat"], ["ann"]], "turn_days": 7, "start": "2025-12-01"})),
        shift(
            json!({"name": "night", "from": "22:30", "to": "02:30", "turns": [["cat"], ["ann", "dan"]], "turn_days": 3, "start": "2026-01-05"}),
        ),
        shift(
            json!({"name": "small-hours", "from": "02:30", "to": "06:00", "turns": [["dan"]], "start": "2026-01-01", "end": "2026-11-15"}),
        ),
        shift(json!({"name": "weekend", "days": ["sat", "sun"], "from": "06:00", "to": "06:00", "rank": "secondary",
            "turns": [["dan"], ["bob"]], "turn_days": 14, "start": "2026-01-03"})),
        shift(json!({"name": "midnight", "from": "00:00", "to": "00:30", "rank": "secondary", "turns": [["bob"]], "start": "2026-01-01"})),
    ]
}

/// Over both DST nights of Berlin and New York, and through the days.
fn a_year_of_overrides() -> Vec<Override> {
    vec![
        change(OverrideKind::Swap, "2026-03-28T20:00:00Z", "2026-03-30T06:00:00Z", "dan", Some("cat")),
        change(OverrideKind::StandIn, "2026-10-24T21:00:00Z", "2026-10-25T05:00:00Z", "ann", Some("bob")),
        change(OverrideKind::StandIn, "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z", "bob", Some("dan")),
        change(OverrideKind::Off, "2026-03-08T04:00:00Z", "2026-03-08T12:00:00Z", "dan", None),
        change(OverrideKind::Extra, "2026-11-01T03:00:00Z", "2026-11-01T09:00:00Z", "ann", None),
        change(OverrideKind::Swap, "2026-07-01T00:00:00Z", "2026-07-15T00:00:00Z", "ann", Some("bob")),
    ]
}

#[test]
fn a_year_of_duty_is_what_a_brute_force_model_says_in_every_zone() {
    const DAYS: usize = 366;
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    // No DST, DST in both halves of the world, half an hour of it, at midnight, in a zone with odd minutes, far east of UTC.
    for zone in [
        "Asia/Shanghai",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "America/Havana",
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
    ] {
        let (shifts, overrides) = (a_year_of_shifts(), a_year_of_overrides());
        let mut model = Model::new(zone, begin, DAYS);
        for shift in &shifts {
            model.paint(shift);
        }
        for change in &overrides {
            model.change(change);
        }
        let rota = Rota { zone: TimeZone::get(zone).unwrap(), shifts, overrides, staffed: Vec::new(), away: Vec::new() };
        // The first and the last day touch what lies outside of the table.
        let inside = 24 * 60..(DAYS - 2) * 24 * 60;
        let at = |minute: usize| begin + SignedDuration::from_mins(i64::try_from(minute).unwrap());
        let plain = |duty: Vec<OnDuty>| duty.into_iter().map(|one| (one.rank, one.person)).collect::<Vec<_>>();
        for minute in inside.clone().step_by(30) {
            assert_eq!(plain(rota.at(at(minute))), model.at(minute), "{zone} at {}", at(minute));
        }
        // The plan says the same, to the minute, without a hole or an overlap.
        let plan = rota.plan(at(inside.start), at(inside.end));
        assert_eq!((plan[0].from, plan[plan.len() - 1].to), (at(inside.start), at(inside.end)));
        for pair in plan.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "{zone}");
        }
        let index = |at: Timestamp| usize::try_from(at.duration_since(begin).as_mins()).unwrap();
        for Stretch { from, to, on_duty, gap } in plan {
            let on_duty = plain(on_duty);
            assert_eq!(gap, on_duty.is_empty());
            // Both ends to the minute, and now and then between them.
            for minute in (index(from)..index(to)).step_by(13).chain([index(to) - 1]) {
                assert_eq!(on_duty, model.at(minute), "{zone} at {}", at(minute));
            }
        }
    }
}

#[test]
fn shifts_that_meet_on_the_wall_meet_in_the_nights_when_clocks_change() {
    let night = |name: &str, from: &str, to: &str, who: &str| {
        shift(json!({"name": name, "from": from, "to": to, "turns": [[who]], "start": "2026-01-01"}))
    };
    for (zone, from, to, hours) in [
        ("Europe/Berlin", "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z", 7),
        ("Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z", 9),
        ("America/New_York", "2026-03-08T03:00:00Z", "2026-03-08T10:00:00Z", 7),
    ] {
        // 22:00 to 06:00 on the wall, in two halves that meet at 02:30: an hour that is not there, or there twice.
        let shifts = vec![night("first", "22:00", "02:30", "ann"), night("second", "02:30", "06:00", "bob")];
        let rota = Rota { zone: TimeZone::get(zone).unwrap(), shifts, overrides: Vec::new(), staffed: Vec::new(), away: Vec::new() };
        let (from, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
        let plan = rota.plan(from, to);
        assert_eq!(to.duration_since(from).as_hours(), hours);
        let names: Vec<_> = plan.iter().map(|stretch| stretch.on_duty.iter().map(|one| one.person.as_str()).collect::<Vec<_>>()).collect();
        let whole = [vec!["ann"], vec!["bob"]];
        assert_eq!(names, whole, "{zone} from {from}: {plan:?}");
    }
}

#[test]
fn a_swap_over_a_dst_night_exchanges_two_and_says_so() {
    let shifts = vec![
        shift(json!({"name": "first", "from": "22:00", "to": "02:00", "turns": [["ann"]], "start": "2026-01-01"})),
        shift(json!({"name": "second", "from": "02:00", "to": "06:00", "turns": [["bob"]], "start": "2026-01-01"})),
    ];
    let swap = change(OverrideKind::Swap, "2026-10-24T19:00:00Z", "2026-10-25T06:00:00Z", "ann", Some("bob"));
    let rota = Rota { zone: TimeZone::get("Europe/Berlin").unwrap(), shifts, overrides: vec![swap], staffed: Vec::new(), away: Vec::new() };
    let who = |at: &str| {
        let duty = rota.at(at.parse().unwrap());
        (duty[0].person.to_string(), duty[0].because.as_ref().map(ToString::to_string))
    };
    // 02:00 comes twice; the second shift begins with the first of them, at 00:00 UTC.
    assert_eq!(who("2026-10-24T23:59:00Z"), ("bob".into(), Some("swapped with ann: x".into())));
    assert_eq!(who("2026-10-25T00:00:00Z"), ("ann".into(), Some("swapped with bob: x".into())));
    assert_eq!(who("2026-10-25T01:30:00Z").0, "ann", "the second 02:30");
    assert_eq!(who("2026-10-23T21:00:00Z"), ("ann".into(), None), "the night before is as it was");
}

// ---- Through the store ----------------------------------------------------------------------------------------------

#[test]
fn gaps_show_in_the_hours_that_are_to_be_staffed_only() {
    let mut store = centre();
    let admin = admin();
    store.write(|tx| {
        let staffed =
            serde_json::from_value(json!([{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "18:00"}])).unwrap();
        let hotline = Office { staffed, ..get(tx, &Scope::All, &name("hotline")).unwrap() };
        replace(tx, &admin, &name("hotline"), hotline).unwrap();
        let days = shift(json!({"name": "days", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00",
            "turns": [["ann"]], "start": "2026-01-01"}));
        put_shift(tx, &admin, &name("hotline"), days).unwrap();
        // From Monday to Monday: one hour is missing on each of five days.
        let plan = |tx: &Tx<'_>| {
            let (from, to) = ("2026-11-22T16:00:00Z".parse().unwrap(), "2026-11-29T16:00:00Z".parse().unwrap());
            super::plan(tx, &Scope::All, &name("hotline"), from, to).unwrap().stretches
        };
        let gaps: Vec<_> = plan(tx).into_iter().filter(|stretch| stretch.gap).collect();
        assert_eq!(gaps.len(), 5);
        assert_eq!(gaps[0].from.to_string(), "2026-11-23T09:00:00Z", "17:00 in Shanghai");
        assert!(gaps.iter().all(|gap| gap.to.duration_since(gap.from).as_hours() == 1));
        // A holiday without a stand-in is a gap of a day; with one it is none.
        let off = |kind, other: Option<&str>| NewOverride {
            kind,
            from: "2026-11-23T16:00:00Z".parse().unwrap(),
            to: "2026-11-24T16:00:00Z".parse().unwrap(),
            person: person("ann"),
            other: other.map(person),
            rank: DutyRank::Primary,
            reason: "holiday".into(),
        };
        let made = add_override(tx, &admin, &name("hotline"), off(OverrideKind::Off, None)).unwrap();
        let hours = |tx: &Tx<'_>| {
            let gaps = plan(tx).into_iter().filter(|stretch| stretch.gap);
            gaps.map(|gap| gap.to.duration_since(gap.from).as_hours()).sum::<i64>()
        };
        assert_eq!(hours(tx), 4 + 9);
        cancel_override(tx, &admin, &name("hotline"), made.id).unwrap();
        add_override(tx, &admin, &name("hotline"), off(OverrideKind::StandIn, Some("bob"))).unwrap();
        assert_eq!(hours(tx), 5);
        let then = on_duty(tx, &name("hotline"), "2026-11-24T02:00:00Z".parse().unwrap()).unwrap();
        assert_eq!((then[0].person.as_str(), then[0].because.as_ref().unwrap().raw()), ("bob", "stands in for ann: holiday"));
    });
}

#[test]
fn who_is_disabled_is_on_no_duty() {
    let mut store = centre();
    let admin = admin();
    store.write(|tx| {
        let always = shift(json!({"name": "always", "from": "00:00", "to": "00:00", "turns": [["ann", "bob"]], "start": "2026-01-01"}));
        put_shift(tx, &admin, &name("hq"), always).unwrap();
        people::disable(tx, &admin, &person("ann"), &"left".into()).unwrap();
        let duty = on_duty(tx, &name("hq"), tx.now()).unwrap();
        assert_eq!(duty.iter().map(|one| one.person.as_str()).collect::<Vec<_>>(), ["bob"]);
        let again = shift(json!({"name": "more", "from": "00:00", "to": "00:00", "turns": [["ann"]], "start": "2026-01-01"}));
        assert!(matches!(put_shift(tx, &admin, &name("hq"), again), Err(Error::NotAWorker(_))));
    });
}

#[test]
fn wrong_shifts_and_overrides_are_told_what_is_wrong() {
    let mut store = centre();
    let admin = admin();
    store.write(|tx| {
        let mut set = |json: serde_json::Value| refusal(put_shift(tx, &admin, &name("hq"), shift(json)));
        assert!(set(json!({"name": "x1", "from": "00:00", "to": "08:00", "turns": [], "start": "2026-01-01"})).contains("turns"));
        assert!(set(json!({"name": "x1", "from": "00:00", "to": "08:00", "turns": [[]], "start": "2026-01-01"})).contains("turns"));
        let backwards =
            json!({"name": "x1", "from": "00:00", "to": "08:00", "turns": [["ann"]], "start": "2026-01-02", "end": "2026-01-01"});
        assert!(set(backwards).contains("before it starts"));
        let new = |kind, to: &str, other: Option<&str>| NewOverride {
            kind,
            from: "2026-11-22T16:00:00Z".parse().unwrap(),
            to: to.parse().unwrap(),
            person: person("ann"),
            other: other.map(person),
            rank: DutyRank::Primary,
            reason: "x".into(),
        };
        let mut tried = |new| refusal(add_override(tx, &admin, &name("hq"), new));
        assert!(tried(new(OverrideKind::Swap, "2026-11-23T16:00:00Z", None)).contains("`other` is needed"));
        assert!(tried(new(OverrideKind::Swap, "2026-11-23T16:00:00Z", Some("ann"))).contains("the same"));
        assert!(tried(new(OverrideKind::Off, "2026-11-23T16:00:00Z", Some("bob"))).contains("`other` is for"));
        assert!(tried(new(OverrideKind::Off, "2026-11-22T16:00:00Z", None)).contains("longer than nothing"));
        assert!(tried(NewOverride { reason: " ".into(), ..new(OverrideKind::Off, "2026-11-23T16:00:00Z", None) }).contains("reason"));
    });
    let text = |json: serde_json::Value| serde_json::from_value::<Shift>(json).unwrap_err().to_string();
    assert!(text(json!({"name": "x1", "from": "8", "to": "08:00", "turns": [], "start": "2026-01-01"})).contains("like 08:30"));
    assert!(text(json!({"name": "x1", "from": "24:00", "to": "08:00", "turns": [], "start": "2026-01-01"})).contains("like 08:30"));
    assert!(text(json!({"name": "X", "from": "00:00", "to": "08:00", "turns": [], "start": "2026-01-01"})).contains("hotline-east"));
}

// ---- Coverage -------------------------------------------------------------------------------------------------------

#[test]
fn the_first_rule_decides_then_the_closest_office_then_the_hq() {
    let site = lineman_common::id::SiteId::new();
    let subject = Subject {
        customer: "JW".parse().unwrap(),
        site: Some(site),
        zone: Some("Asia/Shanghai".into()),
        product: Some("OLT".into()),
        severity: Severity::Major,
    };
    let hq = office("hq", OfficeKind::Hq, None, "UTC");
    let experts = Office { products: vec!["olt".into()], ..office("experts", OfficeKind::Subcentre, Some("hq"), "UTC") };
    let asia = Office { regions: vec!["Asia".into()], ..office("asia", OfficeKind::Local, Some("experts"), "UTC") };
    let jw = Office { customers: vec!["JW".parse().unwrap()], ..office("jw-desk", OfficeKind::Local, Some("experts"), "UTC") };
    let here = Office { sites: vec![site], ..office("on-site", OfficeKind::Local, Some("experts"), "UTC") };
    let plain = office("plain", OfficeKind::Local, Some("hq"), "UTC");
    let mut offices = vec![plain, hq];
    let to = |offices: &[Office], rules: &[RoutingRule], subject: &Subject| {
        let target = target(offices, rules, subject).unwrap();
        (target.office.to_string(), target.why.en)
    };
    assert_eq!(to(&offices, &[], &subject), ("hq".into(), "no rule and no office covers it: the hq hq takes it".into()));
    for (more, expected, why) in [
        (experts, "experts", "experts (subcentre) covers the product line OLT"),
        (asia, "asia", "asia (local) covers the region of Asia/Shanghai"),
        (jw, "jw-desk", "jw-desk (local) covers JW"),
        (here, "on-site", "on-site (local) covers its site"),
    ] {
        offices.push(more);
        assert_eq!(to(&offices, &[], &subject), (expected.to_owned(), why.to_owned()));
    }
    let rule = |json: serde_json::Value| serde_json::from_value::<RoutingRule>(json).unwrap();
    let rules = [
        rule(json!({"name": "other product", "products": ["router"], "office": "plain"})),
        rule(json!({"name": "critical ones", "severity": "critical", "office": "hq", "level": 3})),
        rule(json!({"name": "east", "regions": ["Asia"], "office": "experts", "skills": ["optics"]})),
        rule(json!({"name": "never reached", "office": "plain"})),
    ];
    assert_eq!(to(&offices, &rules, &subject), ("experts".into(), "rule 3 (east) sends it to experts".into()));
    let critical = Subject { severity: Severity::Critical, ..subject.clone() };
    assert_eq!(to(&offices, &rules, &critical).0, "hq");
    // `Asia` is a region, `As` is not one of `Asia/Shanghai`; and what has no zone is in none.
    let cut = [rule(json!({"name": "cut", "regions": ["As"], "office": "plain"}))];
    assert_eq!(to(&offices, &cut, &subject).0, "on-site");
    assert!(target(&[], &[], &subject).is_none());
}

#[test]
fn weekdays_are_told_apart() {
    let monday: Date = "2026-11-23".parse().unwrap();
    for (offset, day) in Weekday::ALL.iter().enumerate() {
        let date = monday + i64::try_from(offset).unwrap().days();
        assert!(rota::begins_on(&[*day], date), "{day} {date}");
        assert!(!rota::begins_on(&[*day], date.tomorrow().unwrap()));
        assert!(rota::begins_on(&[], date));
    }
}
