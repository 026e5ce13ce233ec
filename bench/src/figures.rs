//! What was measured, as text: a table of medians, and each budget with what it came to.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cold_start::Sample;

/// All that was measured of one program.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) init: Vec<Duration>,
    pub(crate) answer: Vec<Duration>,
    pub(crate) peaks: Vec<u64>,
    /// Bytes of the binary and of its archive.
    pub(crate) size: Option<(u64, u64)>,
}

/// A hook with every AWS call delayed.
#[derive(Debug)]
pub(crate) struct Delayed {
    pub(crate) name: String,
    pub(crate) delay: Duration,
    pub(crate) calls: usize,
    pub(crate) chain: Vec<String>,
    pub(crate) took: Vec<Duration>,
}

impl Figures {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(crate) fn add(&mut self, sample: &Sample) {
        self.init.push(sample.init);
        self.answer.extend(sample.answer);
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
        "{:<28}{:>14}{:>14}{:>12}{:>12}{:>12}\n",
        "", "to first next", "to the answer", "peak RSS", "binary", "zip"
    );
    for figures in all {
        let _ = writeln!(
            text,
            "{:<28}{:>14}{:>14}{:>12}{:>12}{:>12}",
            figures.name,
            milliseconds(median(&figures.init)),
            milliseconds(median(&figures.answer)),
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
        at_most(1.1, "times the longest chain of delayed calls", late.max_by(|one, other| one.1.total_cmp(&other.1))),
    ]
    .concat()
}

impl Delayed {
    fn ratio(&self) -> Option<f64> {
        Some(quotient(median(&self.took)?, self.least()))
    }

    fn least(&self) -> Duration {
        self.delay * u32::try_from(self.chain.len()).unwrap_or(u32::MAX)
    }

    /// What was asked one after the other, and how long it took.
    pub(crate) fn line(&self) -> String {
        format!(
            "{}: {} calls, {} in the longest chain, {} ms at least, took {}\n  {}\n",
            self.name,
            self.calls,
            self.chain.len(),
            self.least().as_millis(),
            milliseconds(median(&self.took)),
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
        None => format!("not measured  {bound} {budget} {what}\n"),
        Some((hook, value)) => {
            let verdict = if is_within(value) { "within" } else { "BROKEN" };
            format!("{verdict:<12}  {bound} {budget} {what}: {value:.2} ({hook})\n")
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
            peaks: vec![peak],
            size: Some((archive * 2, archive)),
        }
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
BROKEN        at most 1.5 times a bare runtime, to the first next: 2.00 (slow-one)
within        at most 4 times a bare runtime, to the answer: 3.50 (slow-one)
within        at least 40 times faster than Python, to the answer: 80.00 (after-install)
within        at least 5 times less memory than Python: 6.71 (after-install)
BROKEN        at most 4 MB of archive: 5.00 (slow-one)
not measured  at most 1.1 times the longest chain of delayed calls
";
        assert_eq!(text, expected);
    }

    #[test]
    fn without_a_world_what_needs_one_is_not_measured() {
        let bare = figures("bare", 10, None, 3000, 500_000);
        let hooks = [figures("after-install", 11, None, 7000, 2_000_000)];
        let text = budgets(&bare, &hooks, &figures("python", 2000, None, 47_000, 0), "after-install", &[]);
        assert_eq!(text.matches("not measured").count(), 4);
    }
}
