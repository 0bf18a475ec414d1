//! The list: late, doubled, wrong and hostile reports, rings, the operator's axis, pages and filters, purging.

use lineman_common::alarm::TimeMark;
use lineman_common::api::AlarmAction;
use proptest::prelude::*;

use super::*;
use crate::alarms::Intake;

fn at(centre: &Centre, seconds: i64) -> Timestamp {
    centre.now() + SignedDuration::from_secs(seconds)
}

fn state(report: AlarmReport, state: ResourceState) -> AlarmReport {
    AlarmReport { state, ..report }
}

#[test]
fn what_is_late_finds_its_place_and_changes_nothing() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    let begun = centre.now();
    let raised = |seconds| said("port.los", "port-1", LOS, begun + SignedDuration::from_secs(seconds));
    let cleared = |seconds| state(raised(seconds), ResourceState::Cleared);
    // The clearing overtakes its raise.
    centre.say(&device, &cleared(20));
    centre.say(&device, &raised(10));
    let page = centre.one(&device, "port.los", "port-1");
    assert_eq!((page.alarm.state, page.alarm.count, page.changes.len()), (ResourceState::Cleared, 0, 2));
    centre.say(&device, &raised(30));
    for _ in 0..3 {
        // Doubled, and an old one in between.
        centre.say(&device, &raised(30));
        centre.say(&device, &cleared(20));
        centre.say(&device, &raised(10));
        centre.say(&device, &cleared(15));
    }
    let page = centre.one(&device, "port.los", "port-1");
    assert_eq!((page.alarm.state, page.alarm.count), (ResourceState::Raised, 1));
    let times: Vec<_> = page.changes.iter().map(|change| change.at.duration_since(begun).as_secs()).collect();
    assert_eq!(times, [10, 15, 20, 30]);
}

#[test]
fn the_ring_holds_the_last_32_changes() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    for n in 0..100 {
        let word = if n % 2 == 0 { ResourceState::Raised } else { ResourceState::Cleared };
        let report = state(said("port.los", "", LOS, at(&centre, n * 700)), word);
        centre.store.write(|tx| Intake::of(&device).take_at(tx, &report, report.at, None).unwrap());
    }
    let changes = centre.one(&device, "port.los", "").changes;
    assert_eq!(changes.len(), 32);
    assert_eq!((changes[0].at, changes[31].at), (at(&centre, 68 * 700), at(&centre, 99 * 700)));
    // One that is older than all of them is not kept; one that is not takes the oldest's place.
    centre.say(&device, &said("port.los", "", LOS, at(&centre, 10)));
    let late = state(said("port.los", "", LOS, at(&centre, 68 * 700 + 5)), ResourceState::Cleared);
    centre.store.write(|tx| Intake::of(&device).take_at(tx, &late, late.at, None).unwrap());
    let changes = centre.one(&device, "port.los", "").changes;
    assert_eq!((changes.len(), changes[0].at), (32, late.at));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// In whatever order and however often the same changes come, the newest one counts.
    #[test]
    fn order_and_repetition_do_not_matter(order in proptest::collection::vec(0usize..12, 1..60)) {
        let mut centre = Centre::new();
        let device = centre.device("ne-1", None);
        let reports: Vec<_> = (0..12).map(|n| {
            let word = if n % 3 == 2 { ResourceState::Cleared } else { ResourceState::Raised };
            let severity = if n % 3 == 0 { Severity::Minor } else { Severity::Major };
            AlarmReport { severity, ..state(said("port.los", "", LOS, at(&centre, n * 10)), word) }
        }).collect();
        for n in &order {
            centre.say(&device, &reports[*n]);
        }
        let newest = &reports[*order.iter().max().unwrap()];
        let page = centre.one(&device, "port.los", "");
        prop_assert_eq!((page.alarm.state, page.alarm.severity), (newest.state, newest.severity));
        prop_assert!(page.changes.windows(2).all(|pair| pair[0].at < pair[1].at), "in order, and none twice");
    }
}

#[test]
fn wrong_clocks_are_marked_and_do_no_harm() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    centre.say(&device, &said("a", "", LOS, "9999-01-01T00:00:00Z".parse().unwrap()));
    let page = centre.one(&device, "a", "");
    assert_eq!((page.alarm.raised_at, page.alarm.marks.mark), (centre.now(), Some(TimeMark::Future)));
    // Its clock was put right: what it says now counts.
    centre.store.now += SignedDuration::from_secs(60);
    centre.clear(&device, "a", "", LOS);
    assert_eq!(centre.one(&device, "a", "").alarm.state, ResourceState::Cleared);
    let old: Timestamp = "1970-01-01T00:00:07Z".parse().unwrap();
    centre.say(&device, &said("b", "", LOS, old));
    let alarm = centre.one(&device, "b", "").alarm;
    assert_eq!((alarm.raised_at, alarm.marks.mark), (old, Some(TimeMark::Old)));
    // Years late, it overwrites nothing.
    centre.raise(&device, "a", "", LOS);
    centre.say(&device, &state(said("a", "", LOS, "2019-01-01T00:00:00Z".parse().unwrap()), ResourceState::Cleared));
    assert_eq!(centre.one(&device, "a", "").alarm.state, ResourceState::Raised);
}

#[test]
fn hostile_texts_are_cut_and_kept_apart() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    let long = "\u{1b}[2J\u{202e}".repeat(10_000);
    let report = AlarmReport { text: long.clone(), value: Some(long.clone()), ..said(&long, &long, LOS, centre.now()) };
    centre.say(&device, &report);
    centre.say(&device, &report);
    centre.conclude();
    let alarms = centre.all(Filter::default());
    assert_eq!(alarms.len(), 1);
    assert!(alarms[0].text.raw().chars().count() <= 500 && alarms[0].alarm_type.raw().chars().count() <= 128);
    assert!(!alarms[0].text.to_string().contains('\u{1b}'));
    for key in ["'; DROP TABLE alarm; --", "", "a/../b", "\0", "%", "*"] {
        centre.raise(&device, key, key, LOS);
    }
    centre.pass(5);
    assert_eq!(centre.all(Filter::default()).len(), 7);
}

#[test]
fn what_cleared_while_the_link_was_down_is_cleared() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    for name in ["told", "untold", "still"] {
        centre.raise(&device, name, "", LOS);
    }
    centre.store.now += SignedDuration::from_mins(60);
    // The device says when one cleared; of another it only no longer speaks.
    let real = at(&centre, -1800);
    centre.say(&device, &state(said("told", "", LOS, real), ResourceState::Cleared));
    let listed = at(&centre, -5);
    let active = [said("still", "", LOS, at(&centre, -3600)), said("new", "", LOS, at(&centre, -100))];
    centre.store.write(|tx| Intake::of(&device).resynchronise(tx, listed, &active).unwrap());
    let of = |centre: &Centre, name| centre.one(&device, name, "").alarm;
    assert_eq!((of(&centre, "told").cleared_at, of(&centre, "told").marks.mark), (Some(real), None));
    assert_eq!((of(&centre, "untold").cleared_at, of(&centre, "untold").marks.mark), (Some(listed), Some(TimeMark::Assumed)));
    assert_eq!((of(&centre, "still").state, of(&centre, "still").count), (ResourceState::Raised, 1));
    assert_eq!((of(&centre, "new").state, of(&centre, "new").raised_at), (ResourceState::Raised, at(&centre, -100)));
    // A list that comes late knows nothing of what was raised after it.
    centre.raise(&device, "later", "", LOS);
    centre.store.write(|tx| Intake::of(&device).resynchronise(tx, listed, &active).unwrap());
    assert_eq!(of(&centre, "later").state, ResourceState::Raised);
    // What was taken for cleared and is on the list is raised.
    centre.store.now += SignedDuration::from_mins(1);
    let now = centre.now();
    let active = [said("untold", "", LOS, at(&centre, -3660))];
    centre.store.write(|tx| Intake::of(&device).resynchronise(tx, now, &active).unwrap());
    assert_eq!((of(&centre, "untold").state, of(&centre, "untold").count), (ResourceState::Raised, 2));
}

#[test]
fn operators_say_who_when_and_why() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    centre.raise(&device, "port.los", "", LOS);
    let id = centre.one(&device, "port.los", "").alarm.id;
    let noc = actor(Role::Noc, Some(centre.customer));
    for empty in ["", "  ", "\u{200b}"] {
        assert!(centre.store.write(|tx| alarms::mark(tx, &noc, id, OperatorState::Acknowledged, &empty.into())).is_err(), "{empty:?}");
    }
    centre.store.write(|tx| alarms::mark(tx, &noc, id, OperatorState::Acknowledged, &"a digger".into()).unwrap());
    centre.store.now += SignedDuration::from_secs(1);
    let closed = centre.store.write(|tx| alarms::mark(tx, &noc, id, OperatorState::Closed, &"spliced".into()).unwrap());
    assert_eq!((closed.operator_state, closed.marks.operator_at), (OperatorState::Closed, Some(centre.now())));
    // Raised anew it is news; what was said stays readable.
    centre.store.now += SignedDuration::from_mins(20);
    centre.clear(&device, "port.los", "", LOS);
    centre.raise(&device, "port.los", "", LOS);
    let page = centre.one(&device, "port.los", "");
    assert_eq!((page.alarm.operator_state, page.alarm.operator), (OperatorState::None, None));
    let said: Vec<_> = page.operator_changes.iter().map(|change| (change.state, change.by.as_str(), change.why.raw())).collect();
    assert_eq!(
        said,
        [
            (OperatorState::Acknowledged, "person-a", "a digger"),
            (OperatorState::Closed, "person-a", "spliced"),
            (OperatorState::None, "system", "raised anew")
        ]
    );
    let stranger = Actor { customer: Some((CustomerId::new(), "YW".parse().unwrap())), ..noc };
    assert!(centre.store.write(|tx| alarms::mark(tx, &stranger, id, OperatorState::Closed, &"x".into())).is_err());
}

#[test]
fn pages_and_filters_show_each_entry_once() {
    let mut centre = Centre::new();
    let top = centre.device("ne-1", None);
    let leaf = centre.device("ne-2", Some("ne-1"));
    for n in 0..30 {
        let severity = if n % 3 == 0 { Severity::Critical } else { Severity::Warning };
        let report = AlarmReport { severity, ..said("port.los", &format!("port-{n}"), FAN, at(&centre, -n / 2)) };
        let device = if n % 2 == 0 { &top } else { &leaf };
        centre.say(device, &report);
        if n % 5 == 0 {
            let now = centre.now();
            centre.say(device, &state(AlarmReport { at: now, ..report }, ResourceState::Cleared));
        }
    }
    let read = |filter: &Filter| {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = centre.store.read(|db| alarms::list(db, &Scope::All, &Filter { after, limit: 4, ..filter.clone() }).unwrap());
            ids.extend(page.items.iter().map(|alarm| (alarm.state, alarm.id)));
            match page.next {
                Some(next) => after = Some(next.parse().unwrap()),
                None => return ids,
            }
        }
    };
    let all = read(&Filter::default());
    let distinct: std::collections::BTreeSet<_> = all.iter().map(|(_, id)| *id).collect();
    assert_eq!((all.len(), distinct.len()), (30, 30));
    assert!(all.is_sorted_by_key(|(state, _)| *state), "raised ones first");
    let count = |filter: Filter| read(&filter).len();
    assert_eq!(count(Filter { state: Some(ResourceState::Raised), ..Filter::default() }), 24);
    assert_eq!(count(Filter { severities: vec![Severity::Critical], ..Filter::default() }), 10);
    assert_eq!(count(Filter { equipment: Some(leaf.id), ..Filter::default() }), 15);
    assert_eq!(count(Filter { under: Some(vec![top.id, leaf.id]), customer: Some(centre.customer), ..Filter::default() }), 30);
    assert_eq!(count(Filter { text: Some("PORT-1".into()), ..Filter::default() }), 11);
    assert_eq!(count(Filter { operator_state: Some(OperatorState::Closed), ..Filter::default() }), 0);
    let stranger = Scope::Customer(CustomerId::new());
    let theirs = centre.store.read(|db| alarms::list(db, &stranger, &Filter { limit: 10, ..Filter::default() }).unwrap());
    assert!(theirs.items.is_empty() && theirs.next.is_none());
    let summary = centre.store.read(|db| alarms::summary(db, &Scope::All).unwrap());
    assert_eq!((summary.raised, summary.cleared), (24, 6));
    assert_eq!(centre.store.read(|db| alarms::summary(db, &stranger).unwrap()).rows, []);
}

#[test]
fn purging_touches_what_is_done_with_and_nothing_else() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    centre.raise(&device, "open", "", LOS);
    centre.raise(&device, "fault", "", FAN);
    let warning = AlarmReport { severity: Severity::Warning, ..said("gone", "", POWER, centre.now()) };
    centre.say(&device, &warning);
    centre.store.now += SignedDuration::from_secs(1);
    centre.clear(&device, "gone", "", POWER);
    centre.pass(5);
    centre.clear(&device, "fault", "", FAN);
    centre.pass(1);
    let action = AlarmAction { why: "old".into(), dry_run: true, ..AlarmAction::default() };
    assert!(centre.store.write(|tx| alarms::purge(tx, &admin(), &AlarmAction::default())).is_err(), "it must say why");
    let compressed = AlarmAction { dry_run: false, ..action.clone() };
    assert_eq!(centre.store.write(|tx| alarms::compress(tx, &admin(), &compressed).unwrap()).alarms, 1);
    assert_eq!(centre.one(&device, "gone", "").changes.len(), 1);
    assert_eq!(centre.store.write(|tx| alarms::purge(tx, &admin(), &action).unwrap()).alarms, 1);
    assert_eq!(centre.all(Filter::default()).len(), 3, "it was only asked");
    centre.store.write(|tx| alarms::purge(tx, &admin(), &AlarmAction { dry_run: false, ..action }).unwrap());
    let left: Vec<_> = centre.all(Filter::default()).iter().map(|alarm| alarm.alarm_type.raw().to_owned()).collect();
    assert_eq!(left.len(), 2);
    assert!(!left.contains(&"gone".to_owned()), "that of an open fault stays: {left:?}");
}

#[test]
fn the_log_tells_a_storm_in_few_words() {
    let mut centre = Centre::new();
    let device = centre.device("ne-1", None);
    let newest = |centre: &Centre| centre.store.read(|db| crate::events::newest(db, &Scope::All).unwrap());
    let before = newest(&centre);
    centre.raise(&device, "one", "", HOT);
    centre.conclude();
    assert_eq!(newest(&centre), before + 1);
    for n in 0..600 {
        centre.raise(&device, "many", &format!("port-{n}"), HOT);
    }
    centre.conclude();
    let events = centre.store.read(|db| crate::events::after(db, &Scope::All, before, 100).unwrap());
    assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["alarm.raised", "alarm.batch", "alarm.batch"]);
    let told: usize = events.iter().filter_map(|event| event.data["alarms"].as_array().map(Vec::len)).sum();
    assert_eq!(told, 600, "each change is in the log");
}

#[derive(Clone, Debug)]
enum Deed {
    Say(u8, Severity, bool),
    Mark(u8, OperatorState),
    Shelve(bool),
    Purge,
}

fn deed() -> impl Strategy<Value = Deed> {
    let severity = prop_oneof![Just(Severity::Warning), Just(Severity::Minor), Just(Severity::Critical)];
    let mark = prop_oneof![Just(OperatorState::Acknowledged), Just(OperatorState::Closed), Just(OperatorState::None)];
    prop_oneof![
        6 => (0..6u8, severity, any::<bool>()).prop_map(|(n, severity, raised)| Deed::Say(n, severity, raised)),
        2 => (any::<u8>(), mark).prop_map(|(n, mark)| Deed::Mark(n, mark)),
        1 => any::<bool>().prop_map(Deed::Shelve),
        1 => Just(Deed::Purge),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The summary is kept beside the list, and says what counting the list would say.
    #[test]
    fn the_summary_is_the_list_counted(deeds in proptest::collection::vec(deed(), 1..40)) {
        let mut centre = Centre::new();
        let device = centre.device("ne-1", None);
        let mut shelf = None;
        for deed in deeds {
            centre.store.now += SignedDuration::from_secs(1);
            match deed {
                Deed::Say(n, severity, raised) => {
                    let word = if raised { ResourceState::Raised } else { ResourceState::Cleared };
                    let report = AlarmReport { severity, ..state(said("port.los", &format!("port-{n}"), LOS, centre.now()), word) };
                    centre.say(&device, &report);
                }
                Deed::Mark(n, mark) => {
                    let alarms = centre.all(Filter::default());
                    if let Some(alarm) = alarms.get(usize::from(n) % alarms.len().max(1)) {
                        centre.store.write(|tx| alarms::mark(tx, &admin(), alarm.id, mark, &"because".into()).unwrap());
                    }
                }
                Deed::Shelve(true) if shelf.is_none() => {
                    let new = serde_json::from_value(json!({"customer": "JW", "types": ["port.*"], "qualifier": "port-1", "why": "x"})).unwrap();
                    shelf = Some(centre.store.write(|tx| alarms::shelves::add(tx, &admin(), new).unwrap()).id);
                }
                Deed::Shelve(_) => {
                    if let Some(id) = shelf.take() {
                        centre.store.write(|tx| alarms::shelves::remove(tx, &admin(), id, &"done".into()).unwrap());
                    }
                }
                Deed::Purge => {
                    let action = AlarmAction { why: "old".into(), ..AlarmAction::default() };
                    centre.store.write(|tx| alarms::purge(tx, &admin(), &action).unwrap());
                }
            }
            centre.conclude();
            let mut counted = std::collections::BTreeMap::new();
            for alarm in centre.all(Filter::default()) {
                let kind = (alarm.state, alarm.severity, alarm.operator_state, alarm.marks.shelf.is_some());
                *counted.entry(kind).or_insert(0u64) += 1;
            }
            let summary = centre.store.read(|db| alarms::summary(db, &Scope::All).unwrap());
            let told: std::collections::BTreeMap<_, _> =
                summary.rows.iter().map(|row| ((row.state, row.severity, row.operator_state, row.shelved), row.alarms)).collect();
            prop_assert_eq!(told, counted);
        }
    }
}
