//! What benches share: a server of their own, figures with their goals, and the report of them.

mod centre;
mod report;

pub use centre::{Api, Centre};
pub use report::{Limit, Report, Row, dir, percentile, row};
