//! A case drafted from a fault: what the alarms, the diagnosis and the resolution say, in the shape of a case.
//!
//! Title and symptom come in both languages wherever alarms say what happened, since X.733's causes have names in both. What
//! people wrote stays in the language they wrote it in; a reviewer translates. The steps are what was planned, what was done by telephone and
//! on site, and the commands that were typed in recorded sessions. Everything is masked ([`super::mask`]).

use lineman_common::Printable;
use lineman_common::alarm::ProbableCause;
use lineman_common::api::{Activity, Alarm, Audience, CaseBody, CaseEquipment, CaseField, CaseText, Equipment, Fault, Language};
use lineman_common::fault::{ActivityKind, ActivityState};

use super::super::{LONGEST_TEXT, LONGEST_TITLE, MOST_NAMES};
use super::mask::{self, Known, Span};

/// What a draft is made from.
pub struct Source<'a> {
    pub fault: &'a Fault,
    /// The fault's alarms.
    pub alarms: &'a [Alarm],
    pub equipment: Option<&'a Equipment>,
    /// What people did meanwhile.
    pub activities: &'a [Activity],
    /// What was typed in sessions, in order.
    pub commands: &'a [String],
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

/// A text of the draft as the fault says it, and what is taken out of it.
#[derive(Clone, Debug)]
pub struct Raw {
    pub language: Language,
    pub field: CaseField,
    pub text: String,
    pub spans: Vec<Span>,
}

impl Raw {
    fn of(language: Language, field: CaseField, text: &str, known: &Known) -> Self {
        let most = if field == CaseField::Title { LONGEST_TITLE } else { LONGEST_TEXT };
        let (text, spans) = fit(text, mask::spans(text, known), most);
        Self { language, field, text, spans }
    }

    fn shown(&self) -> Printable {
        Printable::new(mask::render(&self.text, &self.spans))
    }
}

/// As much of the beginning as may be shown: never cut within something that was found, since half a secret looks like none.
fn fit(text: &str, mut spans: Vec<Span>, most: usize) -> (String, Vec<Span>) {
    let (mut end, mut shown, mut at) = (0, 0, 0);
    while at < text.len() {
        let inside = spans.iter().find(|span| span.start == at);
        let (step, chars) = match inside {
            Some(span) => (span.end - at, span.rule.shown().chars().count()),
            None => (text[at..].chars().next().map_or(1, char::len_utf8), 1),
        };
        shown += chars;
        if shown > most {
            break;
        }
        at += step;
        end = at;
    }
    spans.retain(|span| span.end <= end);
    (text[..end].to_owned(), spans)
}

/// The draft: what the case says, and what the fault says, text by text.
pub fn body(source: &Source<'_>) -> (CaseBody, Vec<Raw>) {
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
    for activity in source.activities {
        let (line, is_zh) = done(activity);
        if let Some(line) = line {
            if is_zh { &mut zh } else { &mut en }.steps.push(line);
        }
    }
    let note = resolved.map_or("", |resolution| resolution.note.raw());
    by_language(note, |text, is_zh| if is_zh { &mut zh } else { &mut en }.resolution.push(text));
    // Commands have no language: they stand wherever something else does.
    if !source.commands.is_empty() {
        let is_only_zh = en.is_empty() && !zh.is_empty();
        let block = |label: &str| {
            format!("{label}\n{}", source.commands.iter().map(|command| format!("    {command}")).collect::<Vec<_>>().join("\n"))
        };
        if !is_only_zh {
            en.steps.push(block("Typed in recorded sessions:"));
        }
        if !zh.is_empty() {
            zh.steps.push(block("会话中执行的命令："));
        }
    }
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
        if !alarm.alarm_type.is_empty() && !codes.contains(&alarm.alarm_type) && codes.len() < MOST_NAMES {
            codes.push(alarm.alarm_type.clone());
        }
    }
    let (zh, en) = (zh.raws(Language::Zh, source.known), en.raws(Language::En, source.known));
    let body = CaseBody {
        zh: text_of(&zh),
        en: text_of(&en),
        equipment: about.into_iter().collect(),
        codes,
        cause: alarms.first().map(|alarm| alarm.probable_cause),
        audience: Audience::Internal,
    };
    (body, zh.into_iter().chain(en).collect())
}

fn text_of(raws: &[Raw]) -> Option<CaseText> {
    let shown = |field: CaseField| raws.iter().find(|raw| raw.field == field).map(Raw::shown).unwrap_or_default();
    (!raws.is_empty()).then(|| CaseText {
        title: shown(CaseField::Title),
        symptom: shown(CaseField::Symptom),
        cause: shown(CaseField::Cause),
        steps: shown(CaseField::Steps),
        resolution: shown(CaseField::Resolution),
    })
}

/// One line for what was done by telephone or on site, in the language of its words. Consents, sessions and diagnoses are told elsewhere.
fn done(activity: &Activity) -> (Option<String>, bool) {
    let said: Vec<&str> = [Some(&activity.text), activity.outcome.as_ref()].into_iter().flatten().map(|text| text.raw().trim()).collect();
    let said = said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    let is_zh = prefers_chinese(&said);
    let (en, zh) = match activity.kind {
        ActivityKind::Phone => ("By telephone", "电话"),
        ActivityKind::Guidance => ("Guidance on site", "现场指导"),
        ActivityKind::Visit => ("Visit", "上站"),
        ActivityKind::Consent | ActivityKind::Session | ActivityKind::Diagnosis => return (None, is_zh),
    };
    let is_done = activity.state == ActivityState::Done && !said.is_empty();
    (is_done.then(|| if is_zh { format!("{zh}：{said}") } else { format!("{en}: {said}") }), is_zh)
}

fn prefers_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
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

    fn raws(&self, language: Language, known: &Known) -> Vec<Raw> {
        if self.is_empty() {
            return Vec::new();
        }
        let texts = [
            (CaseField::Title, self.title.clone()),
            (CaseField::Symptom, self.symptom.join("\n")),
            (CaseField::Cause, self.cause.join("\n")),
            (CaseField::Steps, self.steps.join("\n")),
            (CaseField::Resolution, self.resolution.join("\n")),
        ];
        texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(field, text)| Raw::of(language, field, &text, known)).collect()
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
mod tests;
