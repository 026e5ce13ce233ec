//! What came of a rehearsal, for a pull request: GitHub's Markdown.

use std::fmt::Write as _;

use super::{HookOutcome, Outcome, in_words};

impl Outcome {
    /// A heading, how the deployment ended, what each hook said, and what users saw. Whatever comes from the service, its
    /// plan or a hook stands as code and is escaped: it can make no link, mention nobody and break no table.
    pub fn markdown(&self) -> String {
        let judged = match (self.expectations.is_empty(), self.as_expected) {
            (true, _) => "played",
            (false, true) => "as expected",
            (false, false) => "NOT as expected",
        };
        let mut text = format!("### {} by {}: {judged}\n\n", code(&self.scenario), self.carried_out_by());
        for disappointment in self.expectations.iter().filter_map(|it| it.instead.as_ref()) {
            let _ = writeln!(text, "- **not as expected**: {}", code(disappointment));
        }
        let _ = writeln!(text, "- the deployment **{}**{}", self.status, self.reason());
        let _ = match &self.rollback {
            Some(rollback) => writeln!(text, "- the rollback {}", rollback.status),
            None => writeln!(text, "- there was no rollback"),
        };
        let _ = writeln!(text, "- production is on {}", in_words(&self.production));
        let total = &self.ledger.total;
        let _ = writeln!(text, "- {} of {} production requests lost", total.lost, total.sent);
        if !self.hooks.is_empty() {
            text.push_str("\n| lifecycle event | hook | what it said | took |\n|---|---|---|---|\n");
            self.hooks.iter().for_each(|hook| text.push_str(&row(hook)));
        }
        let table = self.ledger.to_string();
        let _ =
            write!(text, "\n<details><summary>production requests</summary>\n\n```text\n{}\n```\n", table.trim_end());
        text.push_str("\n</details>\n");
        text
    }

    fn carried_out_by(&self) -> &'static str {
        if self.engine == "ecs" { "ECS" } else { "CodeDeploy" }
    }

    fn reason(&self) -> String {
        self.error.as_ref().map_or_else(String::new, |it| format!(" at {}: {}", self.ended_at, code(&it.message)))
    }
}

fn row(hook: &HookOutcome) -> String {
    let said = hook.first_line.as_ref().map_or_else(|| format!("nothing: it {}", hook.ended), |line| code(line));
    let took = hook.took_ms.map_or_else(String::new, |it| format!("{it} ms"));
    format!("| {} | {} | {said} | {took} |\n", hook.event.unwrap_or_default(), code(&hook.function))
}

/// Text of others. Markdown is active in inline HTML too, so what could be markup is written as numbers; GitHub looks for
/// mentions everywhere but in code.
fn code(text: &str) -> String {
    let mut code = String::from("<code>");
    for letter in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if letter.is_alphanumeric() || " .,:;%/=+-()'\"".contains(letter) {
            code.push(letter);
        } else {
            let _ = write!(code, "&#{};", u32::from(letter));
        }
    }
    code + "</code>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::LedgerSummary;
    use crate::outcome::ErrorOutcome;
    use crate::world::State;

    fn hook(first_line: Option<&str>) -> HookOutcome {
        HookOutcome {
            function: "CodeDeployHook_greenlight-before-install".to_owned(),
            deployment: None,
            event: Some("BeforeInstall"),
            ended: if first_line.is_some() { "returned" } else { "timed-out" },
            verdict: None,
            first_line: first_line.map(str::to_owned),
            report: None,
            cold: true,
            init_ms: None,
            took_ms: Some(7),
            peak_memory: None,
        }
    }

    fn outcome() -> Outcome {
        Outcome::of("a-scenario", "d-1", &State::default(), LedgerSummary::default())
    }

    #[test]
    fn what_a_hook_says_breaks_no_table_and_makes_no_link() {
        let foreign = "STOP  a | b\n| `c` @everybody <img src=x> [here](http://x) **bold** ~~gone~~ #1";
        let mut outcome = outcome();
        outcome.hooks = vec![hook(Some(foreign))];
        let text = outcome.markdown();
        let row = text.lines().find(|line| line.starts_with("| BeforeInstall")).expect("its row");
        assert_eq!(row.matches('|').count(), 5, "{row}");
        for active in ["`", "@", "<img", "[", "*", "~", " #1"] {
            assert!(!row.contains(active), "{active} in {row}");
        }
    }

    #[test]
    fn a_hook_that_said_nothing_is_told_with_its_end() {
        let mut outcome = outcome();
        outcome.hooks = vec![hook(None)];
        assert!(outcome.markdown().contains("| nothing: it timed-out | 7 ms |"), "{}", outcome.markdown());
    }

    #[test]
    fn what_failed_and_what_was_not_expected_stand_above_the_table() {
        let mut outcome = outcome();
        outcome.status = "Failed";
        outcome.ended_at = "AfterInstall".to_owned();
        outcome.error = Some(ErrorOutcome { code: None, message: "a hook said no".to_owned() });
        let expect = greenlight::document::parse("status: Succeeded", "expect").expect("an expectation");
        outcome.judge(&expect, "");
        let text = outcome.markdown();
        assert!(text.starts_with("### <code>a-scenario</code> by CodeDeploy: NOT as expected\n"), "{text}");
        assert!(text.contains("- the deployment **Failed** at AfterInstall: <code>a hook said no</code>\n"), "{text}");
        assert!(text.contains("- **not as expected**: <code>expected the deployment to end Succeeded"), "{text}");
    }
}
