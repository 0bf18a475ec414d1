//! The goals, and what is told of how much was measured.

use lineman_tests::bench::{Limit, Report};
use serde_json::json;

pub use lineman_tests::bench::{Row, percentile, row};

use crate::plan::Plan;

/// Of the development sets, and of the synthetic library.
const GOALS: &[(&str, Limit)] = &[
    ("seamonkey_en.words.ndcg10", Limit::AtLeast(0.70)),
    ("seamonkey_en.meaning.ndcg10", Limit::AtLeast(0.70)),
    ("custsvc_dup_zh.words.ndcg10", Limit::AtLeast(0.19)),
    ("custsvc_dup_zh.meaning.ndcg10", Limit::AtLeast(0.19)),
    ("library.200k.p50", Limit::AtMost(1.0)),
    ("library.200k.p99", Limit::AtMost(8.0)),
    ("library.1m.p99", Limit::AtMost(20.0)),
    ("library.200k.findable", Limit::AtMost(100.0)),
    ("library.200k.rebuild", Limit::AtMost(10.0)),
];

pub fn report(plan: &Plan) -> Report {
    Report::new("cases", GOALS, &[("small", json!(plan.small)), ("limit", json!(plan.limit))])
}
