//! What the server has before it is measured.

use serde_json::{Value, json};

pub use lineman_tests::bench::{Api, Centre};

/// A contract under which nothing comes due while the bench runs.
pub fn patient_tier() -> Value {
    let month = 30 * 24 * 3600;
    json!({"name": "patient", "accept_s": month, "respond_s": month, "restore_s": [month, month, month], "resolve_s": [month, month, month]})
}
