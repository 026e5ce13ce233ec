//! A world in which a deployment stands still at one lifecycle event, so that its hook can be asked there again and again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use greenlight::stage::Stage;
use serde_json::{Value, json};

use super::detour::{Requests, Stream};
use super::plan::Survey;
use super::{Disturbance, Endpoint};
use crate::clock::PaceGuard;
use crate::codedeploy::api;
use crate::rehearsal::{Machine, Rehearsal, new_world};
use crate::scenario::Loaded;
use crate::setup::{REPORT_FAILURE, function_name};
use crate::world::deployments::Trial;
use crate::world::faults::Fault;
use crate::world::functions::{Detour, Function, Invocation, InvocationStatus, Subscription};
use crate::world::{State, World};

/// Timeout of a hook in a cell: short, so that what never answers is over soon.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Real time in which a cell must have ended: its timeout, the stand-in's, and what Lambda tries again in one and two minutes.
const OVER_WITHIN: Duration = Duration::from_secs(240);
/// What the stand-in says where only its answer failed.
const KNEW: &str = "ANSWER NOT DELIVERED: ";
/// Real time that an answer may take once everything has ended.
const LATE_WITHIN: Duration = Duration::from_millis(100);
/// The database from which each cell's is copied.
const SPRING: &str = "spring";

/// The world, standing still.
pub struct Stand {
    rehearsal: Rehearsal,
    stage: Stage,
    hook: Function,
    stand_in: Function,
    deployment: String,
    listeners: Vec<u16>,
    /// Name and text of the secret that migrates.
    migrator: Option<(String, Value)>,
    next: AtomicU64,
    /// The program that takes the hook's place where something panics.
    panicking_hook: PathBuf,
    /// The world runs at the pace of its hooks, also between two cells.
    _pace: PaceGuard,
}

/// What came of one cell.
pub struct Ran {
    /// Whether `Succeeded` was answered, and how long after the event.
    pub answer: Option<(bool, Duration)>,
    /// Answers that were refused because there was one already.
    pub refused: usize,
    /// The hook's invocation.
    pub hook: Invocation,
    /// When the hook was to be killed.
    pub timeout: Duration,
    /// The invocation of the function that answers for dead hooks, if there was one.
    pub stand_in: Option<Invocation>,
    /// Every call, request and message that was seen.
    pub survey: Survey,
    /// Whether the alias of a function is shifted, and no service.
    pub of_function: bool,
}

/// What came of the same event, asked several times.
pub struct Repeated {
    /// Whether `Succeeded` was answered; `None`: nothing was.
    pub answer: Option<bool>,
    /// Answers that were refused because there was one already, or because the deployment was over.
    pub refused: usize,
    /// The hook's invocations.
    pub hooks: Vec<Invocation>,
    /// Versions of the migrations that are applied at the end.
    pub migrations: Vec<i64>,
}

/// What a cell has to itself.
struct Scene {
    name: String,
    stand_in: String,
    database: String,
    execution: String,
    requests: Requests,
    stream: Option<Stream>,
    timeout: Duration,
    began: Instant,
    calls_before: usize,
}

/// What is left of it.
struct Struck {
    trial: Trial,
    stand_in: Option<Invocation>,
    survey: Survey,
    answer: Option<(bool, Duration)>,
    migrations: Vec<i64>,
}

impl Stand {
    /// Opens the world and waits until its deployment stands still at this stage.
    pub async fn open(stage: Stage, loaded: Loaded, machine: &Machine) -> Result<Self> {
        let world = new_world();
        world.update(|state| state.codedeploy.parked_at = Some(stage.event_name().to_owned()));
        let mut rehearsal = Rehearsal::open(Arc::clone(&world), loaded, machine).await?;
        match Self::parked(&mut rehearsal, &world, stage).await {
            Ok((hook, stand_in, deployment)) => {
                let listeners = world.read(|state| state.listeners.iter().map(|listener| listener.port).collect());
                let migrator = world.read(|state| {
                    let secret = state.stores.secrets.iter().find(|(name, _)| name.ends_with("/migrator"));
                    secret.and_then(|(name, secret)| Some((name.clone(), serde_json::from_str(&secret.value).ok()?)))
                });
                let next = AtomicU64::new(1);
                let panicking_hook = machine.panicking_hook.clone();
                let _pace = world.clock.working();
                Ok(Self {
                    rehearsal,
                    stage,
                    hook,
                    stand_in,
                    deployment,
                    listeners,
                    migrator,
                    next,
                    panicking_hook,
                    _pace,
                })
            }
            Err(error) => {
                rehearsal.close().await;
                Err(error)
            }
        }
    }

    async fn parked(rehearsal: &mut Rehearsal, world: &World, stage: Stage) -> Result<(Function, Function, String)> {
        let id = rehearsal.begin()?;
        let stands = world.until(|state| {
            let deployment = state.codedeploy.deployment(&id)?;
            if deployment.status.is_final() {
                return Some(false);
            }
            (state.phase == stage.event_name()).then_some(true)
        });
        let stands = tokio::select! {
            stands = stands => stands,
            error = rehearsal.broken() => return Err(error),
        };
        if !stands {
            bail!("the deployment ended before it came to {stage}");
        }
        rehearsal.make_database(SPRING).await?;
        let hook = world.read(|state| state.function(&function_name(stage)).cloned());
        let stand_in = world.read(|state| state.function(REPORT_FAILURE).cloned());
        Ok((hook.context("there is no such hook")?, stand_in.context("nobody stands in")?, id))
    }

    /// What must be in no output.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = vec!["not-for-any-report".to_owned()];
        secrets.extend(self.migrator.as_ref().and_then(|(_, login)| login["password"].as_str()).map(str::to_owned));
        secrets
    }

    /// Asks the hook once, disturbed like this.
    pub async fn run(&self, disturbed: &[Disturbance]) -> Result<Ran> {
        let scene = self.set(disturbed).await?;
        let by_event = !disturbed.contains(&Disturbance::Awaited);
        let id = self.call(&scene, &self.event(&scene), by_event);
        let hook = self.ended(&scene, &id, true).await?;
        if !matches!(hook.status, InvocationStatus::Returned(_)) {
            tokio::time::sleep(LATE_WITHIN).await;
        }
        let timeout = scene.timeout;
        let Struck { trial, stand_in, survey, answer, .. } = self.clear(scene).await?;
        let of_function = self.rehearsal.world.read(|state| !state.aliases.is_empty());
        Ok(Ran { answer, refused: trial.refused, hook, timeout, stand_in, survey, of_function })
    }

    /// Asks the hook several times with the same event: at once or in a row.
    pub async fn repeat(&self, times: usize, at_once: bool) -> Result<Repeated> {
        let scene = self.set(&[]).await?;
        let event = self.event(&scene);
        self.repeat_on(scene, &event, times, at_once).await
    }

    /// Asks the hook once about a deployment that nobody knows here, as of another account or Region.
    pub async fn ask_about(&self, deployment: &str) -> Result<Repeated> {
        let scene = self.set(&[]).await?;
        let event = json!({"DeploymentId": deployment, "LifecycleEventHookExecutionId": scene.execution});
        self.repeat_on(scene, &event, 1, false).await
    }

    async fn repeat_on(&self, scene: Scene, event: &Value, times: usize, at_once: bool) -> Result<Repeated> {
        let (mut ids, mut hooks) = (Vec::new(), Vec::new());
        for _ in 0..times {
            let id = self.call(&scene, event, false);
            if at_once {
                ids.push(id);
            } else {
                hooks.push(self.ended(&scene, &id, false).await?);
            }
        }
        for id in ids {
            hooks.push(self.ended(&scene, &id, false).await?);
        }
        let Struck { trial, answer, migrations, .. } = self.clear(scene).await?;
        Ok(Repeated { answer: answer.map(|(succeeded, _)| succeeded), refused: trial.refused, hooks, migrations })
    }

    /// A person stops the deployment; returns once it is over.
    pub async fn stop(&self) -> Result<()> {
        api::stop(&self.rehearsal.world, &self.deployment)?;
        let over =
            |state: &State| state.codedeploy.deployment(&self.deployment).filter(|it| it.status.is_final()).map(drop);
        self.rehearsal.world.until(over).await;
        Ok(())
    }

    fn event(&self, scene: &Scene) -> Value {
        json!({"DeploymentId": self.deployment, "LifecycleEventHookExecutionId": scene.execution})
    }

    /// A function, its stand-in, its ways and its database, all of its own.
    async fn set(&self, disturbed: &[Disturbance]) -> Result<Scene> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let world = &self.rehearsal.world;
        let name = format!("CodeDeployHook_greenlight-c{number}-{}", self.stage.hook_name());
        let stand_in = format!("{REPORT_FAILURE}-c{number}");
        let database = format!("cell_{number}");
        if let Some(server) = self.rehearsal.postgres() {
            server.copy_database(SPRING, &database).await?;
        }
        let requests = Requests::to(&self.listeners, request_strike(disturbed)).await?;
        let stream = match self.migrator.as_ref().and_then(|(_, login)| login["port"].as_u64()) {
            Some(port) => Some(Stream::to(u16::try_from(port)?, stream_strike(disturbed)).await?),
            None => None,
        };
        let mut secrets = BTreeMap::new();
        if let (Some((secret, login)), Some(stream)) = (&self.migrator, &stream) {
            let mut told = login.clone();
            told["port"] = stream.port.into();
            told["dbname"] = database.as_str().into();
            secrets.insert(secret.clone(), told.to_string());
        }
        let hook = self.function(number, &name, &stand_in, disturbed);
        let timeout = hook.timeout;
        let execution = format!("cell-{number}");
        let helper = Function {
            name: stand_in.clone(),
            access_key: format!("ASIACELL{number:05}REPORT"),
            ..self.stand_in.clone()
        };
        world.update(|state| {
            state.functions.extend([hook, helper]);
            state.faults.extend(faults(&name, &stand_in, disturbed));
            state.detours.insert(name.clone(), Detour { ports: requests.ports.clone(), secrets });
            let trial = Trial { deployment: self.deployment.clone(), ..Trial::default() };
            state.codedeploy.trials.insert(execution.clone(), trial);
        });
        let (began, calls_before) = (Instant::now(), self.rehearsal.calls_so_far());
        Ok(Scene { name, stand_in, database, execution, requests, stream, timeout, began, calls_before })
    }

    /// The id of the invocation.
    fn call(&self, scene: &Scene, event: &Value, by_event: bool) -> String {
        let world = &self.rehearsal.world;
        let now = world.now();
        let invocation = Invocation { by_event, ..Invocation::new(scene.name.clone(), event.to_string(), now) };
        let id = invocation.id.clone();
        world.update(|state| state.invocations.push(invocation));
        id
    }

    /// Waits until the hook has ended, and whoever is told of it; also for what Lambda tries `again`.
    async fn ended(&self, scene: &Scene, id: &str, again: bool) -> Result<Invocation> {
        let ended = self.rehearsal.world.until(|state| {
            let hook = state.invocation(id).filter(|it| it.status.is_final())?;
            let told = state.notices.iter().any(|notice| notice.function == scene.stand_in);
            let mut helping = state.invocations.iter().filter(|it| it.function == scene.stand_in);
            // Lambda itself tries again what a log has brought, which helps where it knew whom to answer.
            let knows =
                |it: &Invocation| it.function == scene.stand_in && it.log.iter().any(|line| line.contains(KNEW));
            let again = again && state.is_tried_again(&scene.stand_in) && state.invocations.iter().any(knows);
            let answered = state.codedeploy.trials.get(&scene.execution).is_some_and(|trial| trial.answer.is_some());
            ((answered || !told && !again) && helping.all(|it| it.status.is_final())).then(|| hook.clone())
        });
        let ended = tokio::time::timeout(OVER_WITHIN, ended).await;
        ended.with_context(|| format!("{} did not end", scene.name))
    }

    async fn clear(&self, scene: Scene) -> Result<Struck> {
        let Scene { name, stand_in, database, execution, requests, stream, began, calls_before, .. } = scene;
        let (trial, helper) = self.rehearsal.world.update(|state| {
            let helper = state.invocations.iter().rev().find(|it| it.function == stand_in).cloned();
            state.invocations.retain(|it| it.function != name && it.function != stand_in);
            state.functions.retain(|it| it.name != name && it.name != stand_in);
            let of_cell =
                |caller: &Option<String>| [&name, &stand_in].into_iter().any(|own| caller.as_ref() == Some(own));
            state.faults.retain(|fault| !of_cell(&fault.caller));
            state.detours.remove(&name);
            state.notices.retain(|notice| notice.function != stand_in);
            (state.codedeploy.trials.remove(&execution).unwrap_or_default(), helper)
        });
        let calls = self.rehearsal.calls_of(&name, calls_before);
        let survey = Survey { calls, requests: requests.seen(), messages: stream.as_ref().map_or(0, Stream::seen) };
        drop((requests, stream));
        let mut migrations = Vec::new();
        if let Some(server) = self.rehearsal.postgres() {
            let applied = server.applied_migrations(&database).await?;
            migrations = applied.into_iter().filter(|it| it.success).map(|it| it.version).collect();
            server.drop_database(&database).await?;
        }
        let answer = trial.answer.map(|(succeeded, at)| (succeeded, at.saturating_duration_since(began)));
        Ok(Struck { trial, stand_in: helper, survey, answer, migrations })
    }

    fn function(&self, number: u64, name: &str, stand_in: &str, disturbed: &[Disturbance]) -> Function {
        let mut hook = self.hook.clone();
        name.clone_into(&mut hook.name);
        hook.access_key = format!("ASIACELL{number:05}HOOK");
        hook.timeout = TIMEOUT;
        hook.pace = 1.0;
        if let Some(on_failure) = &mut hook.on_failure {
            stand_in.clone_into(&mut on_failure.function);
        }
        hook.environment.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned());
        hook.subscription = hook.subscription.map(|subscription| Subscription {
            function: stand_in.to_owned(),
            after: Duration::ZERO,
            ..subscription
        });
        for it in disturbed {
            match it {
                Disturbance::Endpoint(Endpoint::Refused) => {
                    hook.environment.insert("AWS_ENDPOINT_URL".to_owned(), "http://127.0.0.1:9".to_owned());
                }
                Disturbance::Endpoint(Endpoint::BrokenTls) => {
                    let url = self.rehearsal.endpoint_url().replacen("http:", "https:", 1);
                    hook.environment.insert("AWS_ENDPOINT_URL".to_owned(), url);
                }
                Disturbance::Killed(after) => hook.killed_after = Some(*after),
                Disturbance::Memory(mib) => hook.memory_mib = *mib,
                Disturbance::ToldDeadline(left) => hook.told_left_ms = Some(*left),
                Disturbance::Timeout(timeout) => hook.timeout = *timeout,
                Disturbance::Limit(limit, most) => {
                    let limited = format!("ulimit -{} {most}; exec \"$@\"", limit.option());
                    let shell = ["sh", "-c", &limited, "bootstrap"].map(str::to_owned);
                    hook.command = shell.into_iter().chain(hook.command).collect();
                }
                Disturbance::Panics(what) => {
                    let program = self.panicking_hook.display().to_string();
                    hook.command = vec![program, self.stage.hook_name().to_owned(), what.word().to_owned()];
                }
                Disturbance::Call { .. }
                | Disturbance::OfStandIn { .. }
                | Disturbance::Request { .. }
                | Disturbance::Message { .. }
                | Disturbance::Awaited => {}
            }
        }
        hook
    }

    /// Ends everything.
    pub async fn close(self) {
        self.rehearsal.close().await;
    }
}

fn faults(caller: &str, stand_in: &str, disturbed: &[Disturbance]) -> Vec<Fault> {
    let fault = |it: &Disturbance| match it {
        Disturbance::OfStandIn { operation, kind } => Some(Fault {
            caller: Some(stand_in.to_owned()),
            operation: (*operation).to_owned(),
            kind: kind.clone(),
            after: 0,
            times: Some(1),
        }),
        Disturbance::Call { operation, after, kind, always } => Some(Fault {
            caller: Some(caller.to_owned()),
            operation: operation.clone(),
            kind: kind.clone(),
            after: *after,
            times: (!always).then_some(1),
        }),
        _ => None,
    };
    disturbed.iter().filter_map(fault).collect()
}

fn request_strike(disturbed: &[Disturbance]) -> super::detour::RequestStrike {
    disturbed.iter().find_map(|it| match it {
        Disturbance::Request { after, kind, always } => Some((*after, *kind, *always)),
        _ => None,
    })
}

fn stream_strike(disturbed: &[Disturbance]) -> Option<(usize, super::StreamFault)> {
    disturbed.iter().find_map(|it| match it {
        Disturbance::Message { after, kind } => Some((*after, *kind)),
        _ => None,
    })
}
