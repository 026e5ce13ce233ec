//! `alias-serves-version`

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::check::{Answer, CannotTell, Check, CheckContext};
use crate::deployment::FunctionDeployment;

/// An alias is written in one place and read in many: that it still looks old for a moment means nothing.
const LOOKS: u32 = 5;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Every invocation of the alias gets the version that was deployed.
pub struct AliasServesVersion {
    looks: AtomicU32,
}

impl AliasServesVersion {
    /// Has not looked yet.
    #[expect(clippy::new_without_default, reason = "a check is made for one deployment, on purpose")]
    pub fn new() -> Self {
        Self { looks: AtomicU32::new(0) }
    }
}

#[async_trait]
impl Check<FunctionDeployment> for AliasServesVersion {
    fn id(&self) -> &'static str {
        "alias-serves-version"
    }

    fn question(&self) -> String {
        "Does the alias lead wholly to the version that was deployed?".to_owned()
    }

    async fn ask(&self, context: &CheckContext<FunctionDeployment>) -> Result<Answer, CannotTell> {
        let shift = &context.deployment.shift;
        let alias = context.ports.functions().alias(&shift.function, &shift.alias).await?;
        let seen = format!("{} led to {alias}", shift.invoked());
        if alias.leads_only_to(&shift.target) {
            return Ok(Answer::yes(format!("{seen} alone")));
        }
        let seen = format!("{seen}, expected version {} alone", shift.target);
        let remedy = format!("Find out who else changes alias {}; infrastructure code must ignore it.", shift.alias);
        if self.looks.fetch_add(1, Ordering::Relaxed) + 1 < LOOKS {
            return Ok(Answer::not_yet(seen, LOOK_AGAIN, remedy));
        }
        Ok(Answer::no(seen, remedy))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{AliasServesVersion, LOOKS};
    use crate::checks::told::told;
    use crate::deployment::Alias;
    use crate::fakes::{Fakes, function_deployment};
    use crate::stage::Stage;

    async fn row(version: &str, additional: &[(&str, f64)], looks: u32) -> String {
        let fakes = Fakes::well();
        let additional = additional.iter().map(|(version, percent)| ((*version).to_owned(), *percent)).collect();
        fakes.state().alias = Some(Alias { version: version.to_owned(), additional });
        let context = fakes.context_of(Stage::AfterAllowTraffic, function_deployment());
        let check = AliasServesVersion::new();
        for _ in 1..looks {
            told(&check, &context).await;
        }
        told(&check, &context).await
    }

    #[tokio::test]
    async fn passes_when_every_invocation_gets_the_version() {
        assert_snapshot!(row("42", &[], 1).await, @"
        PASSED
          orders:live led to version 42 alone
        ");
    }

    #[tokio::test]
    async fn waits_a_little_for_an_alias_that_still_looks_old_and_then_fails() {
        assert_snapshot!(row("41", &[("42", 10.0)], 1).await, @"
        NOT YET (again in 1000 ms)
          orders:live led to 90 % to version 41 and 10 % to version 42, expected version 42 alone
          do: Find out who else changes alias live; infrastructure code must ignore it.
        ");
        assert_snapshot!(row("41", &[("42", 10.0)], LOOKS).await, @"
        FAILED
          orders:live led to 90 % to version 41 and 10 % to version 42, expected version 42 alone
          do: Find out who else changes alias live; infrastructure code must ignore it.
        ");
    }

    #[tokio::test]
    async fn fails_when_somebody_else_has_moved_the_alias() {
        assert_snapshot!(row("43", &[], LOOKS).await, @"
        FAILED
          orders:live led to version 43, expected version 42 alone
          do: Find out who else changes alias live; infrastructure code must ignore it.
        ");
    }

    #[tokio::test]
    async fn cannot_tell_when_the_alias_cannot_be_read() {
        let fakes = Fakes::well();
        fakes.state().unreachable = Some(false);
        let context = fakes.context_of(Stage::AfterAllowTraffic, function_deployment());
        assert_snapshot!(told(&AliasServesVersion::new(), &context).await, @"
        CANNOT TELL
          alias orders:live: the call was refused
          do: Allow the call in the function's role.
        ");
    }
}
