//! Checks are asked side by side; these one after the other: what judges the migrations, what applies them, and what makes
//! sense only once the database is as the new version needs it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext, Waits};
use greenlight::deployment::AnyDeployment;
use greenlight::plan::{Plan, Severity};
use serde_json::Value;

/// How often it is looked whether the check before has answered.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Each is asked once the one before it has answered for good: with yes, or with anything where the plan says that it only
/// advises. Behind another answer nothing is asked any more.
pub fn in_order<D: AnyDeployment>(plan: &Plan, checks: Vec<Box<dyn Check<D>>>) -> Vec<Box<dyn Check<D>>> {
    let mut before: Option<Before> = None;
    let mut ordered: Vec<Box<dyn Check<D>>> = Vec::new();
    for check in checks {
        let (id, gate) = (check.id(), Gate::default());
        let advises = plan.severity(id) == Severity::Advisory;
        ordered.push(Box::new(InOrder { check, before: before.take(), gate: gate.clone(), advises }));
        before = Some(Before { id, gate });
    }
    ordered
}

/// Whether the next check may be asked, and when there is news of that. Clones are the same gate.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<Opening>>);

#[derive(Clone, Copy, Default)]
struct Opening {
    is_open: bool,
    /// When the check before is asked again.
    again_in: Duration,
    /// Whether another invocation may ask it.
    elsewhere: bool,
}

impl Gate {
    fn is(&self) -> Opening {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, opening: Opening) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = opening;
    }
}

/// The check that goes before.
struct Before {
    id: &'static str,
    gate: Gate,
}

struct InOrder<D: AnyDeployment> {
    check: Box<dyn Check<D>>,
    before: Option<Before>,
    gate: Gate,
    advises: bool,
}

#[async_trait]
impl<D: AnyDeployment> Check<D> for InOrder<D> {
    fn id(&self) -> &'static str {
        self.check.id()
    }

    fn question(&self) -> String {
        self.check.question()
    }

    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell> {
        if let Some(Before { id, gate }) = &self.before
            && let Opening { is_open: false, again_in, elsewhere } = gate.is()
        {
            let remedy = format!("Read what became of {id}.");
            // What is waited for elsewhere is not asked again here.
            let pause = match context.waits {
                Waits::Elsewhere { .. } if elsewhere => again_in.max(LOOK_AGAIN),
                _ => LOOK_AGAIN,
            };
            return Ok(Answer::not_yet(format!("not begun: {id} comes first"), pause, remedy));
        }
        let answer = self.check.ask(context).await;
        self.gate.set(match &answer {
            Ok(Answer::Yes { .. }) => Opening { is_open: true, ..Opening::default() },
            Ok(Answer::NotYet { again_in, .. }) => {
                Opening { is_open: false, again_in: *again_in, elsewhere: self.check.remember().is_some() }
            }
            Err(CannotTell { transient: true, .. }) => Opening::default(),
            Ok(Answer::No { .. }) | Err(_) => Opening { is_open: self.advises, ..Opening::default() },
        });
        answer
    }

    /// The next one stands on what this one did in the same invocation.
    fn is_asked_anew(&self) -> bool {
        true
    }

    /// As long as the one before it is asked, or waits in this invocation only, this one does too.
    fn remember(&self) -> Option<Value> {
        match self.before.as_ref().map(|before| before.gate.is()) {
            Some(Opening { is_open: false, elsewhere, .. }) => elsewhere.then_some(Value::Null),
            _ => self.check.remember(),
        }
    }

    fn recall(&self, remembered: &Value) {
        self.check.recall(remembered);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use greenlight::Stage;
    use greenlight::deployment::FunctionDeployment;
    use greenlight::fakes::{Fakes, function_deployment};

    use super::*;

    /// Gives these answers, one after the other.
    struct Says(&'static str, Mutex<Vec<Result<Answer, CannotTell>>>);

    impl Says {
        fn boxed(id: &'static str, mut answers: Vec<Result<Answer, CannotTell>>) -> Box<dyn Check<FunctionDeployment>> {
            answers.reverse();
            Box::new(Self(id, Mutex::new(answers)))
        }
    }

    #[async_trait]
    impl Check<FunctionDeployment> for Says {
        fn id(&self) -> &'static str {
            self.0
        }

        fn question(&self) -> String {
            "Is it said?".to_owned()
        }

        async fn ask(&self, _: &CheckContext<FunctionDeployment>) -> Result<Answer, CannotTell> {
            self.1.lock().expect("nobody panicked").pop().expect("it is not asked more often")
        }
    }

    fn unknown(transient: bool) -> Result<Answer, CannotTell> {
        Err(CannotTell { asked: "a lock".to_owned(), remedy: "Wait.".to_owned(), transient, source: None })
    }

    /// Asks the first as often as it has answers, and then the second; what the second says.
    async fn second(plan: &str, answers: Vec<Result<Answer, CannotTell>>) -> Result<Answer, CannotTell> {
        let context = Fakes::well().context_of(Stage::BeforeAllowTraffic, function_deployment());
        let count = answers.len();
        let yes = Says::boxed("version-answers", vec![Ok(Answer::yes("answered"))]);
        let checks = vec![Says::boxed("migrations-apply", answers), yes];
        let ordered = in_order(&Plan::parse(plan, "plan").unwrap(), checks);
        for asked in 0..count {
            let waits = matches!(ordered[1].ask(&context).await, Ok(Answer::NotYet { .. }));
            assert!(waits, "asked before the first had answered {asked} times");
            let _ = ordered[0].ask(&context).await;
        }
        ordered[1].ask(&context).await
    }

    const BLOCKING: &str = "version: 1\n";

    #[tokio::test]
    async fn the_second_is_asked_only_when_the_first_has_said_yes() {
        let not_yet = Ok(Answer::not_yet("waits", LOOK_AGAIN, "Wait."));
        let answers = vec![not_yet, unknown(true), Ok(Answer::yes("3 applied"))];
        assert!(matches!(second(BLOCKING, answers).await, Ok(Answer::Yes { .. })));
    }

    #[tokio::test]
    async fn behind_a_no_nothing_is_begun() {
        for answer in [Ok(Answer::no("it breaks blue", "Write it otherwise.")), unknown(false)] {
            let Ok(Answer::NotYet { evidence, .. }) = second(BLOCKING, vec![answer]).await else {
                panic!("it was begun");
            };
            assert_eq!(evidence, "not begun: migrations-apply comes first");
        }
    }

    #[tokio::test]
    async fn a_no_that_only_advises_holds_nothing_up() {
        let plan = "version: 1\nchecks: { migrations-apply: advisory }\n";
        let answers = vec![Ok(Answer::no("it breaks blue", "Write it otherwise."))];
        assert!(matches!(second(plan, answers).await, Ok(Answer::Yes { .. })));
    }

    /// A check that keeps count, which another invocation must know.
    struct Counts;

    #[async_trait]
    impl Check<FunctionDeployment> for Counts {
        fn id(&self) -> &'static str {
            "counts"
        }
        fn question(&self) -> String {
            "Does it count?".to_owned()
        }
        async fn ask(&self, _: &CheckContext<FunctionDeployment>) -> Result<Answer, CannotTell> {
            Ok(Answer::not_yet("one", Duration::from_secs(1), "Wait."))
        }
        fn remember(&self) -> Option<Value> {
            Some(1.into())
        }
    }

    /// While the first is being asked it may say yes at any moment, and only this invocation hears it.
    #[tokio::test]
    async fn the_second_waits_elsewhere_only_where_the_first_does() {
        let boxed = |check| Box::new(check) as Box<dyn Check<FunctionDeployment>>;
        let context = Fakes::well().context_of(Stage::BeforeAllowTraffic, function_deployment());
        let ordered = in_order(&Plan::defaults(), vec![boxed(Counts), Says::boxed("applies", vec![])]);
        let _ = ordered[1].ask(&context).await;
        assert_eq!(ordered[1].remember(), None, "the first is being asked");
        let _ = ordered[0].ask(&context).await;
        assert_eq!(ordered[1].remember(), Some(Value::Null), "the first is asked again elsewhere");
        let not_yet = Ok(Answer::not_yet("waits", LOOK_AGAIN, "Wait."));
        let ordered =
            in_order(&Plan::defaults(), vec![Says::boxed("here", vec![not_yet]), Says::boxed("applies", vec![])]);
        let _ = ordered[0].ask(&context).await;
        assert_eq!(ordered[1].remember(), None, "the first is asked again here");
    }

    #[test]
    fn what_a_check_remembers_is_remembered_in_order_too_and_its_yes_is_not_kept() {
        let ordered = in_order(&Plan::defaults(), vec![Box::new(Counts) as Box<dyn Check<FunctionDeployment>>]);
        assert_eq!(ordered[0].remember(), Some(1.into()));
        assert!(ordered[0].is_asked_anew());
    }
}
