//! The alarms that watch a service.

use std::time::Duration;

use greenlight::document::{Location, Spanned};
use greenlight::units::Span;

use super::Furnisher;
use crate::scenario::{AlarmSpec, AlarmTarget};
use crate::world::alarms::{Alarm, AlarmState, Comparison, MissingData};
use crate::world::load_balancer::{LoadBalancer, TargetGroup};
use crate::world::metrics::MetricId;

impl Furnisher<'_> {
    pub(super) fn alarms(&self, balancer: &LoadBalancer, groups: &[TargetGroup; 2]) -> Vec<Alarm> {
        let usual = || {
            vec![
                usual_alarm(
                    &self.service.name,
                    "unhealthy-hosts",
                    "UnHealthyHostCount",
                    "Maximum",
                    1.0,
                    AlarmTarget::Green,
                ),
                usual_alarm(
                    &self.service.name,
                    "5xx",
                    "HTTPCode_Target_5XX_Count",
                    "Sum",
                    5.0,
                    AlarmTarget::LoadBalancer,
                ),
            ]
        };
        let specs = self.loaded.scenario.alarms.clone().unwrap_or_else(usual);
        specs.iter().map(|spec| self.alarm(spec, balancer, groups)).collect()
    }

    fn alarm(&self, spec: &AlarmSpec, balancer: &LoadBalancer, groups: &[TargetGroup; 2]) -> Alarm {
        let of_balancer = format!("app/{}/{}", balancer.name, balancer.id);
        let group = match spec.of {
            AlarmTarget::LoadBalancer => None,
            AlarmTarget::Blue => Some(&groups[0]),
            AlarmTarget::Green => Some(&groups[1]),
        };
        let of_group = group.and_then(|group| group.arn.rsplit_once(':')).map(|(_, name)| name);
        let mut dimensions = vec![("LoadBalancer", of_balancer.as_str())];
        dimensions.extend(of_group.map(|name| ("TargetGroup", name)));
        self.alarm_on(spec, MetricId::new("AWS/ApplicationELB", &spec.metric.value, &dimensions))
    }

    pub(super) fn alarm_on(&self, spec: &AlarmSpec, metric: MetricId) -> Alarm {
        Alarm {
            name: spec.name.clone(),
            metric,
            statistic: spec.statistic.clone(),
            period_minutes: u32::try_from(spec.period.duration().as_secs() / 60).unwrap_or(1).max(1),
            evaluation_periods: spec.periods,
            datapoints_to_alarm: spec.periods,
            threshold: spec.at_least,
            comparison: Comparison::AtLeast,
            missing: MissingData::NotBreaching,
            state: AlarmState::Ok,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            since: self.now,
        }
    }
}

pub(super) fn usual_alarm(
    service: &str,
    name: &str,
    metric: &str,
    statistic: &str,
    at_least: f64,
    of: AlarmTarget,
) -> AlarmSpec {
    AlarmSpec {
        name: format!("{service}-{name}"),
        metric: Spanned::new(metric.to_owned(), Location::UNKNOWN, Location::UNKNOWN),
        of,
        statistic: statistic.to_owned(),
        at_least,
        period: Span::new(Duration::from_secs(60)),
        periods: 1,
    }
}
