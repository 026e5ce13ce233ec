//! The figures of a soak.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rehearsal::endurance::{Course, Growth, Judged, Usage, open_files};

const MIB: f64 = 1024.0 * 1024.0;

/// What the memory of a warm hook may grow by: what an allocator keeps differs from run to run.
const MEMORY: Growth = Growth { percent: 3, constant: 1024 * 1024 };
/// Processes of a hook that may serve deployments one after the other. A second one is started where a rollback calls the hook
/// that has just answered, and has not returned yet.
const IN_A_ROW: usize = 2;
/// What its open files may grow by: connections come and go.
const FILES: Growth = Growth { percent: 0, constant: 3 };
/// The same of the rehearsal, which holds the other ends of everybody's connections.
const OWN_FILES: Growth = Growth { percent: 5, constant: 10 };

/// How many deployments there were, and what hooks answered.
#[derive(Default)]
pub(super) struct Answers {
    deployments: usize,
    wrong_deployments: usize,
    answers: usize,
    wrong: usize,
    /// How many invocations each process of each function has served.
    processes: BTreeMap<String, BTreeMap<u32, usize>>,
}

impl Answers {
    pub(super) fn add(&mut self, judged: &Judged) {
        self.deployments += 1;
        self.wrong_deployments += usize::from(!judged.faults.is_empty());
        self.answers += judged.answers;
        self.wrong += judged.wrong_answers;
        for (function, process) in &judged.served {
            *self.processes.entry(function.clone()).or_default().entry(*process).or_default() += 1;
        }
    }

    /// In one line.
    pub(super) fn text(&self, what: &str) -> String {
        let Self { deployments, wrong_deployments, answers, wrong, processes } = self;
        let counts: Vec<String> =
            processes.iter().map(|(name, ids)| format!("{} of {}", ids.len(), short(name))).collect();
        format!(
            "{what}: {deployments} deployments, {wrong_deployments} wrong; {answers} answers, {wrong} wrong; processes: {}",
            counts.join(", ")
        )
    }

    /// Functions with more processes than may work at a time.
    pub(super) fn crowded(&self, most: usize) -> Vec<String> {
        let crowded = self.processes.iter().filter(|(_, ids)| ids.len() > most);
        crowded.map(|(name, ids)| format!("{name} had {} processes, {most} may be", ids.len())).collect()
    }
}

/// What a hook's process held after each deployment.
#[derive(Default)]
struct Held {
    memory: Course,
    files: Course,
}

/// Of deployments in a row.
#[derive(Default)]
pub(super) struct Figures {
    answers: Answers,
    hooks: BTreeMap<(String, u32), Held>,
    own_files: Course,
}

impl Figures {
    /// Adds a deployment that is over, and looks at what everybody holds now.
    pub(super) fn add(&mut self, judged: &Judged) -> Result<()> {
        self.answers.add(judged);
        self.own_files.push(open_files().context("this needs /proc")? as u64);
        for (function, processes) in &self.answers.processes {
            for process in processes.keys() {
                let held = self.hooks.entry((function.clone(), *process)).or_default();
                if let Some(usage) = Usage::of(*process) {
                    held.memory.push(usage.memory);
                    held.files.push(usage.files as u64);
                }
            }
        }
        Ok(())
    }

    pub(super) fn text(&self) -> String {
        let moments = ["first", "middle", "last"].map(|word| format!("{word:>8}")).concat();
        let mut lines = vec![
            self.answers.text("one after the other"),
            format!("{:<26}{:>8}{:>24}{:>28}", "", "", "resident memory in MiB", "open files"),
            format!("{:<26}{:>8}{moments}    {moments}", "warm hook", "answers"),
        ];
        for ((name, process), held) in &self.hooks {
            let (Some(memory), Some(files)) = (held.memory.ends(), held.files.ends()) else { continue };
            let answers = self.answers.processes[name][process];
            let memory = memory.map(|bytes| format!("{:>8.1}", bytes as f64 / MIB)).concat();
            let files = files.map(|files| format!("{files:>8}")).concat();
            lines.push(format!("{:<26}{answers:>8}{memory}    {files}", short(name)));
        }
        if let Some(files) = self.own_files.ends() {
            let files = files.map(|files| format!("{files:>8}")).concat();
            lines.push(format!("{:<26}{:>8}{:>24}    {files}", "the rehearsal itself", "", ""));
        }
        lines.join("\n")
    }

    /// What has grown, and hooks that did not stay warm.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = self.answers.crowded(IN_A_ROW);
        for ((name, _), held) in &self.hooks {
            if let Some((before, after)) = held.memory.grown(MEMORY) {
                let [before, after] = [before, after].map(|bytes| bytes as f64 / MIB);
                wrong.push(format!("the memory of {name} has grown from {before:.1} to {after:.1} MiB"));
            }
            if let Some((before, after)) = held.files.grown(FILES) {
                wrong.push(format!("{name} has {after} files open, {before} before"));
            }
        }
        if let Some((before, after)) = self.own_files.grown(OWN_FILES) {
            wrong.push(format!("the rehearsal has {after} files open, {before} before"));
        }
        wrong
    }
}

fn short(function: &str) -> &str {
    function.strip_prefix("CodeDeployHook_greenlight-").unwrap_or(function)
}
