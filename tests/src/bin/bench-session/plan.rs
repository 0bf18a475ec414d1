//! What is measured, how often and how large: from the command line.

use anyhow::{Context, bail, ensure};

const USAGE: &str = "bench-session [--small] [--json] [--cipher NAME] [--size-mib N] [--rounds N] [--keys N] [--sessions N] [--only PARTS]

  --small        seconds instead of minutes: its figures mean nothing (also SMOKE=1)
  --json         print the report that goes to session.json, instead of the table
  --cipher NAME  of every SSH connection, as `ssh -Q cipher` names it [default: aes128-gcm@openssh.com]
  --size-mib N   of one transfer [default: 1024]
  --rounds N     of first outputs; a sixth of that for transfers, at least one [default: 18]
  --keys N       typed on each road, 20 ms apart [default: 500]
  --sessions N   idle ones, on each road in its turn [default: 50]
  --only PARTS   of memory,first,echo,bulk, with commas";

/// One kind of measurement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Memory,
    First,
    Echo,
    Bulk,
}

impl Part {
    const ALL: [Self; 4] = [Self::Memory, Self::First, Self::Echo, Self::Bulk];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::First => "first",
            Self::Echo => "echo",
            Self::Bulk => "bulk",
        }
    }
}

pub struct Plan {
    pub json: bool,
    pub cipher: String,
    /// Of one transfer.
    pub size_mib: u32,
    /// Of first outputs.
    pub rounds: u32,
    pub bulk_rounds: u32,
    pub keys: u32,
    pub sessions: u32,
    /// Consents that are live beside the first one, each with what it keeps warm.
    pub consents: u32,
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
                "--cipher" => plan.cipher = value()?,
                "--size-mib" => plan.size_mib = number(&word, &value()?)?,
                "--rounds" => {
                    plan.rounds = number(&word, &value()?)?;
                    plan.bulk_rounds = (plan.rounds / 6).max(1);
                }
                "--keys" => plan.keys = number(&word, &value()?)?,
                "--sessions" => plan.sessions = number(&word, &value()?)?,
                "--only" => plan.parts = parts(&value()?)?,
                _ => bail!("`{word}` is not known\n\n{USAGE}"),
            }
        }
        ensure!(small || !cfg!(debug_assertions), "a debug build says nothing: use `make bench-session`, or --small");
        Ok(plan)
    }

    fn full() -> Self {
        Self {
            json: false,
            cipher: "aes128-gcm@openssh.com".to_owned(),
            size_mib: 1024,
            rounds: 18,
            bulk_rounds: 3,
            keys: 500,
            sessions: 50,
            consents: 16,
            parts: Part::ALL.to_vec(),
        }
    }

    fn small() -> Self {
        Self { size_mib: 4, rounds: 2, bulk_rounds: 1, keys: 10, sessions: 2, consents: 2, ..Self::full() }
    }
}

fn number(word: &str, text: &str) -> anyhow::Result<u32> {
    let number = text.parse().ok().filter(|number| (1..=100_000).contains(number));
    number.with_context(|| format!("{word} must be a number from 1 to 100000, not `{text}`"))
}

fn parts(text: &str) -> anyhow::Result<Vec<Part>> {
    let part = |name: &str| {
        let found = Part::ALL.into_iter().find(|part| part.name() == name);
        found.with_context(|| format!("`{name}` is no part: memory, first, echo and bulk are"))
    };
    text.split(',').map(part).collect()
}
