//! A case drafted from a fault: what the alarms, the diagnosis and the resolution say, in the shape of a case.
//!
//! Title and symptom come in both languages wherever alarms say what happened, since X.733's causes have names in both. What
//! people wrote stays in the language they wrote it in; a reviewer translates. Everything is masked ([`super::mask`]).

use lineman_common::Printable;
use lineman_common::alarm::ProbableCause;
use lineman_common::api::{Alarm, Audience, CaseBody, CaseEquipment, CaseText, Equipment, Fault};

use super::mask::{self, Known};
use super::search::prefers_chinese;

/// What a draft is made from.
pub struct Source<'a> {
    pub fault: &'a Fault,
    /// The fault's alarms.
    pub alarms: &'a [Alarm],
    pub equipment: Option<&'a Equipment>,
    /// Names that must not leave the customer.
    pub known: &'a Known,
}

/// The cause's name in English and Chinese.
pub const fn cause_names(cause: ProbableCause) -> (&'static str, &'static str) {
    match cause {
        ProbableCause::FanFailure => ("fan failure", "风扇故障"),
        ProbableCause::TemperatureUnacceptable => ("temperature out of range", "温度异常"),
        ProbableCause::LossOfSignal => ("loss of signal", "信号丢失"),
        ProbableCause::DegradedSignal => ("degraded signal", "信号劣化"),
        ProbableCause::StorageCapacityProblem => ("storage nearly full", "存储空间不足"),
        ProbableCause::CpuCyclesLimitExceeded => ("CPU overload", "CPU占用率过高"),
        ProbableCause::OutOfMemory => ("out of memory", "内存不足"),
        ProbableCause::CommunicationsSubsystemFailure => ("communication failure", "通信故障"),
        ProbableCause::EquipmentMalfunction => ("equipment malfunction", "设备故障"),
        ProbableCause::PerformanceDegraded => ("degraded performance", "性能劣化"),
        ProbableCause::ApplicationSubsystemFailure => ("application failure", "应用软件故障"),
        ProbableCause::ThresholdCrossed => ("threshold crossed", "越过门限"),
        ProbableCause::PowerProblem => ("power problem", "电源故障"),
    }
}

pub fn body(source: &Source<'_>) -> CaseBody {
    let (mut en, mut zh) = (Draft::default(), Draft::default());
    let alarms = worst_first(source.alarms);
    let about = source.equipment.map(about);
    let model = about.as_ref().map(ToString::to_string);
    if !alarms.is_empty() {
        (en.title, zh.title) = titles(&alarms, model.as_deref());
        for alarm in &alarms {
            let (in_english, in_chinese) = symptoms(alarm);
            en.symptom.push(in_english);
            zh.symptom.push(in_chinese);
        }
    }
    let fault = source.fault;
    if !fault.reported_by.starts_with("agent:") {
        let has_alarms = !alarms.is_empty();
        by_language(fault.title.raw(), |text, is_zh| {
            let draft = if is_zh { &mut zh } else { &mut en };
            if has_alarms { draft.symptom.push(text) } else { draft.title = text }
        });
    }
    by_language(fault.description.raw(), |text, is_zh| if is_zh { &mut zh } else { &mut en }.symptom.push(text));
    let resolved = fault.resolution.as_ref();
    let cause = resolved.and_then(|resolution| resolution.cause.as_ref()).or(fault.cause.as_ref());
    by_language(cause.map_or("", Printable::raw), |text, is_zh| if is_zh { &mut zh } else { &mut en }.cause.push(text));
    by_language(fault.plan.as_ref().map_or("", Printable::raw), |text, is_zh| if is_zh { &mut zh } else { &mut en }.steps.push(text));
    let note = resolved.map_or("", |resolution| resolution.note.raw());
    by_language(note, |text, is_zh| if is_zh { &mut zh } else { &mut en }.resolution.push(text));
    // A language that says something needs a title; the fault's own is better than none.
    for draft in [&mut en, &mut zh] {
        if draft.title.is_empty() && !draft.is_empty() {
            fault.title.raw().clone_into(&mut draft.title);
        }
    }
    if en.is_empty() && zh.is_empty() {
        fault.title.raw().clone_into(&mut en.title);
    }
    let mut codes: Vec<Printable> = Vec::new();
    for alarm in &alarms {
        if !alarm.alarm_type.is_empty() && !codes.contains(&alarm.alarm_type) && codes.len() < super::MOST_NAMES {
            codes.push(alarm.alarm_type.clone());
        }
    }
    CaseBody {
        zh: zh.text(source.known),
        en: en.text(source.known),
        equipment: about.into_iter().collect(),
        codes,
        cause: alarms.first().map(|alarm| alarm.probable_cause),
        audience: Audience::Internal,
    }
}

#[derive(Default)]
struct Draft {
    title: String,
    symptom: Vec<String>,
    cause: Vec<String>,
    steps: Vec<String>,
    resolution: Vec<String>,
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.title.is_empty() && [&self.symptom, &self.cause, &self.steps, &self.resolution].iter().all(|lines| lines.is_empty())
    }

    fn text(self, known: &Known) -> Option<CaseText> {
        let clean = |text: &str, most: usize| Printable::new(mask::mask(text, known).chars().take(most).collect::<String>());
        let lines = |lines: &[String]| clean(&lines.join("\n"), super::LONGEST_TEXT);
        (!self.is_empty()).then(|| CaseText {
            title: clean(&self.title, super::LONGEST_TITLE),
            symptom: lines(&self.symptom),
            cause: lines(&self.cause),
            steps: lines(&self.steps),
            resolution: lines(&self.resolution),
        })
    }
}

/// The worst alarm names the case; of equals, the first.
fn worst_first(alarms: &[Alarm]) -> Vec<&Alarm> {
    let mut alarms: Vec<&Alarm> = alarms.iter().collect();
    alarms.sort_by_key(|alarm| (std::cmp::Reverse(alarm.severity), alarm.raised_at));
    alarms
}

/// The model, on the software that it runs and may not be the last to have this.
fn about(equipment: &Equipment) -> CaseEquipment {
    let versions = equipment.software.raw().trim().parse().unwrap_or_default();
    let name = |name: &Printable| Printable::new(name.raw().trim());
    CaseEquipment { product: name(&equipment.product), model: name(&equipment.model), versions }
}

/// `Fan failure, temperature out of range: fan-2, board-3 (OLT C320)`, and the same in Chinese.
fn titles(alarms: &[&Alarm], model: Option<&str>) -> (String, String) {
    let (mut causes, mut parts) = (Vec::new(), Vec::new());
    for alarm in alarms {
        if !causes.contains(&alarm.probable_cause) {
            causes.push(alarm.probable_cause);
        }
        let part = alarm.qualifier.to_string();
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    causes.truncate(2);
    parts.truncate(3);
    let (en, zh): (Vec<_>, Vec<_>) = causes.into_iter().map(cause_names).unzip();
    let (mut en, mut zh) = (capitalised(&en.join(", ")), zh.join("、"));
    if !parts.is_empty() {
        en.push_str(&format!(": {}", parts.join(", ")));
        zh.push_str(&format!("：{}", parts.join("、")));
    }
    if let Some(model) = model.filter(|model| !model.is_empty()) {
        en.push_str(&format!(" ({model})"));
        zh.push_str(&format!("（{model}）"));
    }
    (en, zh)
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// One line for an alarm in each language: its own words where it has some, else the name of its cause.
fn symptoms(alarm: &Alarm) -> (String, String) {
    let (en_name, zh_name) = cause_names(alarm.probable_cause);
    let (mut en, mut zh) = (None, None);
    by_language(alarm.text.raw(), |text, is_zh| if is_zh { zh = Some(text) } else { en = Some(text) });
    let part = alarm.qualifier.raw();
    let value = alarm.value.as_ref().map_or("", Printable::raw);
    let spaced = |text: &str| if text.is_empty() { String::new() } else { format!(" {text}") };
    let en = en.unwrap_or_else(|| format!("{}{}{}", capitalised(en_name), spaced(part), spaced(value)));
    let zh = zh.unwrap_or_else(|| format!("{zh_name}{}{}", spaced(part), spaced(value)));
    (format!("{} ({}): {en}", alarm.alarm_type, alarm.severity), format!("{} ({}): {zh}", alarm.alarm_type, alarm.severity))
}

/// Gives a text to its language; one of the form `English / 中文` is two.
fn by_language(text: &str, mut take: impl FnMut(String, bool)) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    if let Some((one, other)) = text.split_once(" / ")
        && prefers_chinese(one) != prefers_chinese(other)
        && !one.trim().is_empty()
        && !other.trim().is_empty()
    {
        for half in [one, other] {
            take(half.trim().to_owned(), prefers_chinese(half));
        }
        return;
    }
    take(text.to_owned(), prefers_chinese(text));
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn alarms_give_title_and_symptom_in_both_languages() {
        let alarms = [
            alarm("temperature.high", "board-3", Severity::Minor, ProbableCause::TemperatureUnacceptable, "board-3 at 71 degrees"),
            alarm("fan.speed", "fan-2", Severity::Major, ProbableCause::FanFailure, "fan-2 speed 0 rpm / 风扇 fan-2 转速 0 rpm，停转"),
        ];
        let (fault, equipment, known) = (fault("agent:ne-1.jw.ne", "whatever"), equipment(), Known::default());
        let body = body(&Source { fault: &fault, alarms: &alarms, equipment: Some(&equipment), known: &known });
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
        let body = body(&Source { fault: &fault, alarms: &alarms, equipment: None, known: &known });
        let (en, zh) = (body.en.unwrap(), body.zh.unwrap());
        assert_eq!((en.cause.raw(), zh.cause.raw()), ("fan-2 seized, password=[secret]", ""));
        assert_eq!((en.steps.raw(), zh.steps.raw()), ("", "重新插拔风扇框"));
        assert_eq!(en.resolution.raw(), "reset on [equipment]");
        assert!(zh.symptom.raw().ends_with("风扇不转") && !en.symptom.raw().contains("风扇"));
    }

    #[test]
    fn without_alarms_the_report_speaks() {
        let (fault, known) = (fault("noc-a", "小区退服"), Known::default());
        let body = body(&Source { fault: &fault, alarms: &[], equipment: None, known: &known });
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
}
