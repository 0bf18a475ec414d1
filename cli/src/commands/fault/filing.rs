//! Search is filing: before a fault is filed, similar cases and open faults that may be the same are shown, and one key says what they
//! are worth. Whoever can't be asked is shown them and files.

use std::io::Write;
use std::os::fd::AsFd;

use lineman_common::api::{
    Cited, Fault, LinkVerdict, NewDeflection, NewFault, NewLink, NewOffer, NewSignals, Note, OfferPlace, Shown, Suggestions, Typed,
};
use lineman_common::error::ErrorCode;
use lineman_common::name::CaseNumber;

use super::show;
use crate::client::{Client, ClientError};
use crate::commands::{App, case};
use crate::exit::{Exit, Failure};
use crate::output::{Format, Out};
use crate::prompt::{self, Raw};

/// Suggestions that a digit can name.
const MOST: usize = 5;

/// What the person at the terminal made of the suggestions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// File it, whatever was shown.
    File,
    /// File it, and cite this case, counted from 0.
    Cite(usize),
    /// The case solved it: nothing is filed.
    Solved(usize),
    /// It is the same as this open fault: nothing is filed, and the text goes there.
    Join(usize),
    NoneFits,
    /// Nothing is filed.
    Leave,
}

/// What comes of filing.
pub enum Filed {
    Fault(Box<Fault>),
    /// A case solved it.
    Solved(CaseNumber),
    /// It went into an open fault.
    Joined(Box<Fault>),
}

/// Shows what fits, asks if somebody can be asked, and files.
pub async fn file(app: &App, client: &Client, new: &NewFault, asks: bool) -> Result<Filed, Failure> {
    let text = format!("{}\n{}", new.title.raw(), new.description.raw());
    let equipment = new.equipment.as_ref().map(ToString::to_string);
    let typed = Typed { text: text.trim().into(), equipment, customer: new.customer.clone(), limit: u32::try_from(MOST).ok() };
    // A library that can't be asked must not keep anybody from filing a fault.
    let found = match client.suggest(&typed).await {
        Ok(found) => found,
        Err(error) => {
            app.say(format!("no similar cases could be shown: {error}"));
            return Ok(Filed::Fault(Box::new(client.new_fault(new).await?)));
        }
    };
    say(app, &found);
    let key = if asks && prompt::is_interactive() && !app.out.is_json() { ask(&found)? } else { Key::File };
    let mut offer = offered(new, &typed, &found);
    let filed = match key {
        Key::Leave => return Err(Failure::new(Exit::Interrupted, "nothing was filed")),
        Key::Solved(at) => {
            let case = found.items[at].number;
            offer.cited.push(Cited { case, verdict: LinkVerdict::Solved });
            tell(app, client, &offer).await;
            let question = new.title.clone();
            let deflection =
                NewDeflection { question, equipment: new.equipment.clone(), customer: new.customer.clone(), offer: Some(found.offer) };
            client.deflect(&case.to_string(), &deflection).await?;
            return Ok(Filed::Solved(case));
        }
        Key::Join(at) => {
            let note = Note { text: text.trim().into(), internal: false };
            let fault = client.note(&found.duplicates[at].number.to_string(), &note).await?;
            offer.fault = Some(fault.number.clone());
            Filed::Joined(Box::new(fault))
        }
        Key::File | Key::Cite(_) | Key::NoneFits => {
            let fault = client.new_fault(new).await?;
            offer.fault = Some(fault.number.clone());
            Filed::Fault(Box::new(fault))
        }
    };
    if let (Key::Cite(at), Filed::Fault(fault)) = (key, &filed) {
        let case = found.items[at].number;
        offer.cited.push(Cited { case, verdict: LinkVerdict::Helped });
        cite(app, client, fault, case).await;
    }
    offer.none_fits = key == Key::NoneFits;
    tell(app, client, &offer).await;
    Ok(filed)
}

/// The fault is filed by now: a link that can't be made is said, and nothing more.
async fn cite(app: &App, client: &Client, fault: &Fault, case: CaseNumber) {
    let link = NewLink { fault: fault.number.clone(), verdict: LinkVerdict::Helped, reason: None };
    match client.link_case(&case.to_string(), &link).await {
        Ok(_) => app.say(format!("{case} is cited on {}", fault.number)),
        // Links are the support centre's; what was said is stored as a signal.
        Err(ClientError::Problem(problem)) if problem.code == ErrorCode::Forbidden => {}
        Err(error) => app.say(format!("{case} could not be cited: {error}")),
    }
}

/// Signals are for learning; that they could not be stored is nobody's trouble here.
async fn tell(app: &App, client: &Client, offer: &NewOffer) {
    if let Err(error) = client.tell_signals(&NewSignals { offers: vec![offer.clone()] }).await {
        app.say(format!("what became of the suggestions could not be stored: {error}"));
    }
}

fn offered(new: &NewFault, typed: &Typed, found: &Suggestions) -> NewOffer {
    NewOffer {
        offer: found.offer,
        place: OfferPlace::Filing,
        query: typed.text.clone(),
        fault: None,
        equipment: new.equipment.clone(),
        shown: found.items.iter().map(|hit| Shown { case: hit.number, score: hit.score }).collect(),
        opened: Vec::new(),
        cited: Vec::new(),
        none_fits: false,
    }
}

fn say(app: &App, found: &Suggestions) {
    show::say_hits(app, "similar cases, before you file:", &found.items);
    if !found.duplicates.is_empty() && !app.out.is_json() {
        let talk = Out { format: Format::Table, colour: app.out.colour && app.out.is_terminal(), ..app.out.clone() };
        app.say(format!("open faults that may be the same:\n{}", talk.table(&case::duplicates_table(&found.duplicates)).trim_end()));
    }
}

/// One key, or two: `s` and `d` want a number where there are several.
fn ask(found: &Suggestions) -> Result<Key, Failure> {
    let (cases, open) = (found.items.len().min(MOST), found.duplicates.len().min(MOST));
    if cases == 0 && open == 0 {
        return Ok(Key::File);
    }
    let failed = |e: std::io::Error| Failure::failed(format!("can't read a key: {e}"));
    let tty = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let mut raw = Raw::new(tty.into()).map_err(failed)?;
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{} ", question(cases, open));
    let _ = stderr.flush();
    let mut keys = Keys::default();
    let key = loop {
        let Some(byte) = raw.key().map_err(failed)? else { break Key::Leave };
        if let Some(key) = keys.press(byte, cases, open) {
            break key;
        }
    };
    let _ = stderr.write_all(b"\n");
    Ok(key)
}

fn question(cases: usize, open: usize) -> String {
    let upto = |count: usize| if count == 1 { "1".to_owned() } else { format!("1-{count}") };
    let mut parts = Vec::new();
    if cases > 0 {
        parts.push(format!("[{}] this is it: file and cite", upto(cases)));
        parts.push(if cases == 1 {
            "[s] it solved it, file nothing".into()
        } else {
            format!("[s {}] it solved it, file nothing", upto(cases))
        });
        parts.push("[n] none fits".into());
    }
    if open > 0 {
        parts.push(if open == 1 {
            "[d] the same as the open fault: join it".into()
        } else {
            format!("[d {}] the same as that open fault: join it", upto(open))
        });
    }
    parts.push("[Enter] file".into());
    parts.push("[q] leave".into());
    format!("{}?", parts.join("  "))
}

/// The keys so far.
#[derive(Debug, Default)]
struct Keys {
    begun: Option<u8>,
}

impl Keys {
    fn press(&mut self, key: u8, cases: usize, open: usize) -> Option<Key> {
        let digit = |most: usize| (b'1'..=b'9').contains(&key).then(|| usize::from(key - b'1')).filter(|at| *at < most);
        match (self.begun, key) {
            (_, prompt::CTRL_C | b'q') => Some(Key::Leave),
            (Some(b's'), _) => digit(cases).map(Key::Solved),
            (Some(_), _) => digit(open).map(Key::Join),
            (None, b'\r' | b'\n') => Some(Key::File),
            (None, b'n') if cases > 0 => Some(Key::NoneFits),
            (None, b's') if cases == 1 => Some(Key::Solved(0)),
            (None, b'd') if open == 1 => Some(Key::Join(0)),
            (None, b's') if cases > 1 => self.begin(key),
            (None, b'd') if open > 1 => self.begin(key),
            (None, _) => digit(cases).map(Key::Cite),
        }
    }

    fn begin(&mut self, key: u8) -> Option<Key> {
        self.begun = Some(key);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(keys: &str, cases: usize, open: usize) -> Option<Key> {
        let mut state = Keys::default();
        keys.bytes().find_map(|key| state.press(key, cases, open))
    }

    #[test]
    fn one_key_says_what_a_suggestion_is_worth() {
        assert_eq!(pressed("2", 3, 0), Some(Key::Cite(1)));
        assert_eq!(pressed("\r", 3, 2), Some(Key::File));
        assert_eq!(pressed("n", 3, 0), Some(Key::NoneFits));
        assert_eq!(pressed("s", 1, 0), Some(Key::Solved(0)));
        assert_eq!(pressed("s2", 3, 0), Some(Key::Solved(1)));
        assert_eq!(pressed("d", 0, 1), Some(Key::Join(0)));
        assert_eq!(pressed("d2", 0, 2), Some(Key::Join(1)));
        assert_eq!(pressed("q", 3, 2), Some(Key::Leave));
        assert_eq!(pressed("d\u{3}", 0, 2), Some(Key::Leave));
    }

    #[test]
    fn other_keys_and_numbers_of_nothing_do_nothing() {
        for keys in ["4", "0", "x", "d", "s4", "d3 ", "\u{1b}[A"] {
            assert_eq!(pressed(keys, 3, 2), None, "{keys:?}");
        }
        assert_eq!(pressed("n", 0, 1), None, "nothing was shown that could fit");
    }
}
