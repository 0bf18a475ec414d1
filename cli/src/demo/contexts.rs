//! One context per person in the client's configuration, so that `LINEMAN_CONTEXT=demo-engineer-a lineman ...` acts as them.
//!
//! Only contexts named `demo-...` are written, and only those that trust this demo's own CA file are removed; the user's
//! others stay as they are, and so does the current one, unless there is none.

use std::path::{Path, PathBuf};

use super::place::Place;
use super::plan::{CONTEXT_PREFIX, FIRST};
use super::process::Process;
use super::{Description, Error, fleet};
use crate::context::{Config, Context, Env, Secret};

/// Writes the contexts, unless another demo that still runs has them: then its place is answered, and nothing is changed.
pub fn write(demo: &Description) -> Result<Option<PathBuf>, Error> {
    let path = Env::of_process().config_file()?;
    let mut config = Config::load(&path)?;
    if let Some(other) = owner(&config).filter(|other| *other != demo.dir && runs(other)) {
        return Ok(Some(other));
    }
    put(&mut config, demo)?;
    config.save(&path)?;
    Ok(None)
}

/// The demo that the contexts belong to now.
fn owner(config: &Config) -> Option<PathBuf> {
    let context = config.contexts.get(&format!("{CONTEXT_PREFIX}{FIRST}"))?;
    let ca = context.ca.as_deref()?;
    ca.ends_with("server/ca.pem").then(|| ca.parent()?.parent().map(Path::to_owned)).flatten()
}

fn runs(dir: &Path) -> bool {
    let processes = Place::new(Some(dir)).and_then(|place| fleet::processes(&place));
    processes.is_ok_and(|processes| processes.iter().any(Process::is_running))
}

/// Removes the contexts of the demo whose CA is in `dir`.
pub fn remove(dir: &Path) -> Result<(), Error> {
    let path = Env::of_process().config_file()?;
    let mut config = Config::load(&path)?;
    if take(&mut config, dir) {
        config.save(&path)?;
    }
    Ok(())
}

fn put(config: &mut Config, demo: &Description) -> Result<(), Error> {
    for person in &demo.people {
        let context = Context {
            server: demo.server.clone(),
            ca: Some(demo.ca.clone()),
            token: Some(Secret::new(person.token.clone())),
            key: person.key.clone(),
            trust: Some(person.trust.clone()),
        };
        config.set(&person.context, context)?;
    }
    if config.current.is_none() {
        config.current = Some(format!("{CONTEXT_PREFIX}{FIRST}"));
    }
    Ok(())
}

/// Says whether anything changed.
fn take(config: &mut Config, dir: &Path) -> bool {
    let before = config.contexts.len();
    config
        .contexts
        .retain(|name, context| !(name.starts_with(CONTEXT_PREFIX) && context.ca.as_ref().is_some_and(|ca| ca.starts_with(dir))));
    if config.current.as_ref().is_some_and(|name| name.starts_with(CONTEXT_PREFIX) && !config.contexts.contains_key(name)) {
        config.current = None;
    }
    before != config.contexts.len()
}

#[cfg(test)]
mod tests {
    use super::super::tests::description;
    use super::*;

    #[test]
    fn the_users_own_contexts_are_left_alone() {
        let mine = Context { server: "https://centre.example".into(), ..Context::default() };
        let mut config = Config { current: Some("work".into()), ..Config::default() };
        config.set("work", mine.clone()).unwrap();
        config.set("demo-mine", mine.clone()).unwrap();
        let before = config.clone();
        put(&mut config, &description("/d/demo")).unwrap();
        assert_eq!(config.current.as_deref(), Some("work"));
        assert_eq!(config.get("demo-engineer-a").unwrap().ca.as_deref(), Some(Path::new("/d/demo/server/ca.pem")));
        assert!(!take(&mut config, Path::new("/d/another")));
        assert!(take(&mut config, Path::new("/d/demo")));
        assert_eq!(config, before);
    }

    #[test]
    fn without_a_current_context_the_engineer_becomes_it_and_goes_again() {
        let mut config = Config::default();
        put(&mut config, &description("/d/demo")).unwrap();
        assert_eq!(config.current.as_deref(), Some("demo-engineer-a"));
        assert!(take(&mut config, Path::new("/d/demo")));
        assert_eq!(config, Config::default());
    }
}
