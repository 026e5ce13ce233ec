//! Health checks: when a target is asked, and what its answers make of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::routing::TargetKey;
use crate::world::journal::Who;
use crate::world::load_balancer::{BadAnswer, Health, HealthCheck};
use crate::world::{State, World};

/// Real time between two checks of one target, at least: the world's clock may run 2,000 times as fast as the machine's.
const PACE: Duration = Duration::from_millis(5);

/// A target of a group that no rule names is unused and not checked; named again it begins anew.
pub(super) fn settle_use(world: &World) {
    let unsettled = |state: &State| -> Vec<(String, String, Health)> {
        let mut unsettled = Vec::new();
        for group in &state.target_groups {
            let used = state.is_in_use(&group.arn);
            for target in &group.targets {
                let next = match (&target.health, used) {
                    (Health::Unused, true) => Health::Initial { checking: false },
                    (Health::Initial { .. } | Health::Healthy | Health::Unhealthy(_), false) => Health::Unused,
                    _ => continue,
                };
                unsettled.push((group.arn.clone(), target.task.clone(), next));
            }
        }
        unsettled
    };
    if world.read(|state| unsettled(state).is_empty()) {
        return;
    }
    let now = world.now();
    world.update(|state| {
        for (group, task, next) in unsettled(state) {
            turn(state, now, &group, &task, next, 0);
        }
    });
}

/// Asks a target for as long as it is to be asked: one check at a time, due an interval of the world's time after the
/// last was due. What is late is not made up for.
pub(super) async fn check(world: Arc<World>, key: TargetKey, address: SocketAddr) {
    let (group, task) = &key;
    let mut due = world.now();
    let mut streak: i32 = 0;
    loop {
        let begun = Instant::now();
        let found = world.read(|state| {
            let group = state.target_group(group)?;
            let target = group.targets.iter().find(|target| target.task == *task)?;
            Some((group.health_check.clone(), target.health.clone()))
        });
        let Some((check, health)) = found else { return };
        if health == (Health::Initial { checking: false }) {
            let now = world.now();
            world.update(|state| turn(state, now, group, task, Health::Initial { checking: true }, 0));
        }

        let answer = ask(address, &check).await;
        streak = match answer {
            Ok(()) => streak.max(0).saturating_add(1),
            Err(_) => streak.min(0).saturating_sub(1),
        };
        if next(&health, streak, &check, &answer).is_some() {
            let now = world.now();
            world.update(|state| {
                // Asked again: it may have begun to drain meanwhile.
                let Some(target) = state.target_mut(group, task) else { return };
                if let Some(next) = next(&target.health, streak, &check, &answer) {
                    turn(state, now, group, task, next, streak);
                }
            });
        }

        due = (due + SignedDuration::try_from(check.interval).unwrap_or(SignedDuration::MAX)).max(world.now());
        world.clock.sleep_until(due).await;
        tokio::time::sleep_until(begun + PACE).await;
    }
}

/// The health that follows, if another one does.
///
/// A target that was just registered is healthy after one good answer, whatever the healthy threshold: that counts only
/// on the way back from unhealthy.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
fn next(health: &Health, streak: i32, check: &HealthCheck, answer: &Result<(), BadAnswer>) -> Option<Health> {
    match (health, answer) {
        (Health::Initial { .. }, Ok(())) => Some(Health::Healthy),
        (Health::Unhealthy(_), Ok(())) => (streak.unsigned_abs() >= check.healthy_threshold).then_some(Health::Healthy),
        (Health::Initial { .. } | Health::Healthy, Err(bad)) => {
            (streak.unsigned_abs() >= check.unhealthy_threshold).then(|| Health::Unhealthy(bad.clone()))
        }
        (Health::Unhealthy(before), Err(bad)) => (before != bad).then(|| Health::Unhealthy(bad.clone())),
        (Health::Healthy, Ok(())) | (Health::Unused | Health::Draining, _) => None,
    }
}

/// Writes a target's new health, and into the journal when its state is another one.
fn turn(state: &mut State, now: jiff::Timestamp, group: &str, task: &str, next: Health, streak: i32) {
    let line = state.target_group(group).and_then(|group| {
        let target = group.targets.iter().find(|target| target.task == task)?;
        if target.health.state() == next.state() {
            return None;
        }
        let why = match &next {
            Health::Unhealthy(_) => next.description().map(|why| format!(": {why}")).unwrap_or_default(),
            _ => String::new(),
        };
        let (before, after) = (target.health.state(), next.state());
        Some(format!("target {} in {}: {before} → {after}{why}", state.target_name(target), group.name))
    });
    if let Some(target) = state.target_mut(group, task) {
        if line.is_some() {
            target.since = now;
        }
        target.health = next;
        target.streak = streak;
    }
    if let Some(line) = line {
        state.journal.say(now, Who::LoadBalancer, line);
    }
}

/// One check on a connection of its own, in real time.
async fn ask(address: SocketAddr, check: &HealthCheck) -> Result<(), BadAnswer> {
    let code = match tokio::time::timeout(check.timeout, status(address, &check.path)).await {
        Err(_) => return Err(BadAnswer::Timeout),
        Ok(Err(error)) => {
            tracing::debug!("the health check of {address} failed: {error:#}");
            return Err(BadAnswer::Broken);
        }
        Ok(Ok(code)) => code,
    };
    if check.accepts(code) { Ok(()) } else { Err(BadAnswer::Code(code)) }
}

async fn status(address: SocketAddr, path: &str) -> anyhow::Result<u16> {
    let stream = TcpStream::connect(address).await?;
    let (mut connection, driver) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(HOST, address.to_string())
        .header(USER_AGENT, "ELB-HealthChecker/2.0")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let asked = connection.send_request(request);
    tokio::pin!(asked, driver);
    let response = tokio::select! {
        response = &mut asked => response?,
        // The driver ends first when the connection does; then the answer is there already, or never comes.
        ended = &mut driver => {
            ended?;
            asked.await?
        }
    };
    Ok(response.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health_check() -> HealthCheck {
        HealthCheck {
            path: "/health".to_owned(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            healthy_threshold: 5,
            unhealthy_threshold: 3,
            matcher: "200,204-206".to_owned(),
        }
    }

    #[test]
    fn a_new_target_is_healthy_after_one_good_answer_and_a_sick_one_after_the_threshold() {
        let check = health_check();
        let initial = Health::Initial { checking: true };
        let sick = Health::Unhealthy(BadAnswer::Code(500));
        assert_eq!(next(&initial, 1, &check, &Ok(())), Some(Health::Healthy));
        assert_eq!(next(&sick, 4, &check, &Ok(())), None);
        assert_eq!(next(&sick, 5, &check, &Ok(())), Some(Health::Healthy));
    }

    #[test]
    fn a_target_is_unhealthy_after_three_bad_answers_in_a_row() {
        let check = health_check();
        for health in [Health::Initial { checking: true }, Health::Healthy] {
            let bad = Err(BadAnswer::Timeout);
            assert_eq!(next(&health, -2, &check, &bad), None);
            assert_eq!(next(&health, -3, &check, &bad), Some(Health::Unhealthy(BadAnswer::Timeout)));
        }
    }

    #[test]
    fn an_unhealthy_target_tells_how_its_last_answer_was_bad() {
        let sick = Health::Unhealthy(BadAnswer::Code(500));
        let check = health_check();
        assert_eq!(next(&sick, -4, &check, &Err(BadAnswer::Code(500))), None);
        let broken = Err(BadAnswer::Broken);
        assert_eq!(next(&sick, -4, &check, &broken), Some(Health::Unhealthy(BadAnswer::Broken)));
    }

    #[test]
    fn the_matcher_takes_codes_lists_and_ranges() {
        let check = health_check();
        let taken: Vec<u16> =
            [200, 201, 204, 205, 206, 207, 500].into_iter().filter(|code| check.accepts(*code)).collect();
        assert_eq!(taken, [200, 204, 205, 206]);
    }
}
