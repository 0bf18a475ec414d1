use super::*;
use lineman_common::alarm::{EventType, OperatorState, ResourceState, Severity};
use lineman_common::api::{Presence, Resolution};
use lineman_common::fault::{Channel, FaultStatus, Impact};
use lineman_common::id::{AlarmId, EquipmentId, FaultId};

fn alarm(alarm_type: &str, qualifier: &str, severity: Severity, cause: ProbableCause, text: &str) -> Alarm {
    let at = "2026-11-22T00:00:00Z".parse().unwrap();
    Alarm {
        id: AlarmId::new(),
        equipment: "ne-1.jw.ne".parse().unwrap(),
        alarm_type: alarm_type.into(),
        qualifier: qualifier.into(),
        state: ResourceState::Cleared,
        severity,
        event_type: EventType::Equipment,
        probable_cause: cause,
        text: text.into(),
        value: Some("0 rpm".into()),
        threshold: None,
        raised_at: at,
        changed_at: at,
        received_at: at,
        cleared_at: Some(at),
        count: 1,
        operator_state: OperatorState::None,
        operator: None,
        operator_note: None,
        fault: None,
        marks: lineman_common::api::AlarmMarks::default(),
    }
}

fn fault(reported_by: &str, title: &str) -> Fault {
    let at = "2026-11-22T00:00:00Z".parse().unwrap();
    Fault {
        id: FaultId::new(),
        number: "F-JW-1".parse().unwrap(),
        customer: "JW".parse().unwrap(),
        equipment: Some("ne-1.jw.ne".parse().unwrap()),
        title: title.into(),
        description: Printable::default(),
        severity: Severity::Major,
        impact: Impact::Partial,
        status: FaultStatus::Closed,
        pending_reason: None,
        owner: Some("engineer-a".parse().unwrap()),
        reported_by: reported_by.to_owned(),
        reported_at: at,
        updated_at: at,
        proposes_restored: false,
        cause: Some("fan-2 seized, password=x".into()),
        plan: Some("重新插拔风扇框".into()),
        resolution: Some(Resolution { channel: Channel::Remote, cause: None, note: "reset on ne-1.jw.ne".into() }),
        kind: lineman_common::fault::FaultKind::Fault,
        version: 1,
        customer_reference: None,
        resolved_at: None,
        problem: None,
        warnings: Vec::new(),
        duplicate_of: None,
    }
}

fn equipment() -> Equipment {
    Equipment {
        id: EquipmentId::new(),
        name: "ne-1.jw.ne".parse().unwrap(),
        site: "s".into(),
        product: "OLT".into(),
        model: "C320".into(),
        serial: "1".into(),
        software: "1".into(),
        parent: None,
        presence: Presence::Online,
        last_seen_at: None,
        agent: None,
        vouched: true,
        active_alarms: 0,
        open_faults: 0,
    }
}

fn source<'a>(fault: &'a Fault, alarms: &'a [Alarm], known: &'a Known) -> Source<'a> {
    Source { fault, alarms, equipment: None, activities: &[], commands: &[], known }
}

#[test]
fn alarms_give_title_and_symptom_in_both_languages() {
    let alarms = [
        alarm("temperature.high", "board-3", Severity::Minor, ProbableCause::TemperatureUnacceptable, "board-3 at 71 degrees"),
        alarm("fan.speed", "fan-2", Severity::Major, ProbableCause::FanFailure, "fan-2 speed 0 rpm / 风扇 fan-2 转速 0 rpm，停转"),
    ];
    let (fault, equipment, known) = (fault("agent:ne-1.jw.ne", "whatever"), equipment(), Known::default());
    let (body, _) = body(&Source { equipment: Some(&equipment), ..source(&fault, &alarms, &known) });
    let (en, zh) = (body.en.unwrap(), body.zh.unwrap());
    assert_eq!(en.title.raw(), "Fan failure, temperature out of range: fan-2, board-3 (OLT C320)");
    assert_eq!(zh.title.raw(), "风扇故障、温度异常：fan-2、board-3（OLT C320）");
    assert_eq!(en.symptom.raw(), "fan.speed (major): fan-2 speed 0 rpm\ntemperature.high (minor): board-3 at 71 degrees");
    assert_eq!(zh.symptom.raw(), "fan.speed (major): 风扇 fan-2 转速 0 rpm，停转\ntemperature.high (minor): 温度异常 board-3 0 rpm");
    assert_eq!(body.codes, ["fan.speed".into(), Printable::from("temperature.high")]);
    assert_eq!(body.equipment.iter().map(ToString::to_string).collect::<Vec<_>>(), ["OLT C320"]);
    assert!(body.equipment[0].versions.contains("1") && !body.equipment[0].versions.contains("2"));
    assert_eq!(body.cause, Some(ProbableCause::FanFailure));
}

#[test]
fn what_people_wrote_stays_in_its_language_and_is_masked() {
    let alarms = [alarm("fan.speed", "fan-2", Severity::Major, ProbableCause::FanFailure, "fan stopped")];
    let (fault, known) = (fault("noc-a", "风扇不转"), Known::default());
    let (body, _) = body(&source(&fault, &alarms, &known));
    let (en, zh) = (body.en.unwrap(), body.zh.unwrap());
    assert_eq!((en.cause.raw(), zh.cause.raw()), ("fan-2 seized, password=[secret]", ""));
    assert_eq!((en.steps.raw(), zh.steps.raw()), ("", "重新插拔风扇框"));
    assert_eq!(en.resolution.raw(), "reset on [equipment]");
    assert!(zh.symptom.raw().ends_with("风扇不转") && !en.symptom.raw().contains("风扇"));
}

#[test]
fn without_alarms_the_report_speaks() {
    let (fault, known) = (fault("noc-a", "小区退服"), Known::default());
    let (body, _) = body(&source(&fault, &[], &known));
    assert_eq!(body.zh.unwrap().title.raw(), "小区退服");
    assert_eq!(body.en.unwrap().title.raw(), "小区退服", "the English cause needs a title");
    assert!(body.codes.is_empty() && body.equipment.is_empty());
}

#[test]
fn every_cause_has_its_name_in_both_languages() {
    for cause in ProbableCause::ALL {
        let (en, zh) = cause_names(*cause);
        assert!(en.is_ascii() && prefers_chinese(zh), "{cause}");
    }
}
