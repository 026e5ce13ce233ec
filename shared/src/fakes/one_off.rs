//! One-off tasks in memory: they start at once, and run until a test lets them end.

use async_trait::async_trait;

use super::{Fakes, samples};
use crate::check::CannotTell;
use crate::deployment::family_and_revision;
use crate::ports::{OneOffTasks, Started, Task, TaskOrder};

#[async_trait]
impl OneOffTasks for Fakes {
    async fn marked(&self, cluster: &str, mark: &str) -> Result<Vec<Task>, CannotTell> {
        let state = self.reach(&format!("tasks of {cluster} that {mark} started"))?;
        Ok(state.one_off_tasks.iter().filter(|(known, _)| known == mark).map(|(_, task)| task.clone()).collect())
    }

    async fn of_family(&self, cluster: &str, family: &str) -> Result<Vec<Task>, CannotTell> {
        let state = self.reach(&format!("tasks of {family} in {cluster}"))?;
        let every = state.tasks.values().flatten().chain(state.one_off_tasks.iter().map(|(_, task)| task));
        let of_family = |task: &&Task| family_and_revision(&task.task_definition).is_some_and(|(it, _)| it == family);
        Ok(every.filter(of_family).filter(|task| task.last_status != "STOPPED").cloned().collect())
    }

    async fn task(&self, _: &str, arn: &str) -> Result<Option<Task>, CannotTell> {
        let state = self.reach(&format!("task {arn}"))?;
        Ok(state.one_off_tasks.iter().find(|(_, task)| task.arn == arn).map(|(_, task)| task.clone()))
    }

    async fn start(&self, order: &TaskOrder) -> Result<Started, CannotTell> {
        let mut state = self.reach(&format!("start of a task of {}", order.task_definition))?;
        state.orders.push(order.clone());
        if let Some(instead) = state.not_started.pop_front() {
            return Ok(instead);
        }
        let set = samples::task_set("", &order.task_definition, "");
        let started_by = Some(order.mark.clone());
        let task = Task { addresses: Vec::new(), started_by, ..samples::task(&set, 99) };
        state.one_off_tasks.push((order.mark.clone(), task.clone()));
        Ok(Started::Task(Box::new(task)))
    }

    async fn stop(&self, _: &str, arn: &str, reason: &str) -> Result<(), CannotTell> {
        let mut state = self.reach(&format!("stop of task {arn}"))?;
        state.stops.push((arn.to_owned(), reason.to_owned()));
        Ok(())
    }
}
