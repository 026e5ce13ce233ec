//! A world with one or many services, in which one deployment follows the other.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::Fate;
use super::judge::{Ended, Judged, invocations, judge};
use crate::codedeploy::api::{self, NewDeployment, NewRevision};
use crate::rehearsal::{Machine, Rehearsal, new_world};
use crate::scenario::Loaded;
use crate::setup::{Prepared, Versions};
use crate::world::services::{Colour, TaskDefinition, TaskStatus};
use crate::world::stores::{Image, Object, Secret};
use crate::world::{State, World};

/// Real time within which a deployment must be over, that of many at once too.
const OVER_WITHIN: Duration = Duration::from_secs(180);
/// The database from which each deployment's is copied.
const SPRING: &str = "spring";
/// The bucket of migrations, and its folder with one that cannot be applied.
const BUCKET: &str = "shop-migrations";
const WRONG_FOLDER: &str = "wrong/";
/// What is wrong there with the last file.
const WRONG_MIGRATION: &str = "alter table nobody_made_this add column note text;\n";
/// The plan's label.
const LABEL: &str = "greenlight.plan";

/// The world.
pub struct Field {
    rehearsal: Rehearsal,
    services: Vec<Service>,
}

/// A service, and what CodeDeploy is told to deploy it.
struct Service {
    /// Its name, and that of its application and group.
    name: String,
    /// The AppSpec of the scenario's green.
    green: NewRevision,
}

impl Service {
    fn of(prepared: &Prepared) -> Result<Self> {
        let Versions::CodeDeploy { application, green, .. } = &prepared.versions else {
            bail!("a soak deploys with CodeDeploy, and its scenario has another engine");
        };
        Ok(Self { name: application.clone(), green: green.clone() })
    }
}

/// One side of a deployment that is about to begin.
struct Sides {
    blue: String,
    green: String,
    revision: NewRevision,
    database: String,
}

impl Field {
    /// Opens it with so many services, all behind one set of hooks, and waits until each serves.
    pub async fn open(loaded: Loaded, services: usize, machine: &Machine) -> Result<Self> {
        let others: Vec<String> =
            (2..=services).map(|number| format!("{}-{number:02}", loaded.scenario.service.name)).collect();
        let rehearsal = Rehearsal::open_beside(new_world(), loaded, &others, machine).await?;
        let opened = async {
            rehearsal.make_database(SPRING).await?;
            std::iter::once(&rehearsal.prepared).chain(&rehearsal.beside).map(Service::of).collect()
        };
        match opened.await {
            Ok(services) => {
                rehearsal.world.update(upload_wrong_migrations);
                Ok(Self { rehearsal, services })
            }
            Err(error) => {
                rehearsal.close().await;
                Err(error)
            }
        }
    }

    /// How many services there are.
    pub fn services(&self) -> usize {
        self.services.len()
    }

    /// Deploys a new revision of this service, counted from 0, waits for the end, that of a rollback too, and judges it.
    pub async fn deploy(&self, service: usize, fate: Fate) -> Result<Judged> {
        let (world, service) = (self.world(), &self.services[service]);
        let server = self.rehearsal.postgres().context("a soak needs a service with a PostgreSQL")?;
        let sides = world.update(|state| make_green(state, service, fate)).context("nothing to deploy")?;
        server.copy_database(SPRING, &sides.database).await?;
        let request = NewDeployment {
            application: service.name.clone(),
            group: service.name.clone(),
            config: None,
            revision: sides.revision.clone(),
            description: None,
            auto_rollback_override: None,
        };
        let id = api::create(world, request)?;
        let over = async {
            if fate == Fate::OfAnotherRevision {
                world.until(|state| swap_revision(state, &id, &sides.green)).await;
                world.update(|state| set_revision(state, &id, &sides.blue));
            }
            world.until(|state| over(state, &id)).await;
        };
        if tokio::time::timeout(OVER_WITHIN, over).await.is_err() {
            bail!("{id} of {} is not over within {} s", service.name, OVER_WITHIN.as_secs());
        }
        let applied = server.applied_migrations(&sides.database).await?;
        let migrations: Vec<i64> = applied.into_iter().filter(|it| it.success).map(|it| it.version).collect();
        server.drop_database(&sides.database).await?;
        let ended = Ended {
            id: &id,
            service: &service.name,
            fate,
            blue: &sides.blue,
            green: &sides.green,
            migrations: &migrations,
        };
        Ok(world.update(|state| {
            let judged = judge(&ended, state);
            forget(state, &service.name, &id);
            judged
        }))
    }

    /// Ends everything.
    pub async fn close(self) {
        self.rehearsal.close().await;
    }

    fn world(&self) -> &Arc<World> {
        &self.rehearsal.world
    }
}

/// A new revision of the service's task definition, its image, its secret and its AppSpec, as a pipeline would leave them.
fn make_green(state: &mut State, service: &Service, fate: Fate) -> Option<Sides> {
    let name = &service.name;
    let blue = state.services.iter().find(|it| it.name == *name)?.primary()?.task_definition.clone();
    let newest = state.task_definitions.iter().filter(|it| it.family == *name).max_by_key(|it| it.revision)?;
    let (pattern, mut green) = (newest.clone(), newest.clone());
    green.revision += 1;
    let database = format!("{name}-{}", green.revision);
    let container = green.containers.first_mut()?;
    let says = if fate == Fate::SaysAnotherVersion { "yesterday".to_owned() } else { green.revision.to_string() };
    container.environment.insert("VERSION".to_owned(), says);
    let (repository, _) = container.image.rsplit_once(':')?;
    container.image = format!("{repository}:{}", green.revision);
    let plan = container.labels.get_mut(LABEL)?;
    *plan = plan_of(plan, name, fate)?;
    if fate != Fate::ImageIsMissing {
        let image = Image { pushed_at: green.registered_at, findings: None };
        state.stores.repositories.entry(name.clone()).or_default().insert(green.revision.to_string(), image);
    }
    point_secret(state, name, &database)?;
    let revision = app_spec_of(&service.green, &green)?;
    let arn = green.arn();
    let roles = state.stores.task_definitions.get(&pattern.arn()).cloned().unwrap_or_default();
    state.stores.task_definitions.insert(arn.clone(), roles);
    state.task_definitions.push(green);
    Some(Sides { blue, green: arn, revision, database })
}

/// The plan that the new revision brings: the one before's, with what its fate wants.
fn plan_of(before: &str, service: &str, fate: Fate) -> Option<String> {
    let mut plan: Value = serde_json::from_str(before).ok()?;
    plan["database"]["secret"] = json!(format!("{service}/migrator"));
    let folder = if fate == Fate::MigrationFails { WRONG_FOLDER } else { "orders/" };
    plan["migrations"]["sql"] = json!(format!("s3://{BUCKET}/{folder}"));
    let status = if fate == Fate::AnswersOtherwise { 418 } else { 200 };
    plan.pointer_mut("/production/requests/0")?["expect"]["status"] = json!(status);
    Some(plan.to_string())
}

/// The service's login leads to this database from now on.
fn point_secret(state: &mut State, service: &str, database: &str) -> Option<()> {
    let secret: &mut Secret = state.stores.secrets.get_mut(&format!("{service}/migrator"))?;
    let mut login: Value = serde_json::from_str(&secret.value).ok()?;
    login["dbname"] = json!(database);
    secret.value = login.to_string();
    Some(())
}

/// The AppSpec of the scenario's green, with another task definition.
fn app_spec_of(scenarios: &NewRevision, green: &TaskDefinition) -> Option<NewRevision> {
    let NewRevision::Inline { content, .. } = scenarios else { return None };
    let (before, rest) = content.split_once("TaskDefinition: \"")?;
    let (_, after) = rest.split_once('"')?;
    Some(NewRevision::Inline { content: format!("{before}TaskDefinition: \"{}\"{after}", green.arn()), sha256: None })
}

/// The scenario's migrations once more, the last of them wrong.
fn upload_wrong_migrations(state: &mut State) {
    let uploaded = state.stores.objects.iter().filter(|((bucket, _), _)| bucket == BUCKET);
    let mut files: Vec<(String, Object)> = uploaded.map(|((_, key), object)| (key.clone(), object.clone())).collect();
    if let Some((_, last)) = files.last_mut() {
        last.body = WRONG_MIGRATION.into();
    }
    for (key, object) in files {
        let name = key.rsplit('/').next().unwrap_or_default();
        state.stores.objects.insert((BUCKET.to_owned(), format!("{WRONG_FOLDER}{name}")), object);
    }
}

/// Green's task set is there, and its tasks run.
fn swap_revision(state: &State, id: &str, green: &str) -> Option<()> {
    let set = state.codedeploy.deployment(id)?.green.as_ref()?;
    let set = state.task_set(set).filter(|set| set.task_definition == green && set.colour == Colour::Green)?;
    state.live_tasks(&set.id).any(|task| task.status == TaskStatus::Running).then_some(())
}

fn set_revision(state: &mut State, id: &str, task_definition: &str) {
    let green = state.codedeploy.deployment(id).and_then(|it| it.green.clone());
    let sets = state.services.iter_mut().flat_map(|service| &mut service.task_sets);
    for set in sets.filter(|set| Some(&set.id) == green.as_ref()) {
        task_definition.clone_into(&mut set.task_definition);
    }
}

/// Whether a deployment, its rollback and their hooks have ended.
fn over(state: &State, id: &str) -> Option<()> {
    let deployment = state.codedeploy.deployment(id).filter(|it| it.status.is_final())?;
    let ended = |id: &str| invocations(state, id).all(|it| it.status.is_final());
    if let Some(rollback) = &deployment.rolled_back_by {
        state.codedeploy.deployment(rollback).filter(|it| it.status.is_final() && ended(rollback))?;
    }
    ended(id).then_some(())
}

/// Invocations of a deployment that was judged, and tasks of its service that have stopped: ECS forgets them, too, and who waits
/// for something looks at fewer.
fn forget(state: &mut State, service: &str, id: &str) {
    let rollback = state.codedeploy.deployment(id).and_then(|it| it.rolled_back_by.clone());
    for id in [Some(id.to_owned()), rollback].into_iter().flatten() {
        let id = format!("\"{id}\"");
        state.invocations.retain(|it| !it.payload.contains(&id));
    }
    state.tasks.retain(|task| task.service != service || task.status != TaskStatus::Stopped);
}
