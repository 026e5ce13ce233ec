//! Where production traffic is, by the weights of the production listener, or of a function's alias.

use super::Verdict;
use crate::deployment::{Alias, Deployment, FunctionDeployment, TaskSet};

/// Where production traffic is. Versions are `family:revision`.
#[derive(Clone, Debug, PartialEq)]
pub enum Traffic {
    /// All of it on blue.
    Blue(String),
    /// All of it on green.
    Green(String),
    /// On both.
    Split {
        /// Blue's version.
        blue: String,
        /// Green's version.
        green: String,
        /// Green's share in percent, rounded.
        green_percent: u64,
    },
    /// Behind the alias of a function.
    Alias {
        /// `orders:live`.
        invoked: String,
        /// Where it leads.
        to: Alias,
    },
    /// Nobody knows.
    Unknown,
}

impl Traffic {
    /// By the rules of the production listener that forward to one of the two sides; where there is none, by what
    /// CodeDeploy reports of the task sets.
    pub fn of(deployment: &Deployment) -> Self {
        let weight = |side: Option<&TaskSet>| -> u64 {
            let Some(side) = side.filter(|side| !side.target_group_arn.is_empty()) else { return 0 };
            let weights = deployment.production.weights().filter(|(arn, _)| *arn == side.target_group_arn);
            weights.map(|(_, weight)| u64::from(weight)).sum()
        };
        let (mut blue, mut green) = (weight(deployment.blue.as_ref()), weight(deployment.green.as_ref()));
        if blue + green == 0 {
            let reported = |side: Option<&TaskSet>| share(side.and_then(|side| side.traffic_percent));
            (blue, green) = (reported(deployment.blue.as_ref()), reported(deployment.green.as_ref()));
        }
        let version =
            |side: Option<&TaskSet>| side.map_or_else(|| "unknown".to_owned(), |side| side.version().to_owned());
        match (blue, green) {
            (0, 0) => Self::Unknown,
            (_, 0) => Self::Blue(version(deployment.blue.as_ref())),
            (0, _) => Self::Green(version(deployment.green.as_ref())),
            (blue, green) => Self::Split {
                blue: version(deployment.blue.as_ref()),
                green: version(deployment.green.as_ref()),
                green_percent: (green * 100 + (blue + green) / 2) / (blue + green),
            },
        }
    }

    /// By what CodeDeploy reports of the two versions; for as long as the alias itself is not known.
    pub fn of_function(deployment: &FunctionDeployment) -> Self {
        let shift = &deployment.shift;
        let Some(percent) = deployment.target_percent else { return Self::Unknown };
        let to = if percent >= 100.0 {
            Alias { version: shift.target.clone(), additional: Vec::new() }
        } else {
            let additional = vec![(shift.target.clone(), percent)].into_iter().filter(|_| percent > 0.0).collect();
            Alias { version: shift.current.clone(), additional }
        };
        Self::Alias { invoked: shift.invoked(), to }
    }

    /// For the first line. Nothing moves back by itself when a hook says stop.
    pub fn words(&self, verdict: Verdict) -> String {
        let is = match verdict {
            Verdict::Stop => "stays",
            Verdict::Proceed => "is",
        };
        match self {
            Self::Blue(version) => format!("traffic {is} on blue ({version})"),
            Self::Green(version) => format!("traffic is on green ({version})"),
            Self::Split { blue, green, green_percent } => {
                format!("traffic is {} % on blue ({blue}), {green_percent} % on green ({green})", 100 - green_percent)
            }
            Self::Alias { invoked, to } => match to.additional.as_slice() {
                [] => format!("traffic of {invoked} {is} on {to}"),
                _ => format!("traffic of {invoked} is {to}"),
            },
            Self::Unknown => "traffic is where it was (not known)".to_owned(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage, clamped")]
fn share(percent: Option<f64>) -> u64 {
    percent.unwrap_or_default().clamp(0.0, 100.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::{
        BLUE_GROUP, GREEN_GROUP, PRODUCTION_LISTENER, deployment, forward, function_deployment, listener,
    };

    fn with_weights(groups: &[(&str, u32)]) -> Traffic {
        let production = listener(PRODUCTION_LISTENER, 80, vec![forward(groups)]);
        Traffic::of(&Deployment { production, ..deployment() })
    }

    #[test]
    fn the_listeners_weights_decide() {
        assert_eq!(with_weights(&[(BLUE_GROUP, 100), (GREEN_GROUP, 0)]), Traffic::Blue("orders:41".to_owned()));
        assert_eq!(with_weights(&[(GREEN_GROUP, 1)]), Traffic::Green("orders:42".to_owned()));
        let split = with_weights(&[(BLUE_GROUP, 90), (GREEN_GROUP, 10)]);
        assert_eq!(split.words(Verdict::Stop), "traffic is 90 % on blue (orders:41), 10 % on green (orders:42)");
    }

    #[test]
    fn codedeploys_word_counts_where_the_listener_points_elsewhere() {
        assert_eq!(with_weights(&[("arn:other", 1)]), Traffic::Blue("orders:41".to_owned()));
    }

    #[test]
    fn an_alias_is_told_with_its_shares() {
        let at = |target_percent| {
            Traffic::of_function(&FunctionDeployment { target_percent, ..function_deployment() }).words(Verdict::Stop)
        };
        assert_eq!(at(Some(0.0)), "traffic of orders:live stays on version 41");
        assert_eq!(at(Some(10.0)), "traffic of orders:live is 90 % to version 41 and 10 % to version 42");
        assert_eq!(at(Some(100.0)), "traffic of orders:live stays on version 42");
        assert_eq!(at(None), "traffic is where it was (not known)");
    }
}
