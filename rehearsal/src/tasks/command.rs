//! The command line of a task.

use super::{Launch, LaunchCommand};
use crate::process::Command;
use crate::world::services::Container;

/// What a container runs in a task of a service, listening on `port`.
pub(super) fn of(container: &Container, launch: &Launch, port: u16) -> Command {
    let words = [container.wrapper.clone(), words(container, launch)].concat();
    let mut command = from(&words, container, launch);
    command.environment.insert(launch.port_variable.clone(), port.to_string());
    command
}

/// What it runs in a task that runs once, where nobody asks it anything: it has no port.
pub(super) fn once(container: &Container, launch: &Launch) -> Command {
    from(&words(container, launch), container, launch)
}

fn words(container: &Container, launch: &Launch) -> Vec<String> {
    let own = [container.entry_point.clone(), container.command.clone()].concat();
    match &launch.command {
        _ if !own.is_empty() => own,
        LaunchCommand::Shell(line) => vec!["sh".to_owned(), "-c".to_owned(), for_shell(line)],
        LaunchCommand::Program(words) => words.clone(),
    }
}

fn from(words: &[String], container: &Container, launch: &Launch) -> Command {
    let (program, arguments) = words.split_first().map_or(("", &[][..]), |(program, rest)| (program.as_str(), rest));
    let mut command = Command::new(program, arguments);
    command.environment.extend(launch.environment.clone());
    command.environment.extend(container.environment.clone());
    command.folder.clone_from(&launch.folder);
    command
}

/// As a person would type it.
pub(super) fn in_words(command: &Command) -> String {
    match (command.program.as_str(), command.arguments.as_slice()) {
        ("sh", [flag, line]) if flag == "-c" => line.strip_prefix("exec ").unwrap_or(line).to_owned(),
        (program, arguments) => {
            std::iter::once(program).chain(arguments.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
        }
    }
}

/// A simple command replaces its shell, so that the process that gets the signals and whose exit code counts is the
/// application itself, as in a container.
pub(crate) fn for_shell(line: &str) -> String {
    let first = line.split_whitespace().next().unwrap_or_default();
    let compound = line.contains([';', '&', '|', '\n', '(', '{', '`']);
    let not_a_program =
        first.contains('=') || ["exec", "cd", "if", "for", "while", "until", "case", ".", "!"].contains(&first);
    if compound || not_a_program || first.is_empty() { line.to_owned() } else { format!("exec {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simple_command_replaces_its_shell() {
        assert_eq!(for_shell("target/debug/app --quick"), "exec target/debug/app --quick");
    }

    #[test]
    fn a_compound_command_keeps_its_shell() {
        for line in ["cd app && npm start", "A=1 ./app", "exec ./app", "./app | tee log", "if true; then ./app; fi"] {
            assert_eq!(for_shell(line), line);
        }
    }
}
