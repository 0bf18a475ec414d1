//! What each figure means, for whoever reads it: served beside the numbers.

use lineman_common::api::{Bilingual, Figure, FigureDefinition, FigureUnit, ReferenceValue};

/// One figure's words; Chinese first.
struct Words {
    name: [&'static str; 2],
    unit: FigureUnit,
    formula: [&'static str; 2],
    numerator: [&'static str; 2],
    denominator: [&'static str; 2],
    excluded: [&'static str; 2],
    source: [&'static str; 2],
    reference: Option<ReferenceValue>,
}

const fn range(from: f64, to: f64) -> ReferenceValue {
    ReferenceValue { from: Some(from), to: Some(to) }
}

const fn at_least(from: f64) -> ReferenceValue {
    ReferenceValue { from: Some(from), to: None }
}

/// Faults of their own: in most figures.
const VOID: [&str; 2] = [
    "被拒绝、取消、重复或合并的故障；咨询、升级等请求",
    "faults that were rejected, cancelled, or another's duplicate; requests that are no faults (consulting, upgrades)",
];
const UNDECIDED_CLOCK: [&str; 2] = [
    "未启动、无目标值、仍在计时且未超时、或在停止前故障已结束的时钟",
    "clocks that never started, have no target, still run within it, or ended because the fault was over",
];
const UNRESOLVED: [&str; 2] = [
    "尚未解决（或重新打开后未解决）的故障；被拒绝、取消、重复或合并的故障；请求",
    "faults that do not stand resolved; those rejected, cancelled, or another's duplicate; requests that are no faults",
];
const CLOCK: [&str; 2] = ["达标 / (达标 + 超时)", "met / (met + missed)"];

pub fn all() -> Vec<FigureDefinition> {
    Figure::ALL.iter().map(|figure| define(*figure)).collect()
}

fn define(figure: Figure) -> FigureDefinition {
    let words = words(figure);
    let both = |[zh, en]: [&str; 2]| Bilingual { zh: zh.to_owned(), en: en.to_owned() };
    FigureDefinition {
        figure,
        name: both(words.name),
        unit: words.unit,
        formula: both(words.formula),
        numerator: both(words.numerator),
        denominator: both(words.denominator),
        excluded: both(words.excluded),
        source: both(words.source),
        reference: words.reference,
    }
}

fn clock(name: [&'static str; 2], met: [&'static str; 2], of: [&'static str; 2], source: [&'static str; 2]) -> Words {
    let unit = FigureUnit::Ratio;
    Words { name, unit, formula: CLOCK, numerator: met, denominator: of, excluded: UNDECIDED_CLOCK, source, reference: None }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn words(figure: Figure) -> Words {
    let share = Words {
        name: [""; 2],
        unit: FigureUnit::Ratio,
        formula: ["分子 / 分母", "numerator / denominator"],
        numerator: [""; 2],
        denominator: [""; 2],
        excluded: VOID,
        source: [""; 2],
        reference: None,
    };
    match figure {
        Figure::Faults => Words {
            name: ["故障数", "Faults"],
            unit: FigureUnit::Count,
            formula: ["期间内上报的故障数", "count of faults reported in the period"],
            numerator: ["期间内上报的故障", "faults reported in the period"],
            denominator: ["同上", "the same"],
            source: ["TL 9000 NPR（问题报告数）", "TL 9000 NPR (number of problem reports)"],
            ..share
        },
        Figure::Session30m => clock(
            ["30 分钟接入率", "30-minute session rate"],
            [
                "授权且受理后 30 分钟内首字节到达的故障（K4 达标）",
                "clock K4 met: the first byte of a session within 30 minutes of consent and acceptance",
            ],
            ["K4 已判定的故障", "faults whose K4 is decided"],
            ["时钟 K4，24x7；设备链路中断超过 60 秒时暂停", "clock K4, 24x7; paused while the device's link is lost for more than 60 s"],
        ),
        Figure::Diagnosis30m => clock(
            ["30 分钟诊断率", "30-minute diagnosis rate"],
            ["授权后 30 分钟内记录原因和方案的故障（K5 达标）", "clock K5 met: cause and plan recorded within 30 minutes of the consent"],
            ["K5 已判定的故障", "faults whose K5 is decided"],
            ["时钟 K5，24x7；设备链路中断超过 60 秒时暂停", "clock K5, 24x7; paused while the device's link is lost for more than 60 s"],
        ),
        Figure::ConsentWaitP50 => Words {
            name: ["授权等待中位数", "Consent wait, median"],
            formula: ["从申请到答复的等待时间，第 50 百分位（最近秩法）", "nearest rank at 50 % of the waits from request to answer"],
            ..waits(share)
        },
        Figure::ConsentWaitP90 => Words {
            name: ["授权等待 90 分位", "Consent wait, 90th percentile"],
            formula: ["从申请到答复的等待时间，第 90 百分位（最近秩法）", "nearest rank at 90 % of the waits from request to answer"],
            ..waits(share)
        },
        Figure::AcceptInTime => clock(
            ["及时受理率", "Accepted in time"],
            ["K1 达标的故障", "clock K1 met: accepted within the tier's target"],
            ["K1 已判定的故障", "faults whose K1 is decided"],
            ["ITIL 4，服务级别协议的响应时间", "ITIL 4, response time of the service level agreement"],
        ),
        Figure::RespondInTime => clock(
            ["及时响应率", "Responded in time"],
            ["K2 达标的故障", "clock K2 met: the first human reply within the tier's target"],
            ["K2 已判定的故障", "faults whose K2 is decided"],
            ["ITIL 4，服务级别协议的响应时间", "ITIL 4, response time of the service level agreement"],
        ),
        Figure::RestoreInTime => clock(
            ["及时恢复率", "Restored in time"],
            ["K6 达标的故障", "clock K6 met: service restored within the target of tier and severity"],
            ["K6 已判定的故障", "faults whose K6 is decided"],
            ["TL 9000 FRT（修复响应时间，按时比例）", "TL 9000 FRT (fix response time, on-time share)"],
        ),
        Figure::ResolveInTime => clock(
            ["及时解决率", "Resolved in time"],
            ["K7 达标的故障", "clock K7 met: resolved within the target of tier and severity"],
            ["K7 已判定的故障", "faults whose K7 is decided"],
            ["TL 9000 FRT（修复响应时间，按时比例）", "TL 9000 FRT (fix response time, on-time share)"],
        ),
        Figure::Mtta => Words {
            name: ["平均受理时间", "MTTA, mean time to acknowledge"],
            unit: FigureUnit::Seconds,
            formula: [
                "Σ(受理 - 上报) / 数量，以服务器记录为准，含暂停",
                "sum(accepted - reported) / count, by the server's record, pauses included",
            ],
            numerator: ["已受理的故障，连同所用时间", "accepted faults, each with its time"],
            denominator: ["同上", "the same"],
            excluded: ["从未受理的故障；请求", "faults that were never accepted; requests that are no faults"],
            source: ["通行做法（平均受理时间）", "common practice (mean time to acknowledge)"],
            ..share
        },
        Figure::Mttr => Words {
            name: ["平均恢复时间", "MTTR, mean time to restore"],
            unit: FigureUnit::Seconds,
            formula: [
                "Σ[(恢复 - 上报) + 每次重开的 (恢复 - 重开)] / 数量，含等待",
                "sum over faults of (restored - reported) plus (restored - reopened) for each reopening, / count; waits included",
            ],
            numerator: ["已恢复的故障，连同所用时间", "faults that stand restored, each with its time"],
            denominator: ["同上", "the same"],
            excluded: [
                "未恢复（或重新打开后未恢复）的故障；被拒绝、取消、重复或合并的故障；请求",
                "faults that do not stand restored; those rejected, cancelled, or another's duplicate; requests that are no faults",
            ],
            source: ["ITIL 4 MTRS（平均恢复服务时间）", "ITIL 4 MTRS (mean time to restore service)"],
            ..share
        },
        Figure::RemoteResolution => Words {
            name: ["远程解决率", "Remote-resolution rate"],
            numerator: ["未上门即解决的故障", "resolved without a visit (phone, remote, or by itself)"],
            denominator: ["已解决的故障", "faults that stand resolved"],
            excluded: UNRESOLVED,
            source: ["行业惯例；TSIA 远程解决", "field practice; TSIA remote resolution"],
            reference: Some(at_least(0.78)),
            ..share
        },
        Figure::DiagnosisAccuracy => Words {
            name: ["远程诊断准确率", "Remote-diagnosis accuracy"],
            numerator: ["最终原因与首次诊断一致的故障", "the final cause is the first one diagnosed (capitals and spaces apart)"],
            denominator: ["已解决且有诊断的故障", "resolved faults that have a diagnosis"],
            excluded: UNRESOLVED,
            source: ["行业惯例", "field practice"],
            reference: Some(range(0.85, 0.90)),
            ..share
        },
        Figure::Proactive => Words {
            name: ["主动发现率", "Proactive share"],
            numerator: ["由设备代理先于来电上报的故障", "opened by the agent's alarm, before anyone called"],
            denominator: ["期间内上报的故障", "faults reported in the period"],
            source: ["行业惯例", "field practice"],
            ..share
        },
        Figure::Reopen => Words {
            name: ["重开率", "Reopen rate"],
            numerator: ["至少重开一次的故障", "reopened at least once"],
            denominator: ["至少恢复过一次的故障", "faults that were restored at least once"],
            source: ["ITIL 4，事件重开率", "ITIL 4, incident reopen rate"],
            ..share
        },
        Figure::Repeat => Words {
            name: ["重复故障率", "Repeat rate"],
            numerator: [
                "同一设备、同一原因在此前 30 天内已上报过的故障",
                "the same equipment had a fault of the same final cause reported in the 30 days before",
            ],
            denominator: ["已解决、有设备且有原因的故障", "resolved faults with equipment and cause"],
            excluded: UNRESOLVED,
            source: ["TL 9000，重复问题报告", "TL 9000, repeat problem reports"],
            ..share
        },
        Figure::CaseLink => Words {
            name: ["案例关联率", "Case link rate"],
            numerator: [
                "关联或生成了案例的故障（判为错误的除外）",
                "linked to a case that was not judged wrong, or a case was drafted from it",
            ],
            denominator: ["已解决的故障", "faults that stand resolved"],
            excluded: UNRESOLVED,
            source: ["KCS v6，关联率", "KCS v6, link rate"],
            reference: Some(range(0.60, 0.80)),
            ..share
        },
        Figure::LateEntry => Words {
            name: ["补录率", "Late-entry rate"],
            numerator: ["发生 15 分钟以后才录入的步骤", "steps recorded more than 15 minutes after they happened, as claimed"],
            denominator: ["人员录入的故障步骤", "steps of faults that people entered"],
            excluded: ["系统和设备代理的步骤；请求", "steps of the system and of agents; requests that are no faults"],
            source: ["数据质量惯例（发生时间对比录入时间）", "data-quality practice (occurred against recorded)"],
            ..share
        },
        Figure::Dpmo => Words {
            name: ["百万机会缺陷数", "DPMO, defects per million opportunities"],
            unit: FigureUnit::PerMillion,
            formula: [
                "1,000,000 × 超时的时钟 / 适用的时钟（K1、K2、K4 至 K7）",
                "1,000,000 x missed clocks / clocks that applied (K1, K2, K4 to K7)",
            ],
            ..defects(share)
        },
        Figure::Sigma => Words {
            name: ["西格玛水平", "Sigma level"],
            unit: FigureUnit::Sigma,
            formula: [
                "(1 - 超时 / 适用) 的正态分位数 + 1.5，取 0 至 6",
                "normal quantile of (1 - missed / applied) + 1.5, between 0 and 6",
            ],
            ..defects(share)
        },
    }
}

fn waits(share: Words) -> Words {
    Words {
        unit: FigureUnit::Seconds,
        numerator: ["已答复的授权请求，连同等待时间", "answered requests for consent, each with its wait"],
        denominator: ["同上", "the same"],
        excluded: [
            "由长期授权直接放行的请求；随故障结束的请求。失效的请求按失效时刻计",
            "requests that a standing statement answered; requests that ended with their fault. One that lapsed waited until then",
        ],
        source: ["时钟 K3，属于客户的时间", "clock K3, the customer's own time"],
        ..share
    }
}

fn defects(share: Words) -> Words {
    Words {
        numerator: ["超时的时钟", "clocks that were missed"],
        denominator: ["适用且已判定的时钟", "clocks that applied and are decided"],
        excluded: UNDECIDED_CLOCK,
        source: ["六西格玛（ISO 13053-1）", "Six Sigma (ISO 13053-1)"],
        ..share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_says_what_it_is_in_both_languages() {
        for definition in all() {
            let FigureDefinition { name, formula, numerator, denominator, excluded, source, .. } = &definition;
            for text in [name, formula, numerator, denominator, excluded, source] {
                assert!(!text.en.is_empty() && text.en.is_ascii(), "{}: {text:?}", definition.figure);
                assert!(text.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{}: {text:?}", definition.figure);
            }
        }
    }
}
