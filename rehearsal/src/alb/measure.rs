//! What the load balancer counts for CloudWatch.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::world::World;
use crate::world::load_balancer::{Health, load_balancer_dimension, target_group_dimension};
use crate::world::metrics::{MetricId, Metrics, Series};

const NAMESPACE: &str = "AWS/ApplicationELB";

/// Requests and what targets made of them: of a load balancer, or of one of its target groups. What did not happen is
/// not reported: no data is not zero.
#[derive(Clone)]
pub(super) struct TargetSeries {
    /// Requests for which a target was found.
    requests: Series,
    /// 2xx to 5xx.
    codes: [Series; 4],
    response_time: Series,
    connection_errors: Series,
}

/// Of a load balancer: also what it answered by itself. There is no target group to blame for that.
pub(super) struct LoadBalancerSeries {
    pub(super) targets: TargetSeries,
    own_4xx: Series,
    own_5xx: Series,
    /// 502, 503 and 504.
    own: [Series; 3],
}

impl TargetSeries {
    pub(super) fn new(metrics: &Metrics, balancer: &str, group: Option<&str>) -> Self {
        let series = |name: &str| metrics.series(&metric(name, balancer, group));
        Self {
            requests: series("RequestCount"),
            codes: [2, 3, 4, 5].map(|class| series(&format!("HTTPCode_Target_{class}XX_Count"))),
            response_time: series("TargetResponseTime"),
            connection_errors: series("TargetConnectionErrorCount"),
        }
    }

    pub(super) fn sent(&self, at: Timestamp) {
        self.requests.record(at, 1.0);
    }

    pub(super) fn answered(&self, at: Timestamp, status: u16, took: Duration) {
        if let Some(code) = usize::from(status / 100).checked_sub(2).and_then(|class| self.codes.get(class)) {
            code.record(at, 1.0);
        }
        self.response_time.record(at, took.as_secs_f64());
    }

    pub(super) fn not_connected(&self, at: Timestamp) {
        self.connection_errors.record(at, 1.0);
    }
}

impl LoadBalancerSeries {
    pub(super) fn new(metrics: &Metrics, balancer: &str) -> Self {
        let series = |name: &str| metrics.series(&metric(name, balancer, None));
        Self {
            targets: TargetSeries::new(metrics, balancer, None),
            own_4xx: series("HTTPCode_ELB_4XX_Count"),
            own_5xx: series("HTTPCode_ELB_5XX_Count"),
            own: [502, 503, 504].map(|code| series(&format!("HTTPCode_ELB_{code}_Count"))),
        }
    }

    pub(super) fn answered_itself(&self, at: Timestamp, status: u16) {
        match status / 100 {
            4 => self.own_4xx.record(at, 1.0),
            5 => self.own_5xx.record(at, 1.0),
            _ => {}
        }
        if let Some(own) = usize::from(status).checked_sub(502).and_then(|index| self.own.get(index)) {
            own.record(at, 1.0);
        }
    }
}

fn metric(name: &str, balancer: &str, group: Option<&str>) -> MetricId {
    match group {
        Some(group) => MetricId::new(NAMESPACE, name, &[("LoadBalancer", balancer), ("TargetGroup", group)]),
        None => MetricId::new(NAMESPACE, name, &[("LoadBalancer", balancer)]),
    }
}

/// Counts healthy and unhealthy targets in the middle of every minute of the world, so that a minute that has ended has
/// its count. A group whose targets are all unused or draining has no data; a target that is still `initial` is counted
/// as neither, which AWS does not document.
pub(super) async fn count_hosts(world: Arc<World>) {
    let now = world.now();
    let minute = SignedDuration::from_secs(60);
    let begun = now - SignedDuration::from_secs(now.as_second().rem_euclid(60));
    let mut next = begun + SignedDuration::from_secs(30);
    if next < now {
        next += minute;
    }
    loop {
        world.clock.sleep_until(next).await;
        let groups: Vec<_> = world.read(|state| {
            let counted = state.target_groups.iter().map(|group| {
                let count =
                    |wanted: fn(&Health) -> bool| group.targets.iter().filter(|target| wanted(&target.health)).count();
                let present = count(|health| !matches!(health, Health::Unused | Health::Draining));
                let healthy = count(|health| *health == Health::Healthy);
                let unhealthy = count(|health| matches!(health, Health::Unhealthy(_)));
                (group.load_balancer.clone(), group.arn.clone(), present, healthy, unhealthy)
            });
            counted.filter(|(_, _, present, _, _)| *present > 0).collect()
        });
        for (balancer, group, _, healthy, unhealthy) in groups {
            let (balancer, group) = (load_balancer_dimension(&balancer), target_group_dimension(&group));
            for (name, count) in [("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)] {
                world.metrics.record(&metric(name, balancer, Some(group)), next, count as f64);
            }
        }
        next += minute;
    }
}
