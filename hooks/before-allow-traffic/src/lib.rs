//! What only the hook before production traffic does: migrating the database while blue still serves everybody, and what
//! waits for it.

pub mod in_order;
pub mod migrations;
pub mod migrations_apply;
pub mod migrations_by_task;
pub mod migrations_keep_blue_alive;
pub mod preparation;
pub mod settings;

use std::sync::Arc;

use greenlight::Check;
use greenlight::deployment::AnyDeployment;
use greenlight::plan::Plan;

use crate::migrations_apply::MigrationsApply;
use crate::migrations_by_task::MigrationsByTask;
use crate::migrations_keep_blue_alive::MigrationsKeepBlueAlive;
use crate::preparation::Handover;
use crate::settings::Settings;

/// First whether blue survives the files, then the files; or the team's own tool.
pub fn of_database<D: AnyDeployment>(plan: &Plan) -> Vec<Box<dyn Check<D>>>
where
    MigrationsByTask: Check<D>,
{
    if let Some(by_task) = MigrationsByTask::from_plan(plan) {
        return vec![Box::new(by_task)];
    }
    let (settings, handover) = (Settings::read(plan), Arc::new(Handover::default()));
    vec![
        Box::new(MigrationsKeepBlueAlive::new(settings.clone(), Arc::clone(&handover))),
        Box::new(MigrationsApply::new(settings, handover)),
    ]
}
