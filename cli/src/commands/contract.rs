//! `lineman contract`: which tier holds for a customer, from when until when.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use lineman_common::api::{Contact, Contract, NewContract};
use lineman_common::name::CustomerCode;

use super::{App, Limit};
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text};
use crate::prompt;

/// Contracts: a customer's tier for a time, and who answers for it
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman contract list --customer JW
  lineman contract add JW --tier gold --from 2027-01-01 --until 2027-12-31 --contact engineer-a")]
pub enum Command {
    /// List contracts, oldest first
    #[command(after_help = "Examples:\n  lineman contract list --customer JW")]
    List {
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one contract
    #[command(after_help = "Examples:\n  lineman contract show ctr_01a20110d33674329e3cc56c92182820")]
    Show {
        id: String,
    },
    Add(Add),
    Set(Set),
    /// Delete a contract that has not begun
    #[command(after_help = "Examples:\n  lineman contract delete ctr_01a20110d33674329e3cc56c92182820 --yes")]
    Delete {
        id: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Add a contract; days are those of the customer's first site
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman contract add JW --tier gold --from 2027-01-01 --until 2027-12-31 --contact engineer-a
  lineman contract add JW --tier gold --from 2027-01-01 --contact engineer-a --phone '+86 10 0000 0000'")]
pub struct Add {
    #[arg(value_name = "CODE")]
    customer: CustomerCode,
    #[arg(long)]
    tier: String,
    /// The first day
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// The last day [default: until another word]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    contact: String,
    #[arg(long, default_value = "")]
    phone: String,
    #[arg(long, default_value = "")]
    mail: String,
}

/// Change what is named of a contract; of one that has begun, only its last day and its contact
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman contract set ctr_01a20110d33674329e3cc56c92182820 --until 2027-06-30
  lineman contract set ctr_01a20110d33674329e3cc56c92182820 --open --contact engineer-b")]
pub struct Set {
    id: String,
    #[arg(long)]
    tier: Option<String>,
    /// The first day
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// The last day
    #[arg(long, value_name = "DATE", conflicts_with = "open")]
    until: Option<Date>,
    /// Without a last day
    #[arg(long)]
    open: bool,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    contact: Option<String>,
    #[arg(long)]
    phone: Option<String>,
    #[arg(long)]
    mail: Option<String>,
}

impl Set {
    fn onto(self, known: Contract) -> NewContract {
        let Contact { name, phone, mail } = known.contact;
        NewContract {
            customer: known.customer,
            tier: self.tier.unwrap_or(known.tier),
            from: self.from.unwrap_or(known.from),
            until: if self.open { None } else { self.until.or(known.until) },
            contact: Contact {
                name: self.contact.map_or(name, Into::into),
                phone: self.phone.map_or(phone, Into::into),
                mail: self.mail.map_or(mail, Into::into),
            },
        }
    }
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List { customer, limit } => {
                let fetch = |page| {
                    let (client, customer) = (client.clone(), customer.clone());
                    async move { client.contracts(customer.as_ref().map(CustomerCode::as_str), &page).await }
                };
                app.out.list(&limit.read(app, fetch).await?, |contracts| table(contracts.iter()))?;
            }
            Self::Show { id } => app.out.sheet(&client.contract(&id).await?, sheet)?,
            Self::Add(Add { customer, tier, from, until, contact, phone, mail }) => {
                let contact = Contact { name: contact.into(), phone: phone.into(), mail: mail.into() };
                let new = NewContract { customer, tier, from, until, contact };
                app.out.sheet(&client.new_contract(&new).await?, sheet)?;
            }
            Self::Set(set) => {
                let (id, known) = (set.id.clone(), client.contract(&set.id).await?);
                app.out.sheet(&client.put_contract(&id, &set.onto(known)).await?, sheet)?;
            }
            Self::Delete { id, yes } => {
                prompt::confirm(&format!("delete the contract {id} on {}", client.server()), yes)?;
                client.delete_contract(&id).await?;
                app.say(format!("{} is deleted", lineman_common::printable::escape(&id)));
            }
        }
        Ok(Exit::Done)
    }
}

fn holds(contract: &Contract) -> Cell {
    if contract.in_force { Cell::toned("yes", Tone::Good) } else { Cell::toned("no", Tone::Dim) }
}

fn table<'a>(contracts: impl IntoIterator<Item = &'a Contract>) -> Table {
    let row = |contract: &'a Contract| {
        [
            text(contract.id),
            text(&contract.customer),
            text(&contract.tier),
            text(contract.from),
            Cell::option(contract.until),
            holds(contract),
            text(&contract.contact.name),
        ]
    };
    Table::new(["id", "customer", "tier", "from", "until", "in force", "contact"], contracts.into_iter().map(row))
}

fn sheet(contract: &Contract) -> Sheet {
    let contact = &contract.contact;
    Sheet {
        fields: vec![
            ("contract", text(contract.id)),
            ("customer", text(&contract.customer)),
            ("tier", text(&contract.tier)),
            ("from", text(contract.from)),
            ("until", contract.until.map_or_else(|| text("until another word"), text)),
            ("in force", holds(contract)),
            ("contact", text(&contact.name)),
            ("phone", text(&contact.phone)),
            ("mail", text(&contact.mail)),
        ],
        parts: Vec::new(),
    }
}
