//! What each figure of the library's health means: served beside the numbers.

use lineman_common::api::{Bilingual, FigureUnit, HealthDefinition, HealthFigure, ReferenceValue};

pub fn all() -> Vec<HealthDefinition> {
    HealthFigure::ALL.iter().map(|figure| define(*figure)).collect()
}

struct Words {
    name: [&'static str; 2],
    unit: FigureUnit,
    formula: &'static str,
    counts: [&'static str; 2],
    source: &'static str,
}

fn define(figure: HealthFigure) -> HealthDefinition {
    let Words { name, unit, formula, counts, source } = words(figure);
    let both = |[zh, en]: [&str; 2]| Bilingual { zh: zh.to_owned(), en: en.to_owned() };
    let reference = (figure == HealthFigure::LinkRate).then_some(ReferenceValue { from: Some(0.60), to: Some(0.80) });
    let (name, counts) = (both(name), both(counts));
    HealthDefinition { figure, name, unit, formula: formula.to_owned(), counts, source: source.to_owned(), reference }
}

const COUNT: &str = "count";
const KCS: &str = "KCS v6, content health";

fn words(figure: HealthFigure) -> Words {
    match figure {
        HealthFigure::LinkRate => Words {
            name: ["案例关联率", "Link rate"],
            unit: FigureUnit::Ratio,
            formula: "faults with a link that is not wrong, or a case drafted from them / faults",
            counts: ["期间内解决且仍为已解决或已关闭的故障", "faults that were resolved in the period and stand resolved or closed"],
            source: "KCS v6, link rate",
        },
        HealthFigure::Reuse => Words {
            name: ["每案例复用次数", "Reuse per case"],
            unit: FigureUnit::Count,
            formula: "links of the period that are not wrong / published cases",
            counts: ["已发布的案例及其期间内的关联数", "published cases, each with its links of the period"],
            source: "KCS v6, reuse",
        },
        HealthFigure::TimeToPublish => Words {
            name: ["发布用时中位数", "Time to publish, median"],
            unit: FigureUnit::Seconds,
            formula: "median of (first published - created)",
            counts: ["期间内首次发布的案例", "cases that were published for the first time in the period"],
            source: "KCS v6, time to publish",
        },
        HealthFigure::Stale => Words {
            name: ["存疑案例数", "Doubted cases"],
            unit: FigureUnit::Count,
            formula: COUNT,
            counts: [
                "有未处理标记的已发布案例",
                "published cases with an open flag: unconfirmed, superseded, doubted by a reader, wrong for a fault",
            ],
            source: KCS,
        },
        HealthFigure::ReviewBacklog => Words {
            name: ["待评审案例数", "Review backlog"],
            unit: FigureUnit::Count,
            formula: COUNT,
            counts: ["正在等待评审的案例", "cases that wait for review now"],
            source: KCS,
        },
        HealthFigure::ReviewAge => Words {
            name: ["待评审时长中位数", "Age of the review backlog, median"],
            unit: FigureUnit::Seconds,
            formula: "median of (now - since when it waits)",
            counts: ["正在等待评审的案例", "cases that wait for review now, each with its wait"],
            source: KCS,
        },
        HealthFigure::NeverReused => Words {
            name: ["从未复用的案例数", "Never reused"],
            unit: FigureUnit::Count,
            formula: COUNT,
            counts: ["期间开始前已发布且从未关联（错误除外）的案例", "published before the period began, and never linked but as wrong"],
            source: "KCS v6, reuse",
        },
        HealthFigure::TopReused => Words {
            name: ["复用最多的案例", "Most reused"],
            unit: FigureUnit::Ratio,
            formula: "links of the ten most reused cases / links of all",
            counts: ["期间内复用最多的十个案例", "the ten cases with most links of the period that are not wrong"],
            source: "KCS v6, reuse",
        },
        HealthFigure::Helpful => Words {
            name: ["读者认可率", "Found helpful"],
            unit: FigureUnit::Ratio,
            formula: "yes / (yes + no)",
            counts: ["期间内读者的评价", "readers' feedback of the period, once for each person and version"],
            source: KCS,
        },
        HealthFigure::Deflections => Words {
            name: ["免报故障数", "Deflections"],
            unit: FigureUnit::Count,
            formula: COUNT,
            counts: ["期间内因案例已解决而未上报的故障", "times in the period that a case solved it and no fault was filed"],
            source: "KCS v6, self-service success",
        },
        HealthFigure::Unanswered => Words {
            name: ["未得解答的问题", "Unanswered questions"],
            unit: FigureUnit::Count,
            formula: "count of questions; the list has how often each was asked",
            counts: ["期间内仍未处理的无结果问题", "open questions, last asked in the period, that found nothing or nothing that fits"],
            source: "KCS v6, knowledge gaps",
        },
        HealthFigure::ToTranslate => Words {
            name: ["待翻译案例数", "To translate"],
            unit: FigureUnit::Count,
            formula: COUNT,
            counts: [
                "缺少一种语言或译文可能过期的在用案例",
                "cases in use that lack one language, or where one may be older than the other",
            ],
            source: KCS,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_says_what_it_is_in_both_languages() {
        for definition in all() {
            for text in [&definition.name, &definition.counts] {
                assert!(!text.en.is_empty() && text.en.is_ascii(), "{}: {text:?}", definition.figure);
                assert!(text.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{}: {text:?}", definition.figure);
            }
            assert!(!definition.formula.is_empty() && !definition.source.is_empty());
        }
    }
}
