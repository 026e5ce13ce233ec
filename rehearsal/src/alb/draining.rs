//! A deregistered target: its requests end, then it is gone.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::routing::{Lane, TargetKey};
use crate::world::World;
use crate::world::journal::Who;
use crate::world::load_balancer::Health;

/// Waits for the whole deregistration delay of the world's time, as AWS does even when nothing is under way, then for
/// requests that are still under way: work is real, so they have the delay in real time too, before the target goes.
pub(super) async fn finish(
    world: Arc<World>,
    lane: Option<Arc<Lane>>,
    key: TargetKey,
    since: Timestamp,
    delay: Duration,
) {
    let (group, task) = &key;
    let cut = Instant::now() + delay;
    let waiting = world.clock.sleep_until(since + SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX));
    tokio::pin!(waiting);
    let mut over = false;
    loop {
        let in_flight = lane.as_ref().map_or(0, |lane| lane.in_flight());
        let told = world.read(|state| {
            let group = state.target_group(group)?;
            Some(group.targets.iter().find(|target| target.task == *task)?.in_flight)
        });
        if told.is_some_and(|told| told != in_flight) {
            world.update(|state| {
                if let Some(target) = state.target_mut(group, task) {
                    target.in_flight = in_flight;
                }
            });
        }
        if over && in_flight == 0 {
            break;
        }
        let ended = async {
            match &lane {
                Some(lane) => lane.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = &mut waiting, if !over => over = true,
            () = ended => {}
            () = tokio::time::sleep_until(cut), if over => break,
        }
    }
    let now = world.now();
    world.update(|state| {
        let name = state.target_group(group).and_then(|group| {
            let target =
                group.targets.iter().find(|target| target.task == *task && target.health == Health::Draining)?;
            Some(format!("target {} in {}", state.target_name(target), group.name))
        });
        let Some(name) = name else { return };
        if let Some(group) = state.target_group_mut(group) {
            group.targets.retain(|target| target.task != *task);
        }
        state.journal.say(now, Who::LoadBalancer, format!("{name}: draining → deregistered"));
    });
}
