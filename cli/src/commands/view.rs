//! `lineman view`: saved views of lists, and `--query` and `--view` of the commands that list things.

use clap::{Args, Subcommand};
use lineman_common::Printable;
use lineman_common::api::{EditView, NewView, SavedView, ViewList};

use super::{App, word};
use crate::client::{Ask, Client};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, text};
use crate::prompt;

/// Saved views: lists with a query and a name, as the console shows them
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman view list
  lineman view save 'JW critical' 'customer:JW sev:critical' --sort left
  lineman fault list --view 'JW critical'")]
pub enum Command {
    /// List your views and the shared ones, with how many fit now
    #[command(after_help = "Examples:\n  lineman view list\n  lineman view list --of faults -o json")]
    List {
        /// Only views of this list
        #[arg(long, value_name = "LIST", value_parser = word::<ViewList>(ViewList::WORDS))]
        of: Option<ViewList>,
    },
    Save(Save),
    /// Show one view
    #[command(after_help = "Examples:\n  lineman view show Mine")]
    Show(Named),
    /// Delete a view of yours; a shared one also as duty manager or admin
    #[command(after_help = "Examples:\n  lineman view delete 'JW critical' --yes")]
    Delete {
        #[command(flatten)]
        named: Named,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Save a view, or change the one of yours that has the name
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman view save 'JW critical' 'customer:JW sev:critical' --sort left
  lineman view save offline 'online:no -worst:none' --of equipment
  lineman view save 'Waiting' 'consent:waiting' --shared")]
pub struct Save {
    name: String,
    /// What it asks for, like 'sev:critical owner:me'
    query: String,
    /// What it is a view of
    #[arg(long, value_name = "LIST", default_value = "faults", value_parser = word::<ViewList>(ViewList::WORDS))]
    of: ViewList,
    /// In which order, like `left` for the least time left first
    #[arg(long)]
    sort: Option<String>,
    /// For everybody at the support centre (duty manager, admin)
    #[arg(long)]
    shared: bool,
    /// Its place, the smallest first
    #[arg(long, value_name = "N")]
    position: Option<u32>,
}

#[derive(Debug, Args)]
pub struct Named {
    /// Its name, or its id
    name: String,
    /// Of this list, where two have the name
    #[arg(long, value_name = "LIST", value_parser = word::<ViewList>(ViewList::WORDS))]
    of: Option<ViewList>,
}

/// What a list is asked for
#[derive(Clone, Debug, Default, Args)]
pub struct Asked {
    /// Words and filters, like 'sev:critical owner:me 板卡'; a wrong filter tells which there are
    #[arg(long, value_name = "TEXT")]
    query: Option<String>,
    /// A saved view of this list by its name; --query narrows it
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
}

impl Asked {
    /// What to ask the server, with the saved view's query in it.
    pub async fn read(&self, client: &Client, list: ViewList, sort: Option<String>) -> Result<Ask, Failure> {
        let view = match &self.view {
            Some(name) => Some(named(client, name, Some(list)).await?),
            None => None,
        };
        let texts = [view.as_ref().map(|view| view.query.raw()), self.query.as_deref()];
        let q = texts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        Ok(Ask { q: Some(q).filter(|q| !q.trim().is_empty()), sort: sort.or(view.and_then(|view| view.sort)) })
    }
}

async fn named(client: &Client, name: &str, list: Option<ViewList>) -> Result<SavedView, Failure> {
    let views = client.views(list).await?.items;
    let is_named = |view: &&SavedView| view.name.raw() == name || view.id.to_string() == name;
    let found: Vec<_> = views.iter().filter(is_named).collect();
    // One's own view comes before a shared one of the same name.
    let own: Vec<_> = found.iter().copied().filter(|view| view.yours).collect();
    match (found.as_slice(), own.as_slice()) {
        ([one], _) | (_, [one]) => Ok((*one).clone()),
        ([], _) => {
            let names: Vec<_> = views.iter().map(|view| view.name.to_string()).collect();
            let failure = Failure::new(Exit::NotFound, format!("there is no view named `{}`", Printable::from(name)));
            Err(failure.hint(format!("there are: {}", names.join(", "))))
        }
        _ => Err(Failure::new(Exit::Usage, format!("several views are named `{}`", Printable::from(name)))
            .hint("name its list with --of, or its id")),
    }
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List { of } => {
                let views = client.views(of).await?.items;
                app.out.list(&views, table)?;
            }
            Self::Save(save) => save.run(app, &client).await?,
            Self::Show(Named { name, of }) => {
                let view = named(&client, &name, of).await?;
                app.out.sheet(&client.view(view.id).await?, sheet)?;
            }
            Self::Delete { named: Named { name, of }, yes } => {
                let view = named(&client, &name, of).await?;
                let whose = if view.shared { ", which everybody at the support centre has" } else { "" };
                prompt::confirm(&format!("delete the view {}{whose}", view.name), yes)?;
                app.out.sheet(&client.delete_view(view.id).await?, sheet)?;
            }
        }
        Ok(Exit::Done)
    }
}

impl Save {
    async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        let Self { name, query, of, sort, shared, position } = self;
        let views = client.views(Some(of)).await?.items;
        let view = match views.iter().find(|view| view.yours && view.name.raw() == name) {
            Some(known) => {
                let edit = EditView {
                    query: Some(query.into()),
                    sort: Some(sort.unwrap_or_default()),
                    shared: shared.then_some(true),
                    position,
                    ..EditView::default()
                };
                client.edit_view(known.id, &edit).await?
            }
            None => client.new_view(&NewView { name: name.into(), list: of, query: query.into(), sort, shared, position }).await?,
        };
        app.out.sheet(&view, sheet)
    }
}

fn count(view: &SavedView) -> Cell {
    match (view.count, &view.problem) {
        (Some(count), _) if count.or_more => text(format!("{}+", count.count)),
        (Some(count), _) => text(count.count),
        (None, Some(_)) => text("?"),
        (None, None) => text(""),
    }
}

fn table(views: &[SavedView]) -> Table {
    let row = |view: &SavedView| {
        [
            text(&view.name),
            text(view.list),
            count(view),
            text(&view.query),
            Cell::option(view.sort.as_ref()),
            text(if view.shared { "shared" } else { "yours" }),
            text(&view.owner),
        ]
    };
    Table::new(["name", "list", "count", "query", "sort", "whose", "owner"], views.iter().map(row))
}

fn sheet(view: &SavedView) -> Sheet {
    Sheet {
        fields: vec![
            ("name", text(&view.name)),
            ("id", text(view.id)),
            ("list", text(view.list)),
            ("query", text(&view.query)),
            ("sort", Cell::option(view.sort.as_ref())),
            ("count", count(view)),
            ("problem", Cell::option(view.problem.as_ref())),
            ("shared", text(if view.shared { "yes" } else { "no" })),
            ("owner", text(&view.owner)),
            ("position", text(view.position)),
        ],
        ..Sheet::default()
    }
}
