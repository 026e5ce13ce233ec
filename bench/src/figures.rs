//! What was measured, as text: a table of medians, and each budget with what it came to.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cold_start::Sample;
use crate::migrations::Migrations;

/// All that was measured of one program.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) init: Vec<Duration>,
    pub(crate) answer: Vec<Duration>,
    pub(crate) waited: Vec<Duration>,
    pub(crate) cpu: Vec<Duration>,
    pub(crate) peaks: Vec<u64>,
    /// Bytes of the binary and of its archive.
    pub(crate) size: Option<(u64, u64)>,
}

/// A hook with every AWS call delayed.
///
/// What it takes longer for the delay is the number of calls that it waits for one after the other; its polls, its watch
/// over production, its requests and its database take as long in both.
#[derive(Debug)]
pub(crate) struct Delayed {
    pub(crate) name: String,
    pub(crate) delay: Duration,
    pub(crate) calls: usize,
    pub(crate) asked_twice: Vec<String>,
    pub(crate) chain: Vec<String>,
    /// From the event to the answer, with the delay and without.
    pub(crate) late: Vec<Duration>,
    pub(crate) prompt: Vec<Duration>,
}

impl Figures {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(crate) fn add(&mut self, sample: &Sample) {
        self.init.push(sample.init);
        self.answer.extend(sample.answer);
        self.waited.extend(sample.answer.map(|_| sample.waited));
        self.cpu.push(sample.cpu);
        self.peaks.push(sample.peak);
    }
}

/// The middle one, the upper of two.
pub(crate) fn median<T: Copy + Ord>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// The table of medians.
pub(crate) fn table(all: &[&Figures]) -> String {
    let mut text = format!(
        "{:<28}{:>14}{:>14}{:>12}{:>12}{:>12}{:>12}{:>12}\n",
        "", "to first next", "to the answer", "and waits", "CPU", "peak RSS", "binary", "zip"
    );
    for figures in all {
        let _ = writeln!(
            text,
            "{:<28}{:>14}{:>14}{:>12}{:>12}{:>12}{:>12}{:>12}",
            figures.name,
            milliseconds(median(&figures.init)),
            milliseconds(median(&figures.answer)),
            milliseconds(median(&figures.waited)),
            milliseconds(median(&figures.cpu)),
            median(&figures.peaks).map_or_else(dash, |kib| format!("{:.1} MiB", ratio(kib, 1024))),
            figures.size.map_or_else(dash, |(binary, _)| megabytes(binary)),
            figures.size.map_or_else(dash, |(_, archive)| megabytes(archive)),
        );
    }
    text
}

/// Each budget with what it came to: the worst hook counts.
pub(crate) fn budgets(bare: &Figures, hooks: &[Figures], python: &Figures, twin: &str, delayed: &[Delayed]) -> String {
    let times = |one: &[Duration], other: &[Duration]| Some(quotient(median(one)?, median(other)?));
    let worst = |of: &dyn Fn(&Figures) -> Option<f64>| {
        hooks
            .iter()
            .filter_map(|hook| Some((hook.name.as_str(), of(hook)?)))
            .max_by(|one, other| one.1.total_cmp(&other.1))
    };
    let twin = hooks.iter().find(|hook| hook.name == twin);
    let beside = |of: &dyn Fn(&Figures) -> Option<f64>| twin.and_then(|hook| Some((hook.name.as_str(), of(hook)?)));
    let memory = |hook: &Figures| {
        hook.answer.first()?;
        python.answer.first()?;
        Some(ratio(median(&python.peaks)?, median(&hook.peaks)?))
    };
    let late = delayed.iter().filter_map(|hook| Some((hook.name.as_str(), hook.ratio()?)));
    [
        at_most(1.5, "times a bare runtime, to the first next", worst(&|hook| times(&hook.init, &bare.init))),
        at_most(4.0, "times a bare runtime, to the answer", worst(&|hook| times(&hook.answer, &bare.answer))),
        at_least(40.0, "times faster than Python, to the answer", beside(&|hook| times(&python.answer, &hook.answer))),
        at_least(5.0, "times less memory than Python", beside(&memory)),
        at_most(4.0, "MB of archive", worst(&|hook| Some(ratio(hook.size?.1, 1_000_000)))),
        at_most(1.1, "times the longest chain of dependent calls", late.max_by(|one, other| one.1.total_cmp(&other.1))),
    ]
    .concat()
}

/// The two times and their budget.
pub(crate) fn migrations(measured: &Migrations) -> String {
    let (ours, psql) = (median(&measured.ours), median(&measured.psql));
    let found = ours.zip(psql).map(|(ours, psql)| ("before-allow-traffic", quotient(ours, psql)));
    format!(
        "150 small migrations over one connection in {}, by psql over one each in {}\n{}",
        milliseconds(ours),
        milliseconds(psql),
        at_most(1.3, "times psql, for 150 small migrations", found)
    )
}

impl Delayed {
    /// Delays that the hook waited for, one after the other.
    fn in_line(&self) -> Option<f64> {
        Some(quotient(median(&self.late)?.saturating_sub(median(&self.prompt)?), self.delay))
    }

    fn ratio(&self) -> Option<f64> {
        let chain = self.delay * u32::try_from(self.chain.len()).unwrap_or(u32::MAX);
        Some(self.in_line()? * quotient(self.delay, chain))
    }

    /// What was asked one after the other, and how long it took.
    pub(crate) fn line(&self) -> String {
        let twice = match self.asked_twice.as_slice() {
            [] => String::new(),
            operations => format!(", asked twice: {}", operations.join(", ")),
        };
        format!(
            "{}: {} calls{twice}; {} instead of {}, so {:.1} in line; {} in the longest chain\n  {}\n",
            self.name,
            self.calls,
            milliseconds(median(&self.late)),
            milliseconds(median(&self.prompt)),
            self.in_line().unwrap_or_default(),
            self.chain.len(),
            self.chain.join(" -> "),
        )
    }
}

type Found<'a> = Option<(&'a str, f64)>;

fn at_most(budget: f64, what: &str, found: Found<'_>) -> String {
    budget_line("at most", budget, what, found, |value| value <= budget)
}

fn at_least(budget: f64, what: &str, found: Found<'_>) -> String {
    budget_line("at least", budget, what, found, |value| value >= budget)
}

fn budget_line(bound: &str, budget: f64, what: &str, found: Found<'_>, is_within: impl Fn(f64) -> bool) -> String {
    match found {
        None => format!("none    {bound} {budget} {what}\n"),
        Some((hook, value)) => {
            let verdict = if is_within(value) { "OK" } else { "BROKEN" };
            format!("{verdict:<6}  {bound} {budget} {what}: {value:.2} ({hook})\n")
        }
    }
}

fn quotient(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other as f64
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map_or_else(dash, |time| format!("{:.1} ms", time.as_secs_f64() * 1000.0))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", ratio(bytes, 1_000_000))
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(name: &str, init: u64, answer: Option<u64>, peak: u64, archive: u64) -> Figures {
        Figures {
            name: name.to_owned(),
            init: vec![Duration::from_millis(init)],
            answer: answer.map(Duration::from_millis).into_iter().collect(),
            waited: Vec::new(),
            cpu: Vec::new(),
            peaks: vec![peak],
            size: Some((archive * 2, archive)),
        }
    }

    #[test]
    fn migrations_are_judged_by_the_medians() {
        let times = |times: [u64; 3]| times.map(Duration::from_millis).to_vec();
        let measured = Migrations { ours: times([900, 520, 510]), psql: times([400, 390, 2600]) };
        assert_eq!(
            migrations(&measured),
            "150 small migrations over one connection in 520.0 ms, by psql over one each in 400.0 ms\nOK      at most 1.3 times \
             psql, for 150 small migrations: 1.30 (before-allow-traffic)\n"
        );
    }

    #[test]
    fn the_median_is_no_outlier() {
        assert_eq!(median(&[9, 1, 2]), Some(2));
        assert_eq!(median::<u64>(&[]), None);
    }

    #[test]
    fn a_budget_is_judged_by_the_worst_hook_and_names_it() {
        let bare = figures("bare", 10, Some(10), 3000, 500_000);
        let python = figures("python", 2000, Some(2400), 47_000, 0);
        let hooks = [
            figures("after-install", 11, Some(30), 7000, 2_000_000),
            figures("slow-one", 20, Some(35), 7000, 5_000_000),
        ];
        let text = budgets(&bare, &hooks, &python, "after-install", &[]);
        let expected = "\
BROKEN  at most 1.5 times a bare runtime, to the first next: 2.00 (slow-one)
OK      at most 4 times a bare runtime, to the answer: 3.50 (slow-one)
OK      at least 40 times faster than Python, to the answer: 80.00 (after-install)
OK      at least 5 times less memory than Python: 6.71 (after-install)
BROKEN  at most 4 MB of archive: 5.00 (slow-one)
none    at most 1.1 times the longest chain of dependent calls
";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_delay_itself_is_measured_and_not_what_the_hook_does_between_its_calls() {
        let milliseconds = |times: &[u64]| times.iter().map(|time| Duration::from_millis(*time)).collect::<Vec<_>>();
        let delayed = Delayed {
            name: "after-install".to_owned(),
            delay: Duration::from_millis(50),
            calls: 9,
            asked_twice: vec!["DescribeTaskDefinition".to_owned()],
            chain: ["GetDeployment", "DescribeServices", "Put"].map(str::to_owned).to_vec(),
            late: milliseconds(&[1230, 1220, 1900]),
            prompt: milliseconds(&[1030, 1020, 1040]),
        };
        assert_eq!(
            delayed.line(),
            "after-install: 9 calls, asked twice: DescribeTaskDefinition; 1230.0 ms instead of 1030.0 ms, so 4.0 in line; \
             3 in the longest chain\n  GetDeployment -> DescribeServices -> Put\n"
        );
        let text = budgets(&Figures::default(), &[], &Figures::default(), "after-install", &[delayed]);
        assert!(
            text.ends_with("BROKEN  at most 1.1 times the longest chain of dependent calls: 1.33 (after-install)\n")
        );
    }
}
