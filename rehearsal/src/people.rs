//! People who look after a deployment: one who stops it, one who decides at its pauses.

use std::sync::Arc;
use std::time::Duration;

use crate::scenario::native::PauseSpec;
use crate::world::World;
use crate::world::deployment_configuration::{HookAction, HookTarget};
use crate::world::journal::Who;
use crate::world::service_deployments::{HookStatus, StopType};
use crate::{codedeploy, ecs};

/// How much real time it takes until a person decides, or until nobody has.
const DECIDES_WITHIN: Duration = Duration::from_millis(1500);

/// Stops the deployment with this id, or ARN, when production is in this phase. Never ends.
pub async fn stop(world: Arc<World>, phase: String, id: String, how: StopType) {
    world.until(|state| (state.phase == phase).then_some(())).await;
    // Said first: what comes of it is told by another thread.
    world.say(Who::Rehearsal, "a person stops the deployment");
    let refused = if world.read(|state| state.service_deployment(&id).is_some()) {
        ecs::api::stop(&world, &id, how).map_err(|refused| format!("ECS does not stop it: {refused}"))
    } else {
        codedeploy::api::stop(&world, &id)
            .map(drop)
            .map_err(|refused| format!("CodeDeploy does not stop it: {refused}"))
    };
    if let Err(refused) = refused {
        world.say(Who::Rehearsal, refused);
    }
    std::future::pending().await
}

/// Decides at every pause at this stage as the scenario says, or lets its time run out. Never ends.
pub async fn decide(world: Arc<World>, pause: PauseSpec) {
    let stage = pause.stage.value.stage();
    let mut seen = Vec::new();
    loop {
        let (deployment, hook, expires) = world
            .until(|state| {
                let hooks = state.service_deployments.iter().flat_map(|it| it.hooks.iter().map(move |hook| (it, hook)));
                let mut waiting = hooks.filter(|(_, hook)| {
                    let open = hook.status == HookStatus::AwaitingAction && hook.target == HookTarget::Pause;
                    open && hook.stage == stage && !seen.contains(&hook.id)
                });
                waiting.next().map(|(it, hook)| (it.arn.clone(), hook.id.clone(), hook.expires_at))
            })
            .await;
        seen.push(hook.clone());
        let Some((action, after)) = pause.decision() else {
            let left = expires.duration_since(world.now()).unsigned_abs();
            world.clock.skip(left, DECIDES_WITHIN).await;
            continue;
        };
        let over = world.until(|state| {
            let hook = state.service_deployment(&deployment)?.hooks.iter().find(|it| it.id == hook)?;
            (hook.status != HookStatus::AwaitingAction).then_some(())
        });
        tokio::select! {
            // The time of the world passes quickly only for as long as somebody waits.
            () = over => continue,
            () = world.clock.skip(after, DECIDES_WITHIN) => {}
        }
        let says = match action {
            HookAction::Continue => "a person looks at green and lets the deployment go on",
            HookAction::Rollback => "a person looks at green and has the deployment rolled back",
        };
        world.say(Who::Rehearsal, says);
        if let Err(refused) = ecs::api::decide(&world, &deployment, &hook, action) {
            world.say(Who::Rehearsal, format!("ECS does not take it: {refused}"));
        }
    }
}
