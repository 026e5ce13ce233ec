//! `migrations.task`: the team's own tool, run once before users reach the new version.

use serde::Deserialize;

use super::Reader;
use crate::document::{DocumentError, Mapping, Spanned, names_a_secret};
use crate::units::Span;

/// Characters that ECS allows for all overrides of a task, JSON's own included.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html>
const MOST_OVERRIDDEN: usize = 8192;

/// The team's own tool, as a task of the task definition that is being deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationTask {
    /// The container that the command is run in; the load balancer's where the plan names none.
    pub container: Option<String>,
    /// What it runs in place of its own command: a program and its arguments.
    pub command: Vec<String>,
    /// Variables that it gets beside its own.
    pub environment: Vec<(String, String)>,
    /// Longest time it may take; the function's own time where the plan says nothing.
    pub timeout: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct WrittenMigrationTask {
    /// The container that the command is run in; the one that the load balancer talks to when missing.
    container: Option<Spanned<String>>,
    /// What it runs in place of its own command, one word an entry: `[alembic, upgrade, head]`.
    command: Spanned<Vec<String>>,
    /// Variables that it gets beside its own. Never a secret: what is secret belongs into the task definition's `secrets`.
    #[serde(default)]
    environment: Mapping<Spanned<String>>,
    /// Longest time it may take, then it is stopped; as long as the function has when missing.
    timeout: Option<Spanned<Span>>,
}

impl Reader<'_> {
    pub(super) fn migration_task(
        &self,
        written: Spanned<WrittenMigrationTask>,
    ) -> Result<MigrationTask, DocumentError> {
        let Spanned { value: task, referenced: place, .. } = written;
        if let Some(container) = task.container.as_ref().filter(|it| it.value.trim().is_empty()) {
            self.judge.note(self.wrong(container.referenced, "this is a container's name; it is empty"));
        }
        if task.command.value.first().is_none_or(|program| program.trim().is_empty()) {
            let message = "expected a program and its arguments, such as [alembic, upgrade, head]";
            return Err(self.wrong(task.command.referenced, message));
        }
        if let Some(timeout) = task.timeout.as_ref().filter(|it| it.value.duration().is_zero()) {
            self.judge.note(self.wrong(timeout.referenced, "expected more than 0s"));
        }
        let environment = self.variables_of_the_task(task.environment);
        let overridden = serde_json::json!({ "command": task.command.value, "environment": environment });
        if overridden.to_string().len() > MOST_OVERRIDDEN {
            let message = format!(
                "ECS takes {MOST_OVERRIDDEN} characters of command and environment; put more into a file of the image"
            );
            return Err(self.wrong(place, message));
        }
        Ok(MigrationTask {
            container: task.container.map(|container| container.value),
            command: task.command.value,
            environment,
            timeout: task.timeout.map(|timeout| timeout.value),
        })
    }

    fn variables_of_the_task(&self, written: Mapping<Spanned<String>>) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        for (name, value) in written.0 {
            if name.value.is_empty() || name.value.contains(['=', '\0']) || name.value.contains(char::is_whitespace) {
                self.judge.note(self.wrong(name.referenced, "this is no name of a variable"));
            }
            // An ARN only says where a secret is.
            if names_a_secret(&name.value) && !value.value.starts_with("arn:") {
                let message = format!(
                    "`{}` looks like a secret in plain sight; give it to the container in its task definition's `secrets`",
                    name.value
                );
                self.judge.note(self.wrong(name.referenced, message));
            }
            variables.push((name.value, value.value));
        }
        variables
    }
}
