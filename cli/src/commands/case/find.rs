//! `lineman case search`: what was found, where it matched, and how it is spread.

use clap::Args;
use lineman_common::Printable;
use lineman_common::api::{CaseAnswer, FacetCounts, Highlight};

use super::super::App;
use super::super::fault::hits_table;
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Format, Table, text};

/// Hits whose text is shown in a terminal.
const MOST_SHOWN: usize = 5;
/// Pieces of text of one hit.
const MOST_PIECES: usize = 2;

/// Find cases by symptom, alarm code or model; filters narrow it
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: product, model, version, code, cause, language, state, audience. `key:value`, `key:a,b` for either, `-key:value` for none.

Examples:
  lineman case search '板卡 温度'
  lineman case search ALM-25621 --limit 5 -o json
  lineman case search 'fan overheating product:OLT version:5.3 -state:wip' --facets"
)]
pub struct Search {
    #[arg(required = true)]
    words: Vec<String>,
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// Count what matches by product, model, version, code, cause, language and state
    #[arg(long)]
    facets: bool,
}

impl Search {
    pub async fn run(self, app: &App) -> Outcome {
        let answer = app.client()?.search_cases(&self.words.join(" "), Some(self.limit), self.facets).await?;
        if self.facets {
            app.out.list(&answer.facets, facets_table)?;
        } else {
            app.out.list(&answer.items, hits_table)?;
        }
        if app.out.is_terminal() && !self.facets {
            for line in talk(&answer, app.out.colour) {
                app.say(line);
            }
        }
        for note in &answer.notes {
            app.say(format!("note: {}", note.text));
        }
        if answer.items.is_empty() {
            app.say("nothing was found: try fewer or other words, an alarm code, or a model");
        } else if app.out.format == Format::Table && usize::try_from(answer.total).unwrap_or(usize::MAX) > answer.items.len() {
            app.say(format!("{} of {} cases that match", answer.items.len(), answer.total));
        }
        Ok(Exit::Done)
    }
}

fn facets_table(facets: &[FacetCounts]) -> Table {
    let rows = facets.iter().flat_map(|counts| counts.values.iter().map(|value| (counts.facet, value)));
    Table::new(
        ["filter", "value", "cases"],
        rows.map(|(facet, value)| [text(facet), text(&value.value), text(value.count)]).collect::<Vec<[Cell; 3]>>(),
    )
}

/// Where the best hits matched.
fn talk(answer: &CaseAnswer, colour: bool) -> Vec<String> {
    let pieces = answer.items.iter().take(MOST_SHOWN).flat_map(|hit| {
        let piece = move |highlight: &Highlight| {
            format!("{}  {} {}: {}", hit.number, highlight.language, highlight.field, marked(highlight, colour))
        };
        hit.highlights.iter().take(MOST_PIECES).map(piece)
    });
    pieces.collect()
}

/// The text with what matched in bold, or in brackets where there is no colour. What a terminal would act on is shown instead.
fn marked(highlight: &Highlight, colour: bool) -> String {
    let characters: Vec<char> = highlight.text.raw().chars().collect();
    let shown =
        |from: usize, to: usize| Printable::new(characters.get(from..to).unwrap_or_default().iter().collect::<String>()).to_string();
    let (begin, end) = if colour { ("\u{1b}[1m", "\u{1b}[0m") } else { ("[", "]") };
    let (mut line, mut at) = (String::new(), 0);
    for [start, stop] in &highlight.spans {
        let (start, stop) = (*start as usize, *stop as usize);
        line += &format!("{}{begin}{}{end}", shown(at, start), shown(start, stop));
        at = stop;
    }
    line + &shown(at, characters.len())
}

#[cfg(test)]
mod tests {
    use lineman_common::api::{CaseField, Language};

    use super::*;

    #[test]
    fn matches_are_marked_and_nothing_else_acts_on_the_terminal() {
        let highlight = |text: &str, spans: Vec<[u32; 2]>| Highlight {
            language: Language::Zh,
            field: CaseField::Title,
            text: text.into(),
            start: 0,
            spans,
        };
        assert_eq!(marked(&highlight("二号风扇停转", vec![[2, 6]]), false), "二号[风扇停转]");
        assert_eq!(marked(&highlight("a fan b fan", vec![[2, 5], [8, 11]]), true), "a \u{1b}[1mfan\u{1b}[0m b \u{1b}[1mfan\u{1b}[0m");
        assert_eq!(marked(&highlight("\u{1b}[2Jfan", vec![[4, 7]]), false), "\\u{1b}[2J[fan]");
        assert_eq!(marked(&highlight("x", vec![[0, 9]]), false), "[]", "a server that is wrong about offsets breaks nothing");
    }
}
