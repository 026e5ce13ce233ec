//! Keeps routing, health checks and draining in step with the world.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{AbortHandle, JoinSet};

use super::routing::{Router, TargetKey, address};
use super::{draining, health};
use crate::world::load_balancer::Health;
use crate::world::{State, World};

/// What is to be done about a target.
#[derive(Clone, Debug, PartialEq)]
enum Care {
    Check(SocketAddr),
    Drain { since: Timestamp, delay: Duration },
}

/// Runs for ever.
pub(super) async fn run(world: Arc<World>, router: Arc<Router>) {
    let mut changed = world.changes();
    let mut tasks = JoinSet::new();
    let mut cared: HashMap<TargetKey, (Care, AbortHandle)> = HashMap::new();
    loop {
        changed.borrow_and_update();
        health::settle_use(&world);
        router.rebuild();
        let wanted = world.read(wanted);
        cared.retain(|key, (care, task)| {
            let kept = wanted.get(key) == Some(care);
            if !kept {
                task.abort();
            }
            kept
        });
        for (key, care) in wanted {
            if cared.contains_key(&key) {
                continue;
            }
            let task = match care.clone() {
                Care::Check(address) => tasks.spawn(health::check(world.clone(), key.clone(), address)),
                Care::Drain { since, delay } => {
                    tasks.spawn(draining::finish(world.clone(), router.lane(&key), key.clone(), since, delay))
                }
            };
            cared.insert(key, (care, task));
        }
        while tasks.try_join_next().is_some() {}
        if changed.changed().await.is_err() {
            return;
        }
    }
}

fn wanted(state: &State) -> HashMap<TargetKey, Care> {
    let mut wanted = HashMap::new();
    for group in &state.target_groups {
        for target in &group.targets {
            let care = match target.health {
                Health::Draining => Care::Drain { since: target.since, delay: group.deregistration_delay },
                Health::Unused => continue,
                Health::Initial { .. } | Health::Healthy | Health::Unhealthy(_) => match address(target) {
                    Some(address) => Care::Check(address),
                    None => continue,
                },
            };
            wanted.insert((group.arn.clone(), target.task.clone()), care);
        }
    }
    wanted
}
