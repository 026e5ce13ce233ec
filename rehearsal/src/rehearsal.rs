//! One rehearsal from beginning to end: everything started in order, the deployment, everything stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use greenlight::stage::Stage;
use tokio::task::JoinSet;

use crate::alb::{Alb, AlbHandle};
use crate::certificates::Authority;
use crate::clock::Clock;
use crate::codedeploy::api::{self, NewDeployment};
use crate::codedeploy::engine::{self, in_words};
use crate::database::Database;
use crate::ecs::api::Update;
use crate::ledger::{Ledger, LedgerSummary};
use crate::outcome::{self, MigrationOutcome, Outcome};
use crate::postgres::Postgres;
use crate::rds_gate::Gate;
use crate::reaper::Reaper;
use crate::scenario::migrations::versions;
use crate::scenario::{DeploymentEngine, Loaded, RequestSpec};
use crate::served_plan::ServedPlan;
use crate::setup::{self, DatabaseLogin, Https, Prepared, Production, Surroundings, Versions};
use crate::tasks::{self, Launch, LaunchCommand};
use crate::traffic::{InvocationPlan, PlannedRequest, Traffic, TrafficPlan};
use crate::wire::{Wire, WireHandle};
use crate::world::alarms::AlarmState;
use crate::world::journal::Who;
use crate::world::services::{Colour, Task};
use crate::world::stores::resource_id;
use crate::world::{State, World};
use crate::{cloudwatch, ecs, lambda, meddling, people};

/// World time that users are watched before the deployment begins and after it has ended.
const WATCHED: Duration = Duration::from_secs(120);
/// Real time that takes.
const WATCHED_TAKES: Duration = Duration::from_millis(600);
/// Real time that blue may take until it serves.
const BLUE_SERVES_WITHIN: Duration = Duration::from_secs(60);
/// A user's patience, real time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The phase of requests that are sent after one deployment and before the next.
const BETWEEN: &str = "between deployments";

/// What a rehearsal needs of this machine.
#[derive(Clone)]
pub struct Machine {
    /// The folder with the hooks' binaries: by their names, or as `sam build` lays them out.
    pub hooks: PathBuf,
    /// The sample service.
    pub sample_service: PathBuf,
    /// The sample service's migrations.
    pub sample_migrations: PathBuf,
    /// The hook in which something panics, for the matrix.
    pub panicking_hook: PathBuf,
    /// Clears up when this process is killed.
    pub reaper: Option<Reaper>,
    /// The port of the AWS endpoint; any free one when `None`.
    pub endpoint_port: Option<u16>,
}

/// A world in which blue serves.
pub struct Rehearsal {
    /// The world.
    pub world: Arc<World>,
    /// What a deployment is created with.
    pub prepared: Prepared,
    /// The same, of the other services.
    pub beside: Vec<Prepared>,
    loaded: Loaded,
    sample_migrations: PathBuf,
    ledger: Ledger,
    // Stopped in this order.
    traffic: Option<Traffic>,
    actors: JoinSet<()>,
    wire: WireHandle,
    alb: AlbHandle,
    gate: Option<Gate>,
    database: Option<Database>,
    https: Option<Encryption>,
}

/// What encrypts the listeners, where the scenario wants it.
struct Encryption {
    host: String,
    authority: Authority,
    /// Holds the authority's certificate until the end.
    folder: tempfile::TempDir,
}

impl Encryption {
    fn of(loaded: &Loaded) -> Result<Option<Self>> {
        let Some(host) = &loaded.scenario.deployment.https else { return Ok(None) };
        let (authority, folder) = (Authority::new()?, tempfile::tempdir().context("no temporary folder")?);
        let encryption = Self { host: host.value.clone(), authority, folder };
        std::fs::write(encryption.roots(), encryption.authority.pem()).context("no file for the authority")?;
        Ok(Some(encryption))
    }

    fn roots(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}

impl Rehearsal {
    /// Starts everything and waits until blue serves. `world` is given so that its journal can be followed from the first
    /// line on.
    pub async fn open(world: Arc<World>, loaded: Loaded, machine: &Machine) -> Result<Self> {
        Self::open_beside(world, loaded, &[], machine).await
    }

    /// As [`Rehearsal::open`], with further services that are as the scenario's, but for their names. One stack of functions
    /// guards them all: that for applications whose names begin as the scenario's. Users are with the scenario's own.
    pub async fn open_beside(world: Arc<World>, loaded: Loaded, others: &[String], machine: &Machine) -> Result<Self> {
        let database = database(&world, &loaded, machine).await?;
        let gate = gate(&world, &loaded, database.as_ref()).await?;
        let https = Encryption::of(&loaded)?;
        let plan = ServedPlan::of(loaded.plan.as_ref().map(|(_, text)| text.as_str()));
        let here = Surroundings {
            hooks: machine.hooks.clone(),
            sample_service: machine.sample_service.clone(),
            sample_migrations: machine.sample_migrations.clone(),
            database: database.as_ref().map(|database| login(database, gate.as_ref(), &loaded)),
            https: match &https {
                Some(https) => {
                    Some(Https { certificate: https.authority.certificate(&https.host)?, roots: https.roots() })
                }
                None => None,
            },
            applications: match others {
                [] => loaded.scenario.application().to_owned(),
                _ => format!("{}*", loaded.scenario.application()),
            },
        };
        let prepared = setup::furnish(&world, &loaded, &plan, &here);
        let mut beside = Vec::new();
        for name in others {
            let mut other = loaded.clone();
            other.scenario.service.name.clone_from(name);
            beside.push(setup::furnish_beside(&world, &other, &plan, &here));
        }
        say_what_is_not_as_on_aws(&world, &loaded, &plan);
        let alb = Alb::start(Arc::clone(&world)).await.context("the load balancer cannot start")?;
        let wire =
            Wire::start(Arc::clone(&world), machine.endpoint_port).await.context("the AWS endpoint cannot start")?;
        let actors = actors(&world, &loaded, machine, wire.url());
        let mut rehearsal = Self {
            world,
            prepared,
            beside,
            loaded,
            sample_migrations: machine.sample_migrations.clone(),
            ledger: Ledger::new(),
            traffic: None,
            actors,
            wire,
            alb,
            gate,
            database,
            https,
        };
        match rehearsal.blue_serves().await {
            Ok(()) => {
                rehearsal.start_traffic()?;
                // Whoever is told that users send requests finds some in the ledger, however soon it ends.
                rehearsal.ledger.until_ended(1).await;
                Ok(rehearsal)
            }
            Err(error) => {
                rehearsal.close().await;
                Err(error)
            }
        }
    }

    /// Between deployments the clock runs at real speed from now on, so that what a person sees keeps its age; while an
    /// alarm fires it runs on, so that nobody waits for its recovery.
    pub fn rest_in_real_time(&mut self) {
        let world = Arc::clone(&self.world);
        self.actors.spawn(async move {
            let all_ended = State::deployments_have_ended;
            let quiet = |state: &State| state.alarms.iter().all(|alarm| alarm.state != AlarmState::Alarm);
            loop {
                world.until(|state| all_ended(state).then_some(())).await;
                if world.read(|state| state.phase != setup::BEFORE) {
                    world.update(|state| BETWEEN.clone_into(&mut state.phase));
                }
                tokio::select! {
                    () = world.until(|state| quiet(state).then_some(())) => {}
                    () = world.until(|state| (!all_ended(state)).then_some(())) => {}
                }
                let _real_time = world.clock.working();
                world.until(|state| (!(all_ended(state) && quiet(state))).then_some(())).await;
            }
        });
    }

    /// Users send no more; what became of their requests, once each has ended.
    pub async fn end_traffic(&mut self) -> LedgerSummary {
        if let Some(traffic) = self.traffic.take() {
            traffic.stop().await;
        }
        self.ledger.summary()
    }

    /// Where any AWS client reaches this world.
    pub fn endpoint_url(&self) -> &str {
        self.wire.url()
    }

    /// Deploys green as the scenario says and waits for the end, that of a rollback too.
    pub async fn deploy(&mut self) -> Result<Outcome> {
        self.world.clock.skip(WATCHED, WATCHED_TAKES).await;
        self.begin_report().await?;
        let mut id = self.create(Colour::Green)?;
        for pause in &self.loaded.scenario.on_ecs.pauses {
            self.actors.spawn(people::decide(Arc::clone(&self.world), pause.clone()));
        }
        if let Some(phase) = self.loaded.scenario.stops_at() {
            let how = self.loaded.scenario.on_ecs.stop.how();
            self.actors.spawn(people::stop(Arc::clone(&self.world), phase, id.clone(), how));
        }
        if self.loaded.scenario.function.as_ref().is_some_and(|function| function.value.alias_is_put_back) {
            self.actors.spawn(meddling::put_alias_back(Arc::clone(&self.world)));
        }
        self.settled().await?;
        if self.loaded.scenario.deployment.then_roll_back_by_hand {
            self.world.say(Who::Rehearsal, "a person deploys the previous revision again");
            id = self.create(Colour::Blue)?;
            self.settled().await?;
        }
        self.world.update(|state| "after".clone_into(&mut state.phase));
        self.world.clock.skip(WATCHED, WATCHED_TAKES).await;
        let summary = self.end_traffic().await;
        let mut outcome = self.world.read(|state| Outcome::of(&self.loaded.name, &id, state, summary));
        if let Some(database) = &self.database {
            let applied = database.applied_migrations(&self.loaded.scenario.service.name).await?;
            let recorded = applied.iter().map(|it| MigrationOutcome { version: it.version, success: it.success });
            outcome.migrations = Some(recorded.collect());
        }
        let calls = [self.wire.calls(), self.gate.as_ref().map(Gate::calls).unwrap_or_default()].concat();
        outcome.calls = outcome::count(&calls);
        outcome.permissions = outcome::needed(&calls);
        Ok(outcome)
    }

    /// Creates the deployment of green, and does not wait for its end. Its id.
    pub(crate) fn begin(&self) -> Result<String> {
        self.create(Colour::Green)
    }

    /// Makes another database with the schema of blue; nothing where the service has none.
    pub(crate) async fn make_database(&self, name: &str) -> Result<()> {
        let Some(database) = &self.database else { return Ok(()) };
        database.create_database(name).await?;
        let folder = setup::migrations(&self.loaded, &self.sample_migrations);
        let up_to = blues_migration(&self.loaded, &folder)?;
        database.apply(name, &folder, Some(up_to)).await
    }

    /// The server of the service's database.
    pub(crate) fn postgres(&self) -> Option<&Postgres> {
        self.database.as_ref()?.as_postgres()
    }

    /// How many calls of AWS there were so far.
    pub(crate) fn calls_so_far(&self) -> usize {
        self.wire.count()
    }

    /// The operations that this function called since then.
    pub(crate) fn calls_of(&self, function: &str, since: usize) -> Vec<String> {
        self.wire.calls_of(function, since)
    }

    /// Ends everything that was started.
    pub async fn close(mut self) {
        drop(self.traffic.take());
        self.actors.shutdown().await;
        drop(self.wire);
        self.alb.stop().await;
        drop(self.gate);
        if let Some(database) = self.database {
            database.stop().await;
        }
    }

    /// Waits until something that should never end has ended; for whoever serves the world without a deployment.
    pub async fn broken(&mut self) -> anyhow::Error {
        match self.actors.join_next().await {
            Some(Err(error)) => anyhow!("a part of the rehearsal has failed: {error}"),
            Some(Ok(())) | None => anyhow!("a part of the rehearsal has ended early"),
        }
    }

    /// Blue's own, where the scenario has one: it goes on into the migrations.
    async fn begin_report(&mut self) -> Result<()> {
        let service = &self.loaded.scenario.service;
        let (Some(lasts), Some(database)) = (&service.long_report, &self.database) else { return Ok(()) };
        let (lasts, report) = (lasts.value.duration(), database.open_report(&service.name).await?);
        let begins = self.loaded.scenario.phase_of(Stage::BeforeAllowTraffic);
        let world = Arc::clone(&self.world);
        world.say(
            Who::Rehearsal,
            format!(
                "a report of blue's reads every table; it ends {:.1} s after {begins} has begun",
                lasts.as_secs_f64()
            ),
        );
        self.actors.spawn(async move {
            world.until(|state| (state.phase == begins).then_some(())).await;
            tokio::time::sleep(lasts).await;
            drop(report);
            std::future::pending().await
        });
        Ok(())
    }

    /// Begins a deployment of this version. Its id, or ARN.
    fn create(&self, version: Colour) -> Result<String> {
        match self.prepared.versions.clone() {
            Versions::CodeDeploy { application, group, green, blue } => {
                let request = NewDeployment {
                    application,
                    group,
                    config: None,
                    revision: if version == Colour::Green { green } else { blue },
                    description: None,
                    auto_rollback_override: None,
                };
                Ok(api::create(&self.world, request)?)
            }
            Versions::Ecs { cluster, service, green, blue } => {
                let task_definition = Some(if version == Colour::Green { green } else { blue });
                let update = Update { cluster, service, task_definition, ..Update::default() };
                ecs::api::update(&self.world, update)?.context("ECS has nothing to deploy")
            }
        }
    }

    /// Waits until no deployment is under way.
    async fn settled(&mut self) -> Result<()> {
        let world = Arc::clone(&self.world);
        let all_ended = world.until(|state| state.deployments_have_ended().then_some(()));
        tokio::select! {
            () = all_ended => Ok(()),
            error = self.broken() => Err(error),
        }
    }

    async fn blue_serves(&mut self) -> Result<()> {
        let world = Arc::clone(&self.world);
        if self.loaded.scenario.function.is_some() {
            // A function runs when it is invoked.
            return Ok(());
        }
        let steady = world.until(|state| {
            if state.services.iter().all(|service| service.primary().is_some_and(|blue| blue.steady)) {
                return Some(Ok(()));
            }
            let died = state.tasks.iter().find(|task| task.stopped.is_some())?;
            Some(Err(anyhow!("blue does not serve: {}", in_one_line(died, state))))
        });
        tokio::select! {
            result = steady => result,
            error = self.broken() => Err(error),
            () = tokio::time::sleep(BLUE_SERVES_WITHIN) => Err(anyhow!(
                "blue runs but did not become healthy within {}: does GET {} answer {}?",
                in_words(BLUE_SERVES_WITHIN),
                self.loaded.scenario.service.health_check.path,
                self.loaded.scenario.service.health_check.matcher,
            )),
        }
    }

    fn start_traffic(&mut self) -> Result<()> {
        let follower = follow_phases(Arc::clone(&self.world), self.ledger.clone());
        self.actors.spawn(follower);
        match self.prepared.production.clone() {
            Production::Listener(listener) => self.start_requests(&listener),
            Production::Alias { function, alias } => self.start_invocations(function, alias),
        }
    }

    fn start_invocations(&mut self, function: String, alias: String) -> Result<()> {
        let spec = &self.loaded.scenario.traffic;
        let events = spec.events.as_ref().map(|events| events.value.clone());
        let events = events.unwrap_or_else(|| vec![serde_json::Value::Object(serde_json::Map::new())]);
        let port = self.wire.url().rsplit(':').next().and_then(|port| port.parse().ok());
        let plan = InvocationPlan {
            port: port.context("the AWS endpoint has no port")?,
            rate: spec.rate.per_second().ceil() as u32,
            events: events.iter().map(|event| Bytes::from(event.to_string())).collect(),
            timeout: PATIENCE,
            function,
            alias,
        };
        let text =
            format!("version 1 serves; users invoke {}:{} {} times a second", plan.function, plan.alias, plan.rate);
        self.traffic = Some(Traffic::invoke(Arc::clone(&self.world), plan, self.ledger.clone()));
        self.world.say(Who::Rehearsal, text);
        Ok(())
    }

    fn start_requests(&mut self, listener: &str) -> Result<()> {
        let port = self.world.read(|state| state.listener(listener).map_or(0, |listener| listener.port));
        let mut plan = TrafficPlan::orders(port);
        let spec = &self.loaded.scenario.traffic;
        plan.rate = spec.rate.per_second().ceil() as u32;
        plan.timeout = PATIENCE;
        if let Some(https) = &self.https {
            plan.host.clone_from(&https.host);
            plan.tls = Some(https.authority.client()?);
        }
        if let Some(requests) = &spec.requests {
            plan.requests = requests.value.iter().map(planned).collect::<Result<_>>()?;
        } else if self.loaded.scenario.service.command.is_some() {
            plan.requests = vec![planned(&RequestSpec { method: "GET".into(), path: "/".into(), json: None })?];
        }
        let rate = plan.rate;
        let traffic = Traffic::start(Arc::clone(&self.world), plan, self.ledger.clone(), self.alb.access_log());
        self.traffic = Some(traffic);
        self.world.say(Who::Rehearsal, format!("blue serves; users send {rate} requests a second"));
        Ok(())
    }
}

async fn database(world: &World, loaded: &Loaded, machine: &Machine) -> Result<Option<Database>> {
    let service = &loaded.scenario.service;
    if !service.database || loaded.scenario.function.is_some() {
        return Ok(None);
    }
    let _working = world.clock.working();
    let (shown, iam_user) = (service.database_certificate.shown(), service.database_iam_user.as_deref());
    let database = Database::start(service.engine(), machine.reaper.as_ref(), shown, iam_user).await?;
    if let (Some(user), Some(postgres)) = (iam_user, database.as_postgres()) {
        postgres.create_iam_user(user).await?;
    }
    database.create_database(&service.name).await?;
    let folder = setup::migrations(loaded, &machine.sample_migrations);
    let up_to = blues_migration(loaded, &folder)?;
    database.apply(&service.name, &folder, Some(up_to)).await?;
    let product = database.product();
    world.say(Who::Rehearsal, format!("{product} runs; its schema is that of blue, migration {up_to}"));
    Ok(Some(database))
}

/// The last migration that blue's schema has.
fn blues_migration(loaded: &Loaded, folder: &Path) -> Result<i64> {
    let versions = versions(folder).with_context(|| format!("cannot read the migrations in {}", folder.display()))?;
    let up_to = loaded.scenario.service.migrated_to.as_ref().map(|it| it.value).or(versions.first().copied());
    up_to.with_context(|| format!("there is no migration in {}", folder.display()))
}

/// RDS's endpoint, where somebody logs in by IAM authentication.
async fn gate(world: &Arc<World>, loaded: &Loaded, database: Option<&Database>) -> Result<Option<Gate>> {
    let Some(passage) = database.and_then(|database| database.as_postgres()?.passage()) else { return Ok(None) };
    let service = &loaded.scenario.service;
    let database = service.database_identifier.as_ref().unwrap_or(&service.name);
    let gate = Gate::open(Arc::clone(world), passage, &resource_id(database)).await?;
    Ok(Some(gate))
}

fn login(database: &Database, gate: Option<&Gate>, loaded: &Loaded) -> DatabaseLogin {
    let (engine, version, scheme) = database.words();
    DatabaseLogin {
        engine,
        version,
        scheme,
        host: database.host().to_owned(),
        port: database.port(),
        endpoint_port: gate.map_or_else(|| database.port(), Gate::port),
        iam_user: loaded.scenario.service.database_iam_user.clone(),
        name: loaded.scenario.service.name.clone(),
        user: database.user().to_owned(),
        password: database.password().to_owned(),
        authority: database.authority().to_owned(),
    }
}

fn say_what_is_not_as_on_aws(world: &World, loaded: &Loaded, plan: &ServedPlan) {
    let bakes = !loaded.scenario.leaves_out(Stage::AfterAllowTraffic);
    let works = match loaded.scenario.engine {
        DeploymentEngine::CodeDeploy => Stage::AfterAllowTraffic.event_name(),
        DeploymentEngine::Ecs => Stage::AfterAllowTraffic.hook_name(),
    };
    if let Some(bake) = plan.bake.filter(|_| bakes) {
        world.say(
            Who::Rehearsal,
            format!(
                "a bake of {} is served as 2 s; the world runs {:.0} times faster while {works} works",
                in_words(bake),
                plan.pace
            ),
        );
    }
    for fault in &loaded.scenario.faults {
        let whose = fault.by.map_or_else(|| "everybody".to_owned(), |by| by.name().to_owned());
        let answer = fault.answer.kind().name();
        world.say(Who::Rehearsal, format!("fault: {} by {whose} gets {answer}", fault.operation));
    }
}

fn actors(world: &Arc<World>, loaded: &Loaded, machine: &Machine, endpoint_url: &str) -> JoinSet<()> {
    // What a task definition starts that a person registers without a command.
    let sample = || LaunchCommand::Program(vec![machine.sample_service.display().to_string()]);
    let launch = Launch {
        command: loaded.scenario.service.command.clone().map_or_else(sample, LaunchCommand::Shell),
        port_variable: loaded.scenario.service.port_variable.clone(),
        environment: Default::default(),
        folder: Some(loaded.folder.clone()).filter(|folder| folder.is_dir()),
        reaper: machine.reaper.clone(),
    };
    let settings = lambda::Settings { endpoint_url: endpoint_url.to_owned(), reaper: machine.reaper.clone() };
    let mut actors = JoinSet::new();
    actors.spawn(world.clock.clone().run());
    actors.spawn(ecs::run(Arc::clone(world)));
    actors.spawn(tasks::run(Arc::clone(world), launch));
    actors.spawn(lambda::run(Arc::clone(world), settings));
    actors.spawn(cloudwatch::run(Arc::clone(world)));
    actors.spawn(engine::run(Arc::clone(world), loaded.scenario.switches.switches()));
    actors.spawn(ecs::engine::run(Arc::clone(world), loaded.scenario.switches.native()));
    if loaded.mutated.as_ref().is_some_and(|it| it.mutant.leaks()) {
        actors.spawn(meddling::leak_to_blue(Arc::clone(world), 50));
    }
    if let Some(leak) = &loaded.scenario.deployment.test_listener_leaks {
        actors.spawn(meddling::leak_to_blue(Arc::clone(world), leak.value.percent().round() as u32));
    }
    for meddling in loaded.scenario.deployment.somebody_else.iter().flatten() {
        actors.spawn(meddling::meddle(Arc::clone(world), *meddling));
    }
    actors
}

/// Tells the ledger which part of the deployment requests fall into.
async fn follow_phases(world: Arc<World>, ledger: Ledger) {
    let mut phase = String::new();
    loop {
        phase = world.until(|state| (state.phase != phase).then(|| state.phase.clone())).await;
        ledger.enter(phase.clone());
    }
}

/// Why a task is gone, with the last it wrote.
fn in_one_line(died: &Task, state: &State) -> String {
    let Some(stopped) = &died.stopped else { return "it has stopped".to_owned() };
    let check = state.task_set(&died.task_set).and_then(|set| state.target_group(&set.target_group));
    let last = died.last_lines.iter().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or_else(|| "it wrote nothing".to_owned(), |line| format!("its last output: {}", line.trim()));
    match (stopped.code, check.map(|group| &group.health_check)) {
        ("TaskFailedToStart", _) => stopped.reason.clone(),
        ("ServiceSchedulerInitiated", Some(check)) => {
            format!("its health check, GET {}, was not answered {}; {last}", check.path, check.matcher)
        }
        _ => format!("{}; {last}", stopped.reason),
    }
}

fn planned(spec: &RequestSpec) -> Result<PlannedRequest> {
    let body = spec.json.as_ref().map(|json| Bytes::from(json.to_string())).unwrap_or_default();
    let method = spec.method.parse().with_context(|| format!("`{}` is no HTTP method", spec.method))?;
    let path = spec.path.parse().with_context(|| format!("`{}` is no path", spec.path))?;
    Ok(PlannedRequest { method, path, body })
}

/// A world with its own clock, nothing in it yet.
pub fn new_world() -> Arc<World> {
    Arc::new(World::new(Clock::new()))
}

/// As [`new_world`], for people who look on: while a deployment only waits, its clock runs this many times faster.
pub fn new_world_at_pace(pace: f64) -> Arc<World> {
    Arc::new(World::new(Clock::at_pace(pace)))
}
