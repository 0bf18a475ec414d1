//! `lineman signers status`: what every device says that it holds, against the list on this machine.

use clap::Args;
use jiff::Timestamp;
use lineman_common::api::{DeviceReceipt, SignersView};
use lineman_common::name::{CustomerCode, NeName};
use lineman_common::statement::{CarrierSigners, DeviceStatement, Receipt, SignerList};
use serde::Serialize;

use super::super::App;
use super::super::consent::Own;
use super::pinned;
use crate::client::Client;
use crate::consents::held::{Standing, compare};
use crate::consents::now;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Table, Tone, text};
use crate::trust::Trust;

/// Show which list every device holds; exit code 8 when one of them holds an older list than this machine, or its word does not verify
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman signers status
  lineman signers status JW -o json")]
pub struct Status {
    /// The customer [default: your own]
    #[arg(value_name = "CODE")]
    customer: Option<CustomerCode>,
    #[command(flatten)]
    own: Own,
}

/// One device, as its signed word says, or why that is not believed.
#[derive(Serialize)]
struct Row {
    device: NeName,
    /// `same`, `older`, `newer`, `other`, `no receipt`, `not believed`.
    list: &'static str,
    holds: Option<u64>,
    roster: Option<u64>,
    approvals: Option<u8>,
    grades: String,
    stopped: String,
    /// By the device's clock.
    receipt_at: Option<Timestamp>,
    received_at: Option<Timestamp>,
    /// Why a receipt is not believed, or the device did not take a list.
    says: String,
}

impl Status {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        let customer = match self.customer.clone() {
            Some(customer) => customer,
            None => own_customer(&client).await?,
        };
        let view = client.signers(customer.as_str()).await?;
        let reference = self.reference(app, &view, &customer)?;
        let vouchers = self.vouchers(app, &client, &customer).await?;
        let rows: Vec<Row> = view.devices.iter().map(|shown| row(shown, &reference, &vouchers)).collect();
        app.out.list(&rows, table)?;
        let behind = rows.iter().filter(|row| matches!(row.list, "older" | "other" | "not believed")).count();
        if behind > 0 {
            app.say(format!(
                "{behind} of {} devices do not hold list {} as it is here: was it kept back?",
                rows.len(),
                reference.counter()
            ));
            return Ok(Exit::CheckFailed);
        }
        Ok(Exit::Done)
    }

    /// What the devices should hold: the list that is pinned here; where none is, the published one.
    fn reference(&self, app: &App, view: &SignersView, customer: &CustomerCode) -> Result<CarrierSigners, Failure> {
        let published = view.signed.first().map(|signed| CarrierSigners::parse(&signed.text, customer)).transpose()?;
        match (pinned(app, &self.own, customer), published) {
            (Some(pinned), published) => {
                if let Some(published) = published.filter(|published| published.list().sha256 != pinned.list.list().sha256) {
                    app.say(format!("note: list {} is published, and {} is pinned here", published.counter(), pinned.list.counter()));
                }
                Ok(pinned.list)
            }
            (None, Some(published)) => {
                app.say(format!("note: no signer list is pinned here; the published one (number {}) is compared", published.counter()));
                Ok(published)
            }
            (None, None) => {
                Err(Failure::new(Exit::NotFound, format!("no signer list of {customer} is pinned here, and none is published"))
                    .hint("name yours with --signers FILE"))
            }
        }
    }

    /// Who may vouch for the devices whose receipts these are.
    async fn vouchers(&self, app: &App, client: &Client, customer: &CustomerCode) -> Result<SignerList, Failure> {
        if let Some(pinned) = pinned(app, &self.own, customer) {
            return Ok(pinned.list.list().clone());
        }
        let trust = Trust::open(&app.trust_folder()?, self.own.vendor_root.as_deref(), self.own.signers.as_deref())?;
        let anchors = client.trust(customer.as_str()).await?.anchors;
        Ok(trust.vouchers(customer, anchors.as_ref(), now())?)
    }
}

/// The customer of whoever is signed in.
pub async fn own_customer(client: &Client) -> Result<CustomerCode, Failure> {
    let person = client.whoami().await?;
    person.customer.ok_or_else(|| Failure::usage("which customer? you belong to none").hint("name it by its code, like JW"))
}

/// The device's word, if it verifies under a statement that one of the vouchers signed.
fn believed(shown: &DeviceReceipt, vouchers: &SignerList) -> Result<Option<Receipt>, String> {
    let Some(receipt) = &shown.receipt else { return Ok(None) };
    let statement = shown.device_statement.as_ref().ok_or("nobody has vouched for the device")?;
    let statement = DeviceStatement::verify(statement, vouchers, now()).map_err(|refused| refused.to_string())?;
    if statement.device != shown.device {
        return Err(format!("the statement beside it is of {}", statement.device));
    }
    Receipt::verify(receipt, &shown.device, &statement.host_key).map(Some).map_err(|refused| format!("receipt does not verify: {refused}"))
}

fn row(shown: &DeviceReceipt, reference: &CarrierSigners, vouchers: &SignerList) -> Row {
    let refusal = shown.refusal.as_ref().map(|refusal| format!("the device refused the list: {refusal}"));
    let (list, receipt, says) = match believed(shown, vouchers) {
        Ok(Some(receipt)) => {
            let list = match compare(&receipt, reference) {
                Standing::Same => "same",
                Standing::Older => "older",
                Standing::Newer => "newer",
                Standing::Other => "other",
            };
            (list, Some(receipt), String::new())
        }
        Ok(None) => ("no receipt", None, "the device has not said what it holds".to_owned()),
        Err(why) => ("not believed", None, why),
    };
    let said = [says, refusal.unwrap_or_default()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
    Row {
        device: shown.device.clone(),
        list,
        holds: receipt.as_ref().map(|receipt| receipt.signers),
        roster: receipt.as_ref().map(|receipt| receipt.roster),
        approvals: receipt.as_ref().map(|receipt| receipt.approvals),
        grades: receipt.as_ref().map(|receipt| receipt.grades.clone()).unwrap_or_default(),
        stopped: receipt.as_ref().map(|receipt| receipt.stopped.clone()).unwrap_or_default(),
        receipt_at: receipt.as_ref().map(|receipt| receipt.at),
        received_at: shown.received_at,
        says: said,
    }
}

fn table(rows: &[Row]) -> Table {
    let row = |row: &Row| {
        let tone = match row.list {
            "same" => Tone::Good,
            "older" | "other" | "not believed" => Tone::Bad,
            _ => Tone::Warn,
        };
        [
            text(&row.device),
            Cell::option(row.holds),
            Cell::toned(row.list, tone),
            Cell::option(row.roster),
            Cell::option(row.approvals),
            text(&row.grades),
            if row.stopped == "no" { text("no") } else { Cell::toned(&row.stopped, Tone::Warn) },
            Cell::Time(row.receipt_at),
            text(&row.says),
        ]
    };
    Table::new(["device", "holds list", "list", "roster", "approvals", "grades", "stopped", "signed at", "says"], rows.iter().map(row))
}
