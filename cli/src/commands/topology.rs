//! `lineman equipment topology`: how equipment hangs together.

use clap::{Args, Subcommand};
use lineman_common::api::{Topology, TopologyEdge, TopologyView};
use lineman_common::name::Handle;

use super::App;
use crate::exit::Failure;
use crate::output::{Cell, Sheet, Table, text};

/// How equipment hangs together: by link, by power, as a part
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman equipment topology show ne-1.jw.ne
  lineman equipment topology set ne-2.jw.ne --link ne-1:shelf-1/card-2/port-3 --power ne-9")]
pub enum Command {
    /// Show what equipment hangs on, and what hangs on it
    #[command(after_help = "Examples:\n  lineman equipment topology show ne-1.jw.ne")]
    Show {
        #[arg(value_name = "NE")]
        equipment: String,
    },
    Set(Set),
}

/// Say what equipment hangs on; this takes the place of what was said before
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman equipment topology set ne-2.jw.ne --link ne-1:shelf-1/card-2/port-3 --power ne-9
  lineman equipment topology set card-3.jw.ne --within ne-1:shelf-1
  lineman equipment topology set ne-2.jw.ne --none")]
pub struct Set {
    #[arg(value_name = "NE")]
    equipment: String,
    /// What it is reached through, with the part of it: HANDLE or HANDLE:PART
    #[arg(long, value_name = "ON", value_parser = edge)]
    link: Option<TopologyEdge>,
    /// What feeds it; may be given several times
    #[arg(long, value_name = "ON", value_parser = edge)]
    power: Vec<TopologyEdge>,
    /// What it is a part of
    #[arg(long, value_name = "ON", value_parser = edge)]
    within: Option<TopologyEdge>,
    /// Nothing
    #[arg(long, conflicts_with_all = ["link", "power", "within"], required_unless_present_any = ["link", "power", "within"])]
    none: bool,
}

fn edge(text: &str) -> Result<TopologyEdge, String> {
    let (handle, via) = text.split_once(':').map_or((text, None), |(handle, via)| (handle, Some(via)));
    let on: Handle = handle.parse().map_err(|e: lineman_common::name::BadName| e.to_string())?;
    Ok(TopologyEdge { on, via: via.map(Into::into) })
}

impl Command {
    pub async fn run(self, app: &App) -> Result<(), Failure> {
        let client = app.client()?;
        let view = match self {
            Self::Show { equipment } => client.topology(&equipment).await?,
            Self::Set(Set { equipment, link, power, within, none: _ }) => {
                client.set_topology(&equipment, &Topology { link, power, within }).await?
            }
        };
        app.out.sheet(&view, sheet)
    }
}

fn shown(edge: &TopologyEdge) -> Cell {
    text(edge.via.as_ref().map_or_else(|| edge.on.to_string(), |via| format!("{}:{via}", edge.on)))
}

fn sheet(view: &TopologyView) -> Sheet {
    let Topology { link, power, within } = &view.above;
    let mut fields = vec![("equipment", text(&view.equipment))];
    fields.extend(link.iter().map(|edge| ("link", shown(edge))));
    fields.extend(power.iter().map(|edge| ("power", shown(edge))));
    fields.extend(within.iter().map(|edge| ("within", shown(edge))));
    let below = view.below.iter().map(|below| [text(&below.equipment), text(below.relation), Cell::option(below.via.as_ref())]);
    Sheet { fields, parts: vec![("what hangs on it", Table::new(["equipment", "by", "part"], below))] }
}
