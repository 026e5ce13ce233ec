//! A hook in which something panics: made of the library that every hook is made of, run by the same loop, with the same calls
//! of AWS. `rehearse matrix` starts it in the place of a hook. Its arguments are that hook's name and what panics.

use std::sync::Arc;

use async_trait::async_trait;
use greenlight::answer::{Answers, PutError};
use greenlight::check::{Answer, CannotTell, Check, CheckContext};
use greenlight::checks::RollbackIsArmed;
use greenlight::deployment::{AnyDeployment, Deployment, DeploymentId, FunctionDeployment};
use greenlight::discovery::{Deployments, DiscoveryError, Record};
use greenlight::event::Event;
use greenlight::redaction::Redactions;
use greenlight::report::Verdict;
use greenlight::{Checks, Questions, ServeError, Stage, serve};

mod report;

/// What every panic here says.
const TEXT: &str = "this hook is made to panic";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ServeError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, panics] = arguments.as_slice() else { panic!("expected a hook's name and what panics") };
    let stage = Stage::ALL.into_iter().find(|stage| stage.hook_name() == name).expect("the name of a hook");
    let redactions = Redactions::default();
    if panics == "report" {
        report::panics();
    }
    let settings = serve::start(&redactions);
    let questions = Questions::of_both(checks(panics), checks(panics));
    let mut hook = serve::hook(stage, questions, &settings, redactions).expect("AWS can be called");
    match panics.as_str() {
        "discovery" => hook.outside.deployments = Arc::new(Panics),
        "answer" => hook.outside.answers = Arc::new(Panics),
        _ => {}
    }
    serve::serve_hook(Ok(hook)).await
}

/// One that panics, and one of greenlight's own beside it.
fn checks<D: AnyDeployment>(panics: &str) -> Checks<D> {
    match panics {
        "check" => Checks::fixed(|| vec![Box::new(Panics), Box::new(RollbackIsArmed)]),
        "question" => Checks::fixed(|| vec![Box::new(PanicsInItsQuestion), Box::new(RollbackIsArmed)]),
        "checks" => Checks::fixed(|| panic!("{TEXT}")),
        "planned-checks" => Checks::fixed(|| vec![Box::new(RollbackIsArmed)]).and_planned(|_| panic!("{TEXT}")),
        _ => Checks::fixed(|| vec![Box::new(RollbackIsArmed)]),
    }
}

/// Whatever it is asked.
struct Panics;

#[async_trait]
impl<D: AnyDeployment> Check<D> for Panics {
    fn id(&self) -> &'static str {
        "panics"
    }

    fn question(&self) -> String {
        "Does this check panic?".to_owned()
    }

    async fn ask(&self, _: &CheckContext<D>) -> Result<Answer, CannotTell> {
        panic!("{TEXT}")
    }
}

#[async_trait]
impl Deployments for Panics {
    async fn record(&self, _: &DeploymentId) -> Result<Record, DiscoveryError> {
        panic!("{TEXT}")
    }

    async fn describe(&self, _: Record) -> Result<Deployment, DiscoveryError> {
        panic!("{TEXT}")
    }

    async fn describe_function(&self, _: Record) -> Result<FunctionDeployment, DiscoveryError> {
        panic!("{TEXT}")
    }
}

#[async_trait]
impl Answers for Panics {
    async fn put(&self, _: &Event, _: Verdict) -> Result<(), PutError> {
        panic!("{TEXT}")
    }
}

/// Before it is asked.
struct PanicsInItsQuestion;

#[async_trait]
impl<D: AnyDeployment> Check<D> for PanicsInItsQuestion {
    fn id(&self) -> &'static str {
        "panics-in-its-question"
    }

    fn question(&self) -> String {
        panic!("{TEXT}")
    }

    async fn ask(&self, _: &CheckContext<D>) -> Result<Answer, CannotTell> {
        Ok(Answer::yes("nobody comes here"))
    }
}
