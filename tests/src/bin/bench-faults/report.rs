//! The goals, and what is told of how much was measured.

use lineman_tests::bench::{Limit, Report};
use serde_json::json;

pub use lineman_tests::bench::{Row, percentile, row};

use crate::plan::Plan;

const GOALS: &[(&str, Limit)] = &[
    ("events.stored", Limit::AtLeast(20_000.0)),
    ("events.ratio_to_raw", Limit::AtLeast(0.4)),
    ("events.lost", Limit::AtMost(0.0)),
    ("storm.faults", Limit::Just(1)),
    ("storm.lost", Limit::AtMost(0.0)),
    ("lists.list_p95", Limit::AtMost(100.0)),
    ("lists.acknowledge_p95", Limit::AtMost(50.0)),
    ("filing.alone", Limit::AtLeast(2.7)),
    ("clocks.late_max", Limit::AtMost(1.0)),
    ("clocks.missing", Limit::AtMost(0.0)),
    ("pages.page_p95", Limit::AtMost(50.0)),
];

pub fn report(plan: &Plan) -> Report {
    let amounts = [
        ("agents", json!(plan.agents)),
        ("events", json!(plan.events)),
        ("storm", json!(plan.storm)),
        ("open", json!(plan.open)),
        ("historic", json!(plan.historic)),
        ("filed", json!(plan.filed)),
        ("watched", json!(plan.watched)),
    ];
    Report::new("faults", GOALS, &amounts)
}
