//! What is measured, and how large: from the command line.

use anyhow::{Context, bail, ensure};

const USAGE: &str = "bench-faults [--small] [--json] [--agents N] [--events N] [--storm N] [--open N] [--historic N] [--filed N] [--watched N] [--faults N] [--only PARTS]

  --small        seconds instead of minutes: its figures mean nothing (also SMOKE=1)
  --json         print the report that goes to faults.json, instead of the table
  --agents N     links that send at once [default: 256]
  --events N     alarm events that they send together [default: 400000]
  --storm N      alarms under one parent [default: 10000]
  --open N       alarms that are raised while lists are asked for [default: 100000]
  --historic N   alarms that have cleared, beside them [default: 1000000]
  --filed N      faults that are filed [default: 5000]
  --watched N    faults whose clocks run while lateness is measured [default: 50000]
  --faults N     faults among which the console's pages are asked for [default: 100000]
  --only PARTS   of events,storm,lists,filing,pages,clocks, with commas";

/// One kind of measurement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Events,
    Storm,
    Lists,
    Filing,
    Pages,
    Clocks,
}

impl Part {
    const ALL: [Self; 6] = [Self::Events, Self::Storm, Self::Lists, Self::Filing, Self::Pages, Self::Clocks];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Storm => "storm",
            Self::Lists => "lists",
            Self::Filing => "filing",
            Self::Pages => "pages",
            Self::Clocks => "clocks",
        }
    }
}

pub struct Plan {
    pub json: bool,
    pub agents: u32,
    pub events: u32,
    pub storm: u32,
    pub open: u32,
    pub historic: u32,
    pub filed: u32,
    pub watched: u32,
    pub faults: u32,
    /// Faults that come due while the others are watched.
    pub due: u32,
    /// Requests of each kind whose time is taken.
    pub asked: u32,
    pub parts: Vec<Part>,
}

impl Plan {
    pub fn from_command_line() -> anyhow::Result<Self> {
        let smoke = std::env::var_os("SMOKE").is_some_and(|value| value != "0" && !value.is_empty());
        let words: Vec<String> = std::env::args().skip(1).collect();
        if words.iter().any(|word| word == "-h" || word == "--help") {
            println!("{USAGE}");
            std::process::exit(0);
        }
        let small = smoke || words.iter().any(|word| word == "--small");
        let mut plan = if small { Self::small() } else { Self::full() };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n\n{USAGE}"));
            match word.as_str() {
                "--small" => {}
                "--json" => plan.json = true,
                "--agents" => plan.agents = number(&word, &value()?)?,
                "--events" => plan.events = number(&word, &value()?)?,
                "--storm" => plan.storm = number(&word, &value()?)?,
                "--open" => plan.open = number(&word, &value()?)?,
                "--historic" => plan.historic = number(&word, &value()?)?,
                "--filed" => plan.filed = number(&word, &value()?)?,
                "--watched" => plan.watched = number(&word, &value()?)?,
                "--faults" => plan.faults = number(&word, &value()?)?,
                "--only" => plan.parts = parts(&value()?)?,
                _ => bail!("`{word}` is not known\n\n{USAGE}"),
            }
        }
        ensure!(small || !cfg!(debug_assertions), "a debug build says nothing: use `make bench-faults`, or --small");
        Ok(plan)
    }

    fn full() -> Self {
        Self {
            json: false,
            agents: 256,
            events: 400_000,
            storm: 10_000,
            open: 100_000,
            historic: 1_000_000,
            filed: 5_000,
            watched: 50_000,
            faults: 100_000,
            due: 200,
            asked: 300,
            parts: Part::ALL.to_vec(),
        }
    }

    fn small() -> Self {
        Self {
            agents: 4,
            events: 400,
            storm: 60,
            open: 200,
            historic: 1000,
            filed: 20,
            watched: 100,
            faults: 600,
            due: 5,
            asked: 10,
            ..Self::full()
        }
    }
}

fn number(word: &str, text: &str) -> anyhow::Result<u32> {
    let number = text.parse().ok().filter(|number| (1..=10_000_000).contains(number));
    number.with_context(|| format!("{word} must be a number from 1 to 10000000, not `{text}`"))
}

fn parts(text: &str) -> anyhow::Result<Vec<Part>> {
    let part = |name: &str| {
        let found = Part::ALL.into_iter().find(|part| part.name() == name);
        found.with_context(|| format!("`{name}` is no part: events, storm, lists, filing, pages and clocks are"))
    };
    text.split(',').map(part).collect()
}
