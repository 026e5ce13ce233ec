//! What a container wrote before its task stopped: asked for only where a row has to say why.

use std::time::Duration;

use super::words::quoted;
use crate::check::CheckContext;
use crate::ports::Task;
use crate::report::words::{chain, one_line};

/// Lines that are asked for; empty ones among them are left out.
const LINES: u16 = 10;

/// Characters that lines may take in a row beside all else that it says.
const ROOM: usize = 160;

/// How long a row waits for them.
const PATIENCE: Duration = Duration::from_secs(4);

/// `app's last lines: "…" "…"`, or why there are none; `None` where no container ran. Never an error: that a task
/// stopped is known without its log.
pub(super) async fn of(context: &CheckContext, task: &Task) -> Option<String> {
    let ended_badly = task.exit_codes.iter().find(|(_, code)| *code != 0);
    let (container, _) = ended_badly.or(task.exit_codes.first())?;
    Some(of_container(context, task, container).await)
}

/// The same of the container with this name, which ran.
pub async fn of_container(context: &CheckContext, task: &Task, container: &str) -> String {
    let told = tokio::time::timeout(PATIENCE, read(context, task, container)).await;
    told.unwrap_or_else(|_| format!("the log of {container} was not read: no answer in time"))
}

async fn read(context: &CheckContext, task: &Task, container: &str) -> String {
    let unread = |why: String| format!("the log of {container} was not read: {}", one_line(&why, ROOM));
    let definition = match context.ports.tasks().task_definition(&task.task_definition).await {
        Ok(definition) => definition,
        Err(error) => return unread(chain(&error)),
    };
    let described = definition.iter().flat_map(|it| &it.containers).find(|it| it.name == container);
    let log = described.and_then(|container| container.log.as_ref());
    let Some(stream) = log.and_then(|log| log.stream(container, &task.arn)) else {
        return format!("{container} does not log to CloudWatch with a stream prefix (awslogs)");
    };
    match context.ports.logs().last_lines(&stream, LINES).await {
        Ok(Some(lines)) => last(&lines)
            .map_or_else(|| format!("{container} wrote nothing"), |lines| format!("{container}'s last lines: {lines}")),
        Ok(None) => format!("log group {} has no stream {}", stream.group, stream.stream),
        Err(error) => unread(chain(&error)),
    }
}

/// The last lines, each quoted, as many as there is room for and at least one.
fn last(lines: &[String]) -> Option<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut room = ROOM;
    for line in lines.iter().rev().filter(|line| !line.trim().is_empty()) {
        let line = quoted(without_colours(line).as_bytes());
        let length = line.chars().count();
        if length > room && !kept.is_empty() {
            break;
        }
        room = room.saturating_sub(length);
        kept.push(line);
    }
    kept.reverse();
    (!kept.is_empty()).then(|| kept.join(" "))
}

/// Without a terminal's colours, `ESC [ … m`.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    for (number, piece) in line.split("\u{1b}[").enumerate() {
        let code = piece.find(|letter: char| !letter.is_ascii_digit() && letter != ';');
        match code {
            Some(end) if number > 0 && piece[end..].starts_with('m') => plain.push_str(&piece[end + 1..]),
            _ => plain.push_str(piece),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::of;
    use crate::fakes::{Fakes, deployment, task};
    use crate::ports::Task;
    use crate::stage::Stage;

    fn ended() -> Task {
        let exit_codes = vec![("proxy".to_owned(), 0), ("app".to_owned(), 3)];
        Task { exit_codes, ..task(&deployment().green.expect("green"), 30) }
    }

    async fn told(lines: &[&str]) -> String {
        let fakes = Fakes::well();
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        fakes.state().logs.insert("ecs/app/0000000000000000000000000000001e".to_owned(), lines);
        of(&fakes.context(Stage::AfterInstall), &ended()).await.expect("a container ended")
    }

    #[tokio::test]
    async fn the_last_lines_of_the_container_that_ended_badly_are_quoted_in_order() {
        let lines = ["starting", "", "\u{1b}[31merror\u{1b}[0m: no route to db.internal", "giving up"];
        assert_snapshot!(told(&lines).await, @r#"app's last lines: "starting" "error: no route to db.internal" "giving up""#);
    }

    /// P6.
    #[tokio::test]
    async fn secrets_are_cut_out_and_long_logs_are_cut_short() {
        let lines =
            ["DB_PASSWORD=hunter2", r#"{"msg":"no login","token":"hunter2"}"#, "postgres://a:hunter2@db/x refused"];
        let told_lines = told(&lines).await;
        assert!(!told_lines.contains("hunter2"), "{told_lines}");
        let long = "x".repeat(5000);
        let told_lines = told(&[&long, &long, &long]).await;
        assert!(told_lines.chars().count() < 200, "{told_lines}");
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_read_says_why() {
        let fakes = Fakes::well();
        let context = fakes.context(Stage::AfterInstall);
        assert_snapshot!(of(&context, &ended()).await.expect("a container ended"), @"log group /ecs/orders has no stream ecs/app/0000000000000000000000000000001e");
        fakes.state().task_definitions[1].containers[0].log = None;
        assert_snapshot!(of(&context, &ended()).await.expect("a container ended"), @"app does not log to CloudWatch with a stream prefix (awslogs)");
        fakes.state().unreachable = Some(false);
        assert_snapshot!(of(&context, &ended()).await.expect("a container ended"), @"the log of app was not read: task definition arn:aws:ecs:eu-central-1:123456789012:task-definition/orders:42: the call was refused");
        assert_eq!(told(&[""]).await, "app wrote nothing");
    }

    #[tokio::test]
    async fn a_task_whose_containers_never_ran_has_no_last_words() {
        let fakes = Fakes::well();
        let task = Task { exit_codes: Vec::new(), ..ended() };
        assert_eq!(of(&fakes.context(Stage::AfterInstall), &task).await, None);
    }
}
