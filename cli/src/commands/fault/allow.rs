//! Consent given while filing: a standing statement for the fault that was just filed.
//!
//! The fault comes first and stays, whatever becomes of the signature: a clock that waits for a key helps nobody.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::Fault;
use lineman_common::id::ConsentId;
use lineman_common::session::Doors;
use lineman_common::statement::standing::{Devices, ForFault};

use crate::client::Client;
use crate::commands::App;
use crate::commands::consent::{Own, doors_arg, duration_arg};
use crate::commands::standing::{show_and_sign, until_arg};
use crate::consents::now;
use crate::consents::terms::{Grantor, Terms};
use crate::exit::Failure;

/// How long the permission stands when nobody says otherwise; it ends with its fault in any case.
const STANDS_FOR: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Consent while filing (the carrier's people)")]
pub struct Allow {
    /// Let engineers in for this fault without being asked again: shell, exec, sftp-read, sftp-write, forward:HOST:PORT
    #[arg(id = "allow", long = "allow", value_name = "DOORS", value_parser = doors_arg, requires_all = ["level", "duration_s", "equipment"])]
    doors: Option<Doors>,
    /// The lowest level that it lets in, by the vendor's roster
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..), requires = "allow")]
    level: Option<u8>,
    /// How long each entry may last
    #[arg(long = "for", value_name = "DURATION", value_parser = duration_arg, requires = "allow")]
    duration_s: Option<u32>,
    /// Account profile on the device
    #[arg(long, default_value = "view")]
    account: String,
    /// When it ends, besides with the fault: a time, or a duration from now [default: 1d]
    #[arg(long, value_name = "TIME|DURATION", value_parser = until_arg, requires = "allow")]
    until: Option<Timestamp>,
    #[command(flatten)]
    own: Own,
    /// Don't ask: neither about suggestions nor before signing
    #[arg(short, long)]
    pub(super) yes: bool,
}

impl Allow {
    /// Signs and hands in what was allowed for a fault, if something was.
    pub async fn run(self, app: &App, client: &Client, fault: &Fault) -> Result<(), Failure> {
        let (Some(doors), Some(level), Some(duration_s), Some(equipment)) =
            (self.doors.clone(), self.level, self.duration_s, fault.equipment.clone())
        else {
            return Ok(());
        };
        let terms = Terms {
            id: ConsentId::new(),
            customer: fault.customer.clone(),
            devices: Devices::Named([equipment].into()),
            fault: ForFault::Only(fault.number.clone()),
            level,
            doors,
            account: self.account.clone(),
            duration_s,
            valid_before: self.until.unwrap_or(now() + STANDS_FOR),
        };
        self.sign(app, client, &terms).await.map_err(|failure| not_allowed(failure, fault, &terms))
    }

    async fn sign(&self, app: &App, client: &Client, terms: &Terms) -> Result<(), Failure> {
        let (trust, signer) = (self.own.trust(app)?, self.own.signer(app)?);
        let grantor = Grantor::new(client, &trust, signer, &terms.customer, &app.env).await?;
        let signed = show_and_sign(app, &grantor, terms, &self.own, self.yes)?;
        let view = client.new_standing(vec![signed]).await?;
        app.say(format!(
            "{} may be entered for {} until {}, without asking again; take it back: lineman standing revoke {} --reason TEXT",
            view.devices,
            view.fault,
            app.out.moment(view.valid_before),
            view.id
        ));
        Ok(())
    }
}

/// The fault stays filed, and that is said.
fn not_allowed(failure: Failure, fault: &Fault, terms: &Terms) -> Failure {
    let Terms { devices, level, doors, duration_s, .. } = terms;
    let again = format!(
        "allow it later: lineman standing grant --devices {devices} --fault {} --level {level} --doors {doors} --for {duration_s}s --until 1d --key KEY",
        fault.number
    );
    let hint = failure.hint.as_ref().map_or_else(|| again.clone(), |hint| format!("{hint}; {again}"));
    Failure { what: format!("{} is filed, but nothing was allowed for it: {}", fault.number, failure.what), ..failure }.hint(hint)
}
