use clap::{Command, CommandFactory, Parser};

use super::Cli;

/// Every command of the tree, with the words that lead to it.
fn all(command: &Command, words: &str) -> Vec<(String, Command)> {
    let mut found = vec![(words.to_owned(), command.clone())];
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        found.extend(all(sub, &format!("{words} {}", sub.get_name())));
    }
    found
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_tree_is_as_it_was() {
    let tree: Vec<_> = all(&Cli::command(), "lineman")
        .into_iter()
        .map(|(words, command)| format!("{words}: {}", command.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    insta::assert_snapshot!(tree.join("\n"));
}

#[test]
fn every_command_says_what_it_does_and_has_examples() {
    for (words, command) in all(&Cli::command(), "lineman") {
        assert!(command.get_about().is_some(), "{words} does not say what it does");
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(examples.contains("Examples:\n"), "{words} has no examples");
        assert!(examples.contains("  lineman "), "{words} has no examples");
    }
}

#[test]
fn every_example_is_a_command_that_exists() {
    for (words, command) in all(&Cli::command(), "lineman") {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in examples.lines().filter_map(|line| line.strip_prefix("  lineman ")) {
            let arguments = shell_words(&format!("lineman {line}"));
            match Cli::try_parse_from(&arguments) {
                Ok(_) => {}
                Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => {}
                Err(error) => panic!("{words}: `{line}` does not parse: {error}"),
            }
        }
    }
}

/// The words of an example as a shell would pass them on, up to the first pipe, redirection or next command.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            '|' | '>' | '<' | '&' | '#' if !quoted => return words,
            c => word.push(c),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

#[test]
fn no_secret_can_be_given_as_an_argument() {
    for (words, command) in all(&Cli::command(), "lineman") {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let takes_value = argument.get_action().takes_values();
            assert!(!(takes_value && (name.contains("token") || name.contains("password"))), "{words} takes a secret: {name}");
        }
    }
}

#[test]
fn global_options_are_taken_before_and_after_the_command() {
    for line in ["lineman -o json fault list", "lineman fault list -o json", "lineman fault -o json list"] {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(cli.global.output.as_deref(), Some("json"), "{line}");
    }
}

#[test]
fn what_follows_a_device_goes_to_ssh() {
    let cli = Cli::try_parse_from(["lineman", "ssh", "ne-1.jw.ne", "-t", "ne", "-o", "x", "--context", "y"]).unwrap();
    let super::Command::Ssh(_) = cli.command else { panic!("not ssh") };
    assert_eq!((cli.global.output, cli.global.context), (None, None));
}

#[test]
fn completion_scripts_are_made_for_every_shell() {
    for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "lineman", &mut script);
        assert!(String::from_utf8(script).unwrap().contains("consent"), "{shell}");
    }
}
