//! A question that makes sense only once the database is as the new version needs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::deployment::AnyDeployment;

/// How often it is looked whether the migrations are over.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Whether the migrations are over, well or not: a *no* of theirs has stopped the deployment, or they only advise.
type Over = Arc<AtomicBool>;

/// Checks are asked side by side; these two one after the other: first the migrations, then what needs them.
pub fn in_order<D, M, C>(migrations: M, then: C) -> [Box<dyn Check<D>>; 2]
where
    D: AnyDeployment,
    M: Check<D> + 'static,
    C: Check<D> + 'static,
{
    let over = Over::default();
    [Box::new(First { check: migrations, over: Arc::clone(&over) }), Box::new(Then { check: then, over })]
}

struct First<C> {
    check: C,
    over: Over,
}

#[async_trait]
impl<D: AnyDeployment, C: Check<D>> Check<D> for First<C> {
    fn id(&self) -> &'static str {
        self.check.id()
    }

    fn question(&self) -> String {
        self.check.question()
    }

    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell> {
        let answer = self.check.ask(context).await;
        let goes_on = matches!(answer, Ok(Answer::NotYet { .. }) | Err(CannotTell { transient: true, .. }));
        self.over.store(!goes_on, Ordering::Relaxed);
        answer
    }
}

struct Then<C> {
    check: C,
    over: Over,
}

#[async_trait]
impl<D: AnyDeployment, C: Check<D>> Check<D> for Then<C> {
    fn id(&self) -> &'static str {
        self.check.id()
    }

    fn question(&self) -> String {
        self.check.question()
    }

    async fn ask(&self, context: &CheckContext<D>) -> Result<Answer, CannotTell> {
        if self.over.load(Ordering::Relaxed) {
            return self.check.ask(context).await;
        }
        let remedy = "Read what became of the migrations.";
        Ok(Answer::not_yet("not asked before the migrations were over", LOOK_AGAIN, remedy))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use greenlight::Stage;
    use greenlight::deployment::FunctionDeployment;
    use greenlight::fakes::{Fakes, function_deployment};

    use super::*;

    /// Gives these answers, one after the other.
    struct Says(&'static str, Mutex<Vec<Result<Answer, CannotTell>>>);

    impl Says {
        fn new(id: &'static str, mut answers: Vec<Result<Answer, CannotTell>>) -> Self {
            answers.reverse();
            Self(id, Mutex::new(answers))
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

    #[tokio::test]
    async fn the_second_is_asked_only_when_the_first_has_answered_for_good() {
        let throttled =
            CannotTell { asked: "a lock".to_owned(), remedy: "Wait.".to_owned(), transient: true, source: None };
        let migrations = Says::new(
            "migrations-apply",
            vec![Ok(Answer::not_yet("waits", LOOK_AGAIN, "Wait.")), Err(throttled), Ok(Answer::yes("3 applied"))],
        );
        let answers = Says::new("version-answers", vec![Ok(Answer::yes("answered"))]);
        let context = Fakes::well().context_of(Stage::BeforeAllowTraffic, function_deployment());
        let [first, second] = in_order(migrations, answers);
        assert_eq!([first.id(), second.id()], ["migrations-apply", "version-answers"]);
        for _ in 0..2 {
            let _ = first.ask(&context).await;
            assert!(matches!(second.ask(&context).await, Ok(Answer::NotYet { .. })));
        }
        let _ = first.ask(&context).await;
        assert!(matches!(second.ask(&context).await, Ok(Answer::Yes { .. })));
    }
}
