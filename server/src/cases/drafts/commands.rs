//! What was typed in a recorded session, read from its transcript.
//!
//! A command that was run without a terminal is a line `$ COMMAND`, and what a script sent into a shell is `< COMMAND`. What is typed into a
//! terminal stands behind the device's prompt, and prompts differ: `root@ne-1:~# `, `ZXR10(config)#`, `<Core-2>`, `[Core-2-GE0/0/1]`. A line
//! is taken for a command where the prompt can be told from output. What is typed where nothing is echoed is in no transcript.

use std::collections::{HashMap, HashSet};

/// A line of a transcript.
#[derive(Clone, Debug)]
pub struct Line {
    pub session: String,
    pub channel: u32,
    pub text: String,
}

/// Kept of all sessions of a fault.
const MOST: usize = 60;
/// Characters of one.
const LONGEST: usize = 300;
const LONGEST_PROMPT: usize = 64;
/// They say nothing about what helped.
const IDLE: &[&str] = &["exit", "quit", "logout", "clear", "history", "ls", "ll", "pwd", "cd", "q", "y", "n", "yes", "no"];
/// What is sent into these is a script; into others, data.
const SHELLS: &[&str] = &["sh", "bash", "ash", "dash", "ksh", "zsh", "csh", "tcsh", "busybox"];

/// The commands in their order, each once in a row.
pub fn of(lines: &[Line]) -> Vec<String> {
    let prompts = Prompts::of(lines);
    let mut scripts: HashMap<(&str, u32), bool> = HashMap::new();
    let mut commands: Vec<String> = Vec::new();
    for line in lines {
        let channel = (line.session.as_str(), line.channel);
        let run = line.text.strip_prefix("$ ").map(str::trim);
        let is_script = *scripts.entry(channel).or_insert_with(|| run.is_some_and(is_shell));
        let typed = match line.text.strip_prefix("< ") {
            Some(sent) => is_script.then_some(sent),
            None => run.or_else(|| prompts.typed(&line.text)),
        };
        let Some(command) = typed.map(str::trim).filter(|command| is_telling(command)) else { continue };
        let command: String = command.chars().take(LONGEST).collect();
        if commands.last() != Some(&command) {
            commands.push(command);
        }
    }
    commands.truncate(MOST);
    commands
}

fn is_shell(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or_default();
    SHELLS.contains(&program.rsplit('/').next().unwrap_or_default())
}

fn is_telling(command: &str) -> bool {
    let alone = command.split_whitespace().nth(1).is_none();
    command.chars().any(char::is_alphanumeric) && !(alone && IDLE.contains(&command)) && !(is_shell(command) && alone)
}

/// Prompts that need company to be believed: output may look like one, but not again and again.
struct Prompts {
    names: HashSet<String>,
}

impl Prompts {
    fn of(lines: &[Line]) -> Self {
        let mut seen: HashMap<&str, u32> = HashMap::new();
        for line in lines {
            if let Some((name, _)) = angle(&line.text).or_else(|| plain(&line.text)) {
                *seen.entry(base(name)).or_default() += 1;
            }
        }
        Self { names: seen.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name.to_owned()).collect() }
    }

    fn typed<'a>(&self, line: &'a str) -> Option<&'a str> {
        if let Some(command) = login(line) {
            return Some(command);
        }
        let known = |found: Option<(&'a str, &'a str)>| found.filter(|(name, _)| self.names.contains(base(name))).map(|(_, rest)| rest);
        known(angle(line)).or_else(|| known(square(line))).or_else(|| known(plain(line)))
    }
}

/// `Core-2` of `Core-2-GE0/0/1`, `ZXR10` of `ZXR10(config)`.
fn base(name: &str) -> &str {
    name.trim_start_matches(['~', '*']).split(['(', '/']).next().unwrap_or(name)
}

/// `root@ne-1:~# COMMAND`, `[root@ne-1 ~]$ COMMAND`.
fn login(line: &str) -> Option<&str> {
    let at = line.find('@').filter(|at| *at > 0 && *at < LONGEST_PROMPT)?;
    let name = line[..at].trim_start_matches('[');
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let end = line[at..].find(['#', '$', '%', '>']).map(|end| at + end).filter(|end| *end < 2 * LONGEST_PROMPT)?;
    let host = line[at + 1..end].split([':', ' ', ']']).next().unwrap_or_default();
    (is_name(name) && is_name(host)).then(|| &line[end + 1..])
}

/// `<Core-2>COMMAND`.
fn angle(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('<')?.split_once('>').filter(|(name, _)| is_device(name))
}

/// `[Core-2]COMMAND`.
fn square(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']').filter(|(name, _)| is_device(name))?;
    // Within a view the name has the view's behind it.
    let name = name.trim_start_matches(['~', '*']);
    Some((name.split_once("-GE").or_else(|| name.split_once("-gpon")).map_or(name, |(name, _)| name), rest))
}

/// `ZXR10#COMMAND`, `ZXR10(config-if)#COMMAND`, `olt>COMMAND`.
fn plain(line: &str) -> Option<(&str, &str)> {
    let end = line.find(['#', '>']).filter(|end| *end > 0)?;
    let name = &line[..end];
    let bare = name.split('(').next().unwrap_or(name);
    (is_device(bare) && (bare.len() == name.len() || name.ends_with(')'))).then(|| (bare, &line[end + 1..]))
}

fn is_device(name: &str) -> bool {
    let name = name.trim_start_matches(['~', '*']);
    (1..=LONGEST_PROMPT).contains(&name.len())
        && name.chars().any(|c| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(lines: &[&str]) -> Vec<String> {
        let lines: Vec<Line> = lines.iter().map(|text| Line { session: "s".into(), channel: 0, text: (*text).into() }).collect();
        of(&lines)
    }

    #[test]
    fn commands_are_told_from_what_devices_print() {
        assert_eq!(commands(&["$ show alarms", "fan-2 speed 0 rpm", "< not sent to a shell"]), ["show alarms"]);
        assert_eq!(commands(&["$ bash", "< fanctl reset 2", "fan-2: ok", "< exit"]), ["fanctl reset 2"]);
        assert_eq!(
            commands(&["root@ne-1:~# cat /proc/fan", "0 rpm", "root@ne-1:~# cat /proc/fan", "[admin@ne-1 ~]$ reboot"]),
            ["cat /proc/fan", "reboot"]
        );
        assert_eq!(
            commands(&["ZXR10#show version", "V5.1", "ZXR10#conf t", "ZXR10(config)#no shutdown", "ZXR10(config)#exit"]),
            ["show version", "conf t", "no shutdown"]
        );
        assert_eq!(
            commands(&["<Core-2>display alarm", "<Core-2>system-view", "[Core-2]interface GE0/0/1", "[Core-2-GE0/0/1]undo shutdown"]),
            ["display alarm", "system-view", "interface GE0/0/1", "undo shutdown"]
        );
    }

    #[test]
    fn output_that_looks_like_a_prompt_is_none() {
        assert!(commands(&["<head>text", "[INFO] started", "[    0.1] kernel", "rx> -28 dBm", "# a comment", "a@b.c wrote: x"]).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_transcript_breaks_it(lines in proptest::collection::vec(r"([<\[$#>@\]:() a-z0-9-]|风|\PC){0,40}", 0..20)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert!(commands(&lines).len() <= MOST);
        }
    }
}
