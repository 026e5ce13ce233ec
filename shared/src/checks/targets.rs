//! Counting targets by state.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>

use crate::ports::TargetHealth;

/// How many targets of a group are in which state. Those that leave are not counted.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Answer their health checks.
    pub(super) healthy: usize,
    /// Are being registered or checked for the first time.
    pub(super) initial: usize,
    /// No listener forwards to their group, so nobody checks them (`Target.NotInUse`).
    pub(super) not_in_use: usize,
    /// The first one that is ill, with its reason.
    pub(super) unhealthy: Option<String>,
    /// How many are ill.
    pub(super) ill: usize,
}

impl Count {
    pub(super) fn of(targets: &[TargetHealth]) -> Self {
        let mut count = Self::default();
        for target in targets {
            match target.state.as_str() {
                "healthy" => count.healthy += 1,
                "initial" => count.initial += 1,
                "draining" | "unhealthy.draining" => {}
                "unused" if target.reason.as_deref() == Some("Target.NotInUse") => count.not_in_use += 1,
                _ => {
                    count.ill += 1;
                    count.unhealthy.get_or_insert_with(|| in_words(target));
                }
            }
        }
        count
    }

    /// All that are not leaving.
    pub(super) fn registered(&self) -> usize {
        self.healthy + self.initial + self.not_in_use + self.ill
    }
}

/// `10.0.0.20:8080 is unhealthy: Health checks failed with these codes: [500] (Target.ResponseCodeMismatch)`.
fn in_words(target: &TargetHealth) -> String {
    let mut text = format!("{}:{} is {}", target.target, target.port, target.state);
    if let Some(description) = &target.description {
        text.push_str(&format!(": {description}"));
    }
    if let Some(reason) = &target.reason {
        text.push_str(&format!(" ({reason})"));
    }
    text
}
