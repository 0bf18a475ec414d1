//! `lineman report`: the figures, the faults behind each of them, and the events that anybody can count them from again.

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{
    CountedFault, Event, Figure, FigureDefinition, FigurePart, FigureUnit, FigureValue, FiguresReport, ReferenceValue, ReportBy,
};
use lineman_common::name::CustomerCode;

use super::{App, Limit, word};
use crate::client::{Client, Page, ReportQuery};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Format, Out, Table, Tone, duration_s, span, text};

/// Figures: how well faults were handled, each with the faults behind it
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  lineman report
  lineman report --from 2026-10-01 --until 2026-11-01 --zone Asia/Shanghai --by customer
  lineman report --last 90d --by month --figure mttr,restore_in_time
  lineman report --last 30d --customer JW --faults restore_in_time --missed
  lineman report --definitions
  lineman report --last 365d --by product --csv > figures.csv
  lineman report events --jsonl > events.jsonl")]
pub struct Report {
    #[command(subcommand)]
    events: Option<Command>,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Debug, Subcommand)]
enum Command {
    Events(Events),
}

#[derive(Debug, Args)]
struct Ask {
    /// Faults reported from then on: RFC 3339, or a date of the zone [default: 30 days before --until]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Faults reported before then, that moment not included [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// So far back from now, instead of --from and --until
    #[arg(long, value_name = "DURATION", value_parser = duration_s, conflicts_with_all = ["from", "until"])]
    last: Option<u32>,
    /// IANA time zone in which days begin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// By what was known at that moment [default: now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// What the rows stand for
    #[arg(long, value_delimiter = ',', value_parser = word::<ReportBy>(ReportBy::WORDS))]
    by: Vec<ReportBy>,
    /// These figures only
    #[arg(long, value_delimiter = ',', value_parser = word::<Figure>(Figure::WORDS))]
    figure: Vec<Figure>,
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// An office's faults; '' for those that no office has
    #[arg(long, value_name = "NAME")]
    office: Option<String>,
    /// A product line's faults; '' for those without equipment
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    #[arg(long, value_name = "NAME")]
    tier: Option<String>,
    #[arg(long, value_name = "WORD")]
    severity: Option<String>,
    /// List what this figure counted instead of the number
    #[arg(long, value_name = "FIGURE", value_parser = word::<Figure>(Figure::WORDS))]
    faults: Option<Figure>,
    /// With --faults: only what is in the numerator
    #[arg(long, requires = "faults", conflicts_with = "missed")]
    numerator: bool,
    /// With --faults: only what is not in the numerator
    #[arg(long, requires = "faults")]
    missed: bool,
    /// Say what each figure means instead
    #[arg(long, conflicts_with = "faults")]
    definitions: bool,
    #[command(flatten)]
    limit: Limit,
    #[command(flatten)]
    form: Form,
}

/// Short for `-o json` and `-o csv`.
#[derive(Clone, Copy, Debug, Args)]
struct Form {
    /// As JSON
    #[arg(long, conflicts_with_all = ["csv", "jsonl"])]
    json: bool,
    /// One JSON value a line
    #[arg(long, conflicts_with = "csv")]
    jsonl: bool,
    /// For a spreadsheet
    #[arg(long)]
    csv: bool,
}

impl Form {
    fn of(self, out: &Out) -> Out {
        let format = match self {
            Self { json: true, .. } => Format::Json,
            Self { jsonl: true, .. } => Format::Jsonl,
            Self { csv: true, .. } => Format::Csv,
            _ => out.format,
        };
        Out { format, ..out.clone() }
    }
}

/// Write the events that figures are computed from, so that anybody can compute them again
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman report events --jsonl > events.jsonl
  lineman report events --customer JW --csv > events.csv")]
struct Events {
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    #[command(flatten)]
    form: Form,
}

impl Report {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self.events {
            Some(Command::Events(events)) => events.run(app, &client).await,
            None => self.ask.run(app, &client).await,
        }
    }
}

impl Ask {
    async fn run(self, app: &App, client: &Client) -> Outcome {
        let out = self.form.of(&app.out);
        let query = self.query();
        match self.faults {
            _ if self.definitions => {
                let definitions = client.figures().await?.items;
                out.list(&definitions, definitions_table)?;
            }
            Some(figure) => self.drill(app, &out, client, figure, &query).await?,
            None if out.format == Format::Csv => crate::output::write_bytes(&client.report_csv(&query).await?)?,
            None => {
                let (definitions, report) = (client.figures().await?.items, client.report(&query).await?);
                out.row(&report, |reports| Table {
                    rows: reports.iter().flat_map(|report| figure_rows(report, &definitions)).collect(),
                    head: head(&report),
                })?;
                if out.format == Format::Table {
                    app.say(format!(
                        "faults reported from {} until {}, {}, as of {}",
                        report.from, report.until, report.zone, report.as_of
                    ));
                }
            }
        }
        Ok(Exit::Done)
    }

    fn query(&self) -> ReportQuery {
        let since = self.last.map(|seconds| Timestamp::now().saturating_sub(SignedDuration::from_secs(i64::from(seconds))));
        ReportQuery {
            from: since.and_then(Result::ok).map(|since| since.to_string()).or_else(|| self.from.clone()),
            until: self.until.clone(),
            zone: self.zone.clone(),
            as_of: self.as_of.map(|at| at.to_string()),
            by: self.by.iter().map(ToString::to_string).collect(),
            figures: self.figure.iter().map(ToString::to_string).collect(),
            customer: self.customer.as_ref().map(ToString::to_string),
            office: self.office.clone(),
            product: self.product.clone(),
            tier: self.tier.clone(),
            severity: self.severity.clone(),
        }
    }

    async fn drill(&self, app: &App, out: &Out, client: &Client, figure: Figure, query: &ReportQuery) -> Result<(), Failure> {
        // The number first: its moment is that of the list, and all of the list's pages.
        let one = ReportQuery { by: Vec::new(), figures: vec![figure.to_string()], ..query.clone() };
        let report = client.report(&one).await?;
        let query = &ReportQuery {
            as_of: Some(report.as_of.to_string()),
            until: Some(report.until.to_string()),
            from: Some(report.from.to_string()),
            ..one
        };
        if let Some(value) = report.rows.first().and_then(|row| row.figures.first()) {
            app.say(format!("{figure}: {} of {}, {} open, as of {}", value.numerator, value.denominator, value.undecided, report.as_of));
        }
        let part = if self.numerator { FigurePart::Numerator } else { FigurePart::Denominator };
        if out.format == Format::Csv && !self.missed {
            return crate::output::write_bytes(&client.counted_csv(figure, part, query).await?);
        }
        let mut list = self.limit.read(app, |page| async move { client.counted(figure, part, query, &page).await }).await?;
        if self.missed {
            list.retain(|one| !one.counted);
        }
        out.list(&list, counted_table)
    }
}

impl Events {
    async fn run(self, app: &App, client: &Client) -> Outcome {
        let out = self.form.of(&app.out);
        // The log may be long: it goes out page by page, and as lines where an array was asked for.
        let format = if out.format == Format::Json { Format::Jsonl } else { out.format };
        let mut out = Out { format, ..out };
        let customer = self.customer.as_ref().map(CustomerCode::as_str);
        let mut after = None;
        loop {
            let page = client.report_events(customer, &Page { after, limit: Some(5000) }).await?;
            if !page.items.is_empty() {
                out.list(&page.items, events_table)?;
                out.headers = false;
            }
            after = page.next;
            if after.is_none() {
                return Ok(Exit::Done);
            }
        }
    }
}

fn head(report: &FiguresReport) -> Vec<&'static str> {
    let own = ["figure", "value", "unit", "counted", "of", "open", "reference", "note"];
    report.by.iter().map(|by| by.as_str()).chain(own).collect()
}

fn figure_rows<'a>(report: &'a FiguresReport, definitions: &'a [FigureDefinition]) -> impl Iterator<Item = Vec<Cell>> + 'a {
    report.rows.iter().flat_map(|row| {
        row.figures.iter().map(|value| {
            let definition = definitions.iter().find(|definition| definition.figure == value.figure);
            let unit = definition.map_or(FigureUnit::Count, |definition| definition.unit);
            let reference = definition.and_then(|definition| definition.reference);
            let group = row.group.iter().map(|name| text(name.as_deref().unwrap_or("-")));
            let cells = [
                text(value.figure),
                shown(value, unit),
                text(unit),
                text(value.numerator),
                text(value.denominator),
                text(value.undecided),
                text(reference.map(|reference| said(reference, unit)).unwrap_or_default()),
                Cell::toned(if value.small { "few" } else { "" }, Tone::Dim),
            ];
            group.chain(cells).collect()
        })
    })
}

/// For people; programs take the JSON or the CSV.
fn shown(value: &FigureValue, unit: FigureUnit) -> Cell {
    value.value.map_or_else(|| Cell::toned("-", Tone::Dim), |number| text(number_of(number, unit)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration in whole seconds, for people")]
fn number_of(number: f64, unit: FigureUnit) -> String {
    match unit {
        FigureUnit::Count | FigureUnit::PerMillion => format!("{number:.0}"),
        FigureUnit::Ratio => format!("{:.1} %", number * 100.0),
        FigureUnit::Seconds => span(number.round() as u64),
        FigureUnit::Sigma => format!("{number:.2}"),
    }
}

fn said(reference: ReferenceValue, unit: FigureUnit) -> String {
    let number = |number: f64| if unit == FigureUnit::Ratio { format!("{:.0} %", number * 100.0) } else { number_of(number, unit) };
    match (reference.from, reference.to) {
        (Some(from), Some(to)) => format!("{} to {}", number(from), number(to)),
        (Some(from), None) => number(from),
        (None, Some(to)) => format!("at most {}", number(to)),
        (None, None) => String::new(),
    }
}

fn definitions_table(definitions: &[FigureDefinition]) -> Table {
    let head = ["figure", "name", "名称", "unit", "numerator", "denominator", "excluded", "formula", "source", "reference"];
    let rows = definitions.iter().map(|definition| {
        [
            text(definition.figure),
            text(&definition.name.en),
            text(&definition.name.zh),
            text(definition.unit),
            text(&definition.numerator.en),
            text(&definition.denominator.en),
            text(&definition.excluded.en),
            text(&definition.formula.en),
            text(&definition.source.en),
            text(definition.reference.map(|reference| said(reference, definition.unit)).unwrap_or_default()),
        ]
    });
    Table::new(head, rows)
}

fn counted_table(list: &[CountedFault]) -> Table {
    let rows = list.iter().map(|one| {
        [
            text(&one.fault),
            Cell::option(one.equipment.as_ref()),
            one.reported_at.into(),
            Cell::option(one.what.as_ref()),
            one.seconds.map_or_else(|| text(""), Cell::Number),
            text(if one.counted { "yes" } else { "no" }),
        ]
    });
    Table::new(["fault", "equipment", "reported", "what", "seconds", "counted"], rows)
}

fn events_table(events: &[Event]) -> Table {
    let rows = events.iter().map(|event| {
        [
            text(event.seq),
            text(&event.kind),
            Cell::option(event.fault.as_ref()),
            Cell::option(event.equipment.as_ref()),
            text(&event.actor),
            event.occurred_at.into(),
            event.recorded_at.into(),
            text(&event.text),
            text(&event.data),
        ]
    });
    Table::new(["seq", "kind", "fault", "equipment", "actor", "occurred_at", "recorded_at", "text", "data"], rows)
}
