//! `lineman session grep`: who saw this line, when, on which device?

use clap::Args;
use lineman_common::api::GrepHit;
use lineman_common::name::{CustomerCode, NeName, PersonName};
use lineman_common::printable::escape;

use super::moment;
use crate::client::GrepQuery;
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Table, text, write_out};

/// Search the transcripts of all recordings that you may see
///
/// Upper and lower case are the same; the text is searched as it is, it is no pattern. Output, commands, file operations and what was
/// sent into commands are searched; what was typed into a terminal is not recorded. Exit code 3 when nothing matches.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman session grep 'fan 2'
  lineman session grep 风扇 --equipment ne-1.jw.ne
  lineman session grep reboot --customer JW --engineer engineer-a --limit 20 -o json")]
pub struct Grep {
    /// What to look for
    #[arg(value_name = "TEXT")]
    text: String,
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    #[arg(long, value_name = "FAULT")]
    fault: Option<String>,
    #[arg(long, value_name = "NE")]
    equipment: Option<NeName>,
    #[arg(long, value_name = "NAME")]
    engineer: Option<PersonName>,
    /// Show at most this many lines
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
}

impl Grep {
    pub async fn run(self, app: &App) -> Outcome {
        if self.text.trim().is_empty() {
            return Err(Failure::usage("there is nothing to look for: the text is empty"));
        }
        let query = GrepQuery {
            text: self.text.clone(),
            customer: self.customer.as_ref().map(ToString::to_string),
            fault: self.fault.clone(),
            equipment: self.equipment.as_ref().map(ToString::to_string),
            engineer: self.engineer.as_ref().map(ToString::to_string),
            limit: Some(self.limit),
        };
        let hits = app.client()?.grep(&query).await?.items;
        if app.out.format == Format::Table {
            write_out(&hits.iter().map(|hit| self.line(app, hit)).collect::<String>())?;
        } else {
            app.out.list(&hits, table)?;
        }
        let Some(first) = hits.first() else {
            app.say(format!("no recording that you may see holds `{}`", escape(&self.text)));
            return Ok(Exit::NotFound);
        };
        if hits.len() >= self.limit as usize {
            app.say(format!("there may be more than these {}: raise --limit, or narrow the search", hits.len()));
        }
        app.say(format!("to see it: lineman session play {} --channel {} --at {}", first.session, first.channel, before(first)));
        Ok(Exit::Done)
    }

    /// For a terminal: as grep shows it, with the match marked.
    fn line(&self, app: &App, hit: &GrepHit) -> String {
        let line = escape(hit.line.raw());
        let marked = if app.out.colour { mark(&line, &self.text) } else { line };
        format!("{}  {}  {}@{}  {}  {marked}\n", hit.session, app.out.moment(hit.at), hit.engineer, hit.device, moment::shown(hit.seconds))
    }
}

/// A moment earlier, so that the line is seen to come.
fn before(hit: &GrepHit) -> String {
    moment::typed((hit.seconds - 2.0).max(0.0))
}

/// Marks every place where the text is, in whatever case.
fn mark(line: &str, text: &str) -> String {
    let folded = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    let wanted = folded(text);
    let mut out = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        // As many characters as it takes for their small forms to be as long as the text's.
        let length = rest.char_indices().map(|(at, c)| at + c.len_utf8()).find(|end| folded(&rest[..*end]).len() >= wanted.len());
        if let Some(end) = length.filter(|end| folded(&rest[..*end]) == wanted) {
            out.push_str(&format!("\x1b[1;31m{}\x1b[0m", &rest[..end]));
            rest = &rest[end..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn table(hits: &[GrepHit]) -> Table {
    let row = |hit: &GrepHit| {
        [
            text(hit.session),
            hit.at.into(),
            text(&hit.engineer),
            text(&hit.device),
            text(&hit.fault),
            text(hit.channel),
            text(moment::shown(hit.seconds)),
            text(hit.line.raw()),
        ]
    };
    Table::new(["session", "at", "engineer", "device", "fault", "channel", "place", "line"], hits.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_match_is_marked_in_whatever_case() {
        let red = |text: &str| format!("\x1b[1;31m{text}\x1b[0m");
        assert_eq!(mark("Fan 2, FAN 3", "fan"), format!("{} 2, {} 3", red("Fan"), red("FAN")));
        assert_eq!(mark("风扇停转", "扇停"), format!("风{}转", red("扇停")));
        assert_eq!(mark("ÄÖ İx", "äö"), format!("{} İx", red("ÄÖ")));
        assert_eq!(mark("abc", "x"), "abc");
    }
}
