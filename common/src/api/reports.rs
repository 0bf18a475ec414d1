use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::FaultId;
use crate::name::{CustomerCode, FaultNumber, NeName};

words! {
    /// What is counted; `GET /api/v1/reports/figures` says how.
    pub enum Figure {
        Faults = "faults",
        Session30m = "session_30m",
        Diagnosis30m = "diagnosis_30m",
        ConsentWaitP50 = "consent_wait_p50",
        ConsentWaitP90 = "consent_wait_p90",
        AcceptInTime = "accept_in_time",
        RespondInTime = "respond_in_time",
        RestoreInTime = "restore_in_time",
        ResolveInTime = "resolve_in_time",
        Mtta = "mtta",
        Mttr = "mttr",
        RemoteResolution = "remote_resolution",
        DiagnosisAccuracy = "diagnosis_accuracy",
        Proactive = "proactive",
        Reopen = "reopen",
        Repeat = "repeat",
        CaseLink = "case_link",
        LateEntry = "late_entry",
        Dpmo = "dpmo",
        Sigma = "sigma",
    }
}

words! {
    /// What the rows of a report stand for.
    pub enum ReportBy {
        Customer = "customer",
        Office = "office",
        Product = "product",
        Tier = "tier",
        Severity = "severity",
        Day = "day",
        /// From Monday on (ISO 8601).
        Week = "week",
        Month = "month",
        Quarter = "quarter",
    }
}

words! {
    pub enum FigureUnit {
        Count = "count",
        /// A share, from 0 to 1.
        Ratio = "ratio",
        Seconds = "seconds",
        PerMillion = "per_million",
        Sigma = "sigma",
    }
}

words! {
    /// Which of a figure's two lists.
    pub enum FigurePart {
        Numerator = "numerator",
        Denominator = "denominator",
    }
}

/// The same in Chinese and English.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bilingual {
    pub zh: String,
    pub en: String,
}

impl Bilingual {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// What somebody wrote stays as it was written.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { zh: text.clone(), en: text }
    }

    /// One text of several steps.
    pub fn joined(steps: &[Self]) -> Self {
        let of = |text: fn(&Self) -> &String, between: &str| steps.iter().map(|step| text(step).as_str()).collect::<Vec<_>>().join(between);
        Self { zh: of(|step| &step.zh, "；"), en: of(|step| &step.en, "; ") }
    }
}

/// How a figure is counted, so that anybody can count it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FigureDefinition {
    pub figure: Figure,
    pub name: Bilingual,
    pub unit: FigureUnit,
    pub formula: Bilingual,
    /// What is counted in the numerator; for means and percentiles both lists are the same.
    pub numerator: Bilingual,
    pub denominator: Bilingual,
    pub excluded: Bilingual,
    /// The standard or practice that the figure comes from.
    pub source: Bilingual,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceValue>,
}

/// What the field reaches; in the figure's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReferenceValue {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
}

/// `GET /api/v1/reports`. The faults that were reported in `[from, until)`, by what was known at `as_of`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FiguresReport {
    pub from: Timestamp,
    pub until: Timestamp,
    /// The IANA zone in which days begin.
    pub zone: String,
    /// Ask again with the same moment, and the numbers are the same.
    pub as_of: Timestamp,
    pub by: Vec<ReportBy>,
    pub rows: Vec<ReportRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportRow {
    /// One value for each word of `by`, in that order; none where a fault has none (no office, no equipment).
    pub group: Vec<Option<String>>,
    /// The row's own period.
    pub from: Timestamp,
    pub until: Timestamp,
    pub figures: Vec<FigureValue>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FigureValue {
    pub figure: Figure,
    /// Absent where there is nothing to count: that is not 0.
    pub value: Option<f64>,
    /// Lengths of the two lists that `GET /api/v1/reports/figures/{figure}/faults` gives.
    pub numerator: u64,
    pub denominator: u64,
    /// What will count and is not decided yet.
    pub undecided: u64,
    /// The denominator is below 30: a single fault moves the figure much.
    pub small: bool,
}

/// One thing that a figure counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CountedFault {
    pub fault: FaultNumber,
    pub id: FaultId,
    pub customer: CustomerCode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equipment: Option<NeName>,
    pub reported_at: Timestamp,
    /// What of the fault was counted, where it can be more than one thing: a clock, a consent, a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// In seconds, for figures of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// It is in the numerator too.
    pub counted: bool,
}
