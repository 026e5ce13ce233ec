//! `rehearse serve`: the world stays open, and whoever comes is told how to use it.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use rehearsal::codedeploy::engine::{family_revision, in_words};
use rehearsal::rehearsal::{Machine, Rehearsal, new_world_at_pace};
use rehearsal::scenario::Loaded;
use rehearsal::setup::{BUCKET, Versions, app_spec_key};
use rehearsal::world::deployments::Routing;
use rehearsal::world::load_balancer::ListenerRole;
use rehearsal::world::services::Colour;
use rehearsal::world::{REGION, State};

use crate::BAD_INPUT;
use crate::play::{USUAL, find, follow, machine, read};
use crate::terminal::{Interruptions, Page, fail, say};

#[derive(Args)]
pub(crate) struct Serve {
    /// Name of a scenario, or a file
    #[arg(default_value = USUAL)]
    name: String,
    /// Port of the AWS endpoint; any free one when missing
    #[arg(long)]
    port: Option<u16>,
    /// How many times faster than real time the world runs while a deployment only waits
    #[arg(long, value_name = "TIMES", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pace: u32,
    /// The folder with the hooks' binaries, `.aws-sam/build` for instance; that of this program when missing
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<PathBuf>,
}

impl Serve {
    pub(crate) async fn go(self) -> ExitCode {
        let mut loaded = match read(&[find(&self.name)]) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let machine = match machine(self.artifacts.as_deref(), self.port, &loaded) {
            Ok(machine) => machine,
            Err(error) => return fail(&format!("{error:#}"), 1),
        };
        let loaded = loaded.pop().expect("one scenario was read");
        if loaded.scenario.function.is_some() {
            let message = format!(
                "{} deploys a function; only services are served, functions are played: `rehearse run`",
                loaded.name
            );
            return fail(&message, BAD_INPUT);
        }
        match serve(loaded, &machine, self.pace).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("{error:#}"), 1),
        }
    }
}

/// Returns after Ctrl-C, once everything that was started has ended.
async fn serve(loaded: Loaded, machine: &Machine, pace: u32) -> Result<()> {
    let mut interruptions = Interruptions::listen().context("cannot listen to Ctrl-C")?;
    let world = new_world_at_pace(f64::from(pace));
    let (_lines, _printer) = follow(Arc::clone(&world), Page::open());
    let rate = loaded.scenario.traffic.rate.to_string();
    let mut rehearsal = tokio::select! {
        opened = Rehearsal::open(Arc::clone(&world), loaded, machine) => opened?,
        _ = interruptions.next() => return Ok(()),
    };
    rehearsal.rest_in_real_time();
    let target = rehearsal.prepared.versions.clone();
    say(&variables(rehearsal.endpoint_url()));
    say(&world.read(|state| names(state, &target, &rate)));
    say(&world.read(|state| examples(state, &target)));
    say(&world.read(|state| time(state, &target, pace)));
    let broken = tokio::select! {
        error = rehearsal.broken() => Some(error),
        _ = interruptions.next() => None,
    };
    let ended = async {
        let summary = rehearsal.end_traffic().await;
        rehearsal.close().await;
        summary
    };
    // Who presses it again does not want to wait for the last request.
    tokio::select! {
        summary = ended => say(&format!("\nproduction requests\n{summary}")),
        _ = interruptions.next() => {}
    }
    broken.map_or(Ok(()), Err)
}

/// The environment of any AWS client, for a shell.
fn variables(endpoint: &str) -> String {
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "rehearsal"),
        ("AWS_SECRET_ACCESS_KEY", "rehearsal"),
    ];
    let mut text = "\nThe world is open to any AWS client with these variables:\n\n".to_owned();
    for (name, value) in variables {
        let _ = writeln!(text, "  export {name}={value}");
    }
    text
}

/// What there is, by the names that clients ask for.
fn names(state: &State, target: &Versions, rate: &str) -> String {
    let url = |role| {
        let listener = state.listeners.iter().find(|it| it.role == role);
        listener.map_or("none".to_owned(), |listener| format!("http://127.0.0.1:{}", listener.port))
    };
    let versions: Vec<String> = state
        .task_definitions
        .iter()
        .map(|definition| {
            let name = family_revision(&definition.arn());
            let serves =
                state.services.iter().flat_map(|it| &it.task_sets).any(|it| it.task_definition == definition.arn());
            if serves { format!("{name} serves") } else { format!("{name} is registered") }
        })
        .collect();
    let named = |names: Vec<&String>| match names.as_slice() {
        [] => "none".to_owned(),
        names => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
    };
    let services: Vec<String> = state.services.iter().map(|it| format!("{}, {}", it.cluster, it.name)).collect();
    let carried_out = match target {
        Versions::CodeDeploy { application, group, .. } => ("application, group", format!("{application}, {group}")),
        Versions::Ecs { .. } => ("deployments by", "ECS itself".to_owned()),
    };
    let rows = [
        carried_out,
        ("cluster, service", services.join("; ")),
        ("task definitions", versions.join(", ")),
        ("production", format!("{}, where users send {rate} requests", url(ListenerRole::Production))),
        ("test listener", url(ListenerRole::Test)),
        ("target groups", named(state.target_groups.iter().map(|group| &group.name).collect())),
        ("alarms", named(state.alarms.iter().map(|alarm| &alarm.name).collect())),
        ("secrets", named(state.stores.secrets.keys().collect())),
        ("databases", named(state.stores.databases.keys().collect())),
        ("hooks", state.functions.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(&format!("\n{:22}", ""))),
    ];
    let mut text = String::new();
    for (what, which) in rows {
        let _ = writeln!(text, "  {what:<20}{which}");
    }
    let production = url(ListenerRole::Production);
    let _ = write!(text, "\n  curl -i {production}/\n  curl -i {}/", url(ListenerRole::Test));
    text
}

/// Commands that work as they stand.
fn examples(state: &State, target: &Versions) -> String {
    match target {
        Versions::CodeDeploy { application, group, .. } => {
            let green = app_spec_key(application, Colour::Green);
            let service = state.services.first().map(|it| format!("{}:{}", it.cluster, it.name)).unwrap_or_default();
            format!(
                "  aws deploy create-deployment --application-name {application} --deployment-group-name {group} \\
    --s3-location bucket={BUCKET},key={green},bundleType=YAML
  aws deploy get-deployment --deployment-id d-…
  aws deploy batch-get-deployment-targets --deployment-id d-… --target-ids {service}
  aws deploy stop-deployment --deployment-id d-…
"
            )
        }
        Versions::Ecs { cluster, service, green, .. } => {
            let green = family_revision(green);
            format!(
                "  aws ecs update-service --cluster {cluster} --service {service} --task-definition {green}
  aws ecs list-service-deployments --cluster {cluster} --service {service}
  aws ecs describe-service-deployments --service-deployment-arns arn:…
  aws ecs stop-service-deployment --service-deployment-arn arn:…
"
            )
        }
    }
}

/// How long a deployment of it waits when it does for the first time.
fn first_wait(state: &State, target: &Versions) -> Option<Duration> {
    match target {
        Versions::CodeDeploy { application, group, .. } => {
            let group = state.codedeploy.group(application, group)?;
            Some(match state.codedeploy.config(&group.config)?.routing {
                Routing::Canary { interval, .. } | Routing::Linear { interval, .. } => interval,
                Routing::AllAtOnce => group.service()?.termination_wait,
            })
        }
        Versions::Ecs { cluster, service, .. } => {
            let configuration = &state.service(cluster, service)?.controller.native()?.configuration;
            let (_, wait) = *configuration.strategy.steps().first()?;
            Some(if wait.is_zero() { configuration.bake } else { wait })
        }
    }
}

/// How its time passes, and what that means for a deployment by hand.
fn time(state: &State, target: &Versions, pace: u32) -> String {
    let first_wait = first_wait(state, target).unwrap_or_default();
    let takes = first_wait.as_secs_f64() / f64::from(pace);
    let faster = if pace == 1 {
        "The world's time is real, so every wait takes as long as on AWS; `--pace 30` shortens them.".to_owned()
    } else {
        format!(
            "While a deployment only waits, the world runs {pace} times faster: {} take {takes:.0} s. `--pace 1` waits as\n\
             AWS does.",
            in_words(first_wait)
        )
    };
    format!(
        "{faster} Hooks, tasks and the time between deployments are real. Clients are told ages: what was\n\
         five minutes ago in the world was five minutes ago.\n\nCtrl-C ends it and prints what became of users' requests.\n"
    )
}
