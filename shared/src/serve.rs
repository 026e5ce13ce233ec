//! The Lambda loop of a hook: it never dies at its start, for a function that does answers nobody.

use std::panic;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use lambda_runtime::Diagnostic;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tracing::error;

use crate::aws::{Aws, ConnectionError};
use crate::hook::{Hook, Outside, Waiting, answer_unasked};
use crate::http::Http;
use crate::log;
use crate::ports::{Caller, Ports};
use crate::questions::Questions;
use crate::redaction::Redactions;
use crate::report::words::chain;
use crate::settings::Settings;
use crate::stage::Stage;

/// The loop itself ended.
#[derive(Debug, thiserror::Error)]
#[error("the Lambda runtime ended: {0}")]
pub struct ServeError(String);

/// Serves a hook for as long as Lambda calls it. `checks` is asked for the checks of every deployment anew, for each has
/// its own plan; what is wrong there stops the deployment with the reason, instead of the function without one.
pub async fn serve(stage: Stage, checks: impl Into<Questions>) -> Result<(), ServeError> {
    let redactions = Redactions::default();
    let settings = start(&redactions);
    serve_hook(hook(stage, checks.into(), &settings, redactions)).await
}

/// As [`serve`], a hook that was made before, after [`start`].
pub async fn serve_hook(hook: Result<Hook, ConnectionError>) -> Result<(), ServeError> {
    let hook = &hook;
    listen(move |event: Value, left: Duration| async move {
        match hook {
            Ok(hook) => hook.handle(&event, left).await.map_err(|error| refused("HookError", &error)),
            Err(error) => {
                let Some(answer) = answer_unasked(&event) else {
                    error!("nobody can be answered, AWS cannot be called: {}", chain(error));
                    return Err(refused("ConnectionError", error));
                };
                error!("ECS is answered {}: AWS cannot be called: {}", answer["hookStatus"], chain(error));
                Ok(answer)
            }
        }
    })
    .await
}

/// Reads the environment and starts the log, in which panics are lines like others.
pub fn start(redactions: &Redactions) -> Settings {
    let settings = Settings::from_environment();
    log::start(&settings, redactions);
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("without a text");
        error!("panic{place}: {text}");
    }));
    settings
}

/// Hands every event to `handle`, with the time until Lambda kills the process.
pub async fn listen<F, R>(handle: F) -> Result<(), ServeError>
where
    F: Fn(Value, Duration) -> R,
    R: Future<Output = Result<Value, Diagnostic>>,
{
    let handle = &handle;
    let handler = service_fn(move |event: LambdaEvent<Value>| async move {
        handle(event.payload, left(event.context.deadline, SystemTime::now())).await
    });
    lambda_runtime::run(handler).await.map_err(|error| ServeError(error.to_string()))
}

/// A hook that asks AWS.
pub fn hook(
    stage: Stage,
    checks: Questions,
    settings: &Settings,
    redactions: Redactions,
) -> Result<Hook, ConnectionError> {
    let aws = Arc::new(Aws::new(settings)?);
    let http = Http::new(settings.extra_roots.clone());
    let again = settings.clone();
    let outside = Outside {
        deployments: aws.clone(),
        native: aws.clone(),
        parameters: aws.clone(),
        answers: aws.clone(),
        last_resort: Arc::new(move || Ok(Arc::new(Aws::new(&again)?))),
        ports: Arc::new(move |caller: Caller| Ports::outside(aws.clone(), http.probe(&caller))),
    };
    let region = settings.region.clone().unwrap_or_default();
    let (plan, function) = (settings.plan.clone(), settings.function.clone());
    Ok(Hook { stage, checks, outside, plan, region, function, redactions, waiting: Waiting::default() })
}

/// What Lambda shows as the function's error.
pub fn refused(kind: &str, error: &(dyn std::error::Error + 'static)) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: chain(error) }
}

/// Time until Lambda kills the process; `deadline` is in milliseconds since 1970.
fn left(deadline: u64, now: SystemTime) -> Duration {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(deadline).saturating_sub(now)
}
