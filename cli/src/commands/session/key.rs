//! Which key a device has, and why that is believed.

use std::path::PathBuf;

use jiff::Timestamp;
use lineman_common::statement::{CarrierSigners, DeviceStatement, Signed};
use ssh_key::PublicKey;

use crate::client::Client;
use crate::commands::App;
use crate::exit::Failure;
use crate::trust::Trust;

/// The key that must have signed.
pub struct Key {
    pub key: PublicKey,
    pub believed: String,
}

/// Lists that are named on the command line instead of pinned.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    pub signers: Option<PathBuf>,
    pub vendor_root: Option<PathBuf>,
}

/// Believes a device's statement under the carrier's own signers where they are at hand, else under the published anchors.
pub async fn vouched(app: &App, lists: &Lists, signed: &Signed, at: Timestamp) -> Result<Key, Failure> {
    let device = DeviceStatement::read_unverified(&signed.text)?.device;
    let settings = app.settings();
    let vouchers = if let Some(path) = &lists.signers {
        let text = std::fs::read_to_string(path).map_err(|e| Failure::failed(format!("can't read {}: {e}", path.display())))?;
        CarrierSigners::parse(&text, &device.customer)?.list().clone()
    } else {
        let trust = Trust::open(&app.trust_folder()?, lists.vendor_root.as_deref(), None)?;
        // The anchors are asked for only where the carrier's own list isn't here: then the server is needed.
        let anchors = match (&settings, trust.has_signers()) {
            (Ok(settings), false) => Client::new(&settings.connect()?)?.trust(device.customer.as_str()).await?.anchors,
            _ => None,
        };
        trust.vouchers(&device.customer, anchors.as_ref(), at)?
    };
    let statement = DeviceStatement::verify(signed, &vouchers, at)?;
    Ok(Key { believed: format!("{} vouches for {}", statement.vouched_by, statement.device), key: statement.host_key })
}
