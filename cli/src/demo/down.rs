//! `demo down`: ends everything a demo started, whoever started it and however that ended.

use std::time::Duration;

use super::fleet::{self, GRACE, HOLDER};
use super::place::Place;
use super::{Down, Error, contexts, element, process};
use crate::output::Out;

/// The command that holds a demo ends all the others first, each with its grace.
const HOLDER_GRACE: Duration = Duration::from_secs(2 * GRACE.as_secs() + 15);

pub async fn down(args: &Down, out: &Out) -> Result<(), Error> {
    let place = Place::existing(args.place.dir.as_deref())?;
    if !place.is_demo() {
        // Said twice, it is as true as the first time; but not about a directory that is somebody else's.
        return if place.dir().exists() {
            Err(Error::NotOurs { dir: place.dir().to_owned() })
        } else {
            out.say(format!("there is no demo in {}", place.dir().display()));
            Ok(())
        };
    }
    let count = end(&place, out).await?;
    if args.keep {
        out.say(format!("{count} processes ended; the files stay in {}", place.dir().display()));
    } else {
        element::remove_outside(&place)?;
        place.remove()?;
        out.say(format!("{count} processes ended; {} is deleted", place.dir().display()));
    }
    Ok(())
}

/// Ends the processes of the demo in `place` and removes its contexts. Says how many were running.
pub async fn end(place: &Place, out: &Out) -> Result<usize, Error> {
    let processes = fleet::processes(place)?;
    let count = processes.iter().filter(|process| process.is_running()).count();
    let holder: Vec<_> = processes.iter().filter(|process| process.name == HOLDER).cloned().collect();
    process::end(&holder, HOLDER_GRACE).await;
    // Read again: it may have started more until it heard us.
    let rest: Vec<_> = processes.into_iter().chain(fleet::processes(place)?).filter(|process| process.name != HOLDER).collect();
    fleet::end(&rest, GRACE).await?;
    if let Err(error) = contexts::remove(place.dir()) {
        out.say(format!("the contexts of the demo stay: {error}"));
    }
    Ok(count)
}
