//! Aliases of functions, and what is invoked through them.

use jiff::Timestamp;

use super::{Invocation, LATEST};
use crate::world::{ACCOUNT, REGION, State};

/// An alias: it leads to one version, or to two by weight.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html>
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// Function name.
    pub function: String,
    /// Name.
    pub name: String,
    /// The version that gets what the other leaves.
    pub version: String,
    /// A second version and its share in percent, from 1 to 99.
    pub additional: Option<(String, u32)>,
    /// Invocations so far.
    pub turn: u64,
}

/// Why a qualifier leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Function not found: {0}")]
pub struct QualifierError(pub String);

impl Alias {
    /// ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}:{}", self.function, self.name)
    }

    /// The version of the next invocation: exactly by weight, over short runs too.
    fn next(&mut self) -> String {
        let turn = self.turn;
        self.turn += 1;
        match &self.additional {
            Some((version, percent)) if (turn + 1) * u64::from(*percent) / 100 > turn * u64::from(*percent) / 100 => {
                version.clone()
            }
            _ => self.version.clone(),
        }
    }
}

impl State {
    /// The alias of a function with this name.
    pub fn alias(&self, function: &str, name: &str) -> Option<&Alias> {
        self.aliases.iter().find(|alias| alias.function == function && alias.name == name)
    }

    /// As [`State::alias`], to change it.
    pub fn alias_mut(&mut self, function: &str, name: &str) -> Option<&mut Alias> {
        self.aliases.iter_mut().find(|alias| alias.function == function && alias.name == name)
    }

    /// Queues an invocation of a version, or of an alias, that is not tried again, and returns its request id. Whoever waits
    /// for it looks at it by its id.
    pub fn invoke_qualified(
        &mut self,
        function: &str,
        qualifier: &str,
        payload: impl Into<String>,
        now: Timestamp,
    ) -> Result<String, QualifierError> {
        let version = match self.alias_mut(function, qualifier) {
            Some(alias) => alias.next(),
            None if qualifier.is_empty() => LATEST.to_owned(),
            None => qualifier.to_owned(),
        };
        if self.version(function, &version).is_none() {
            let qualified = if qualifier.is_empty() { String::new() } else { format!(":{qualifier}") };
            let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}{qualified}");
            return Err(QualifierError(arn));
        }
        let invocation =
            Invocation { version, qualifier: qualifier.to_owned(), ..Invocation::new(function, payload, now) };
        let id = invocation.id.clone();
        self.invocations.push(invocation);
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocations_are_spread_exactly_by_weight() {
        let mut alias = Alias {
            function: "orders".to_owned(),
            name: "live".to_owned(),
            version: "1".to_owned(),
            additional: Some(("2".to_owned(), 10)),
            turn: 0,
        };
        let second = (0..100).filter(|_| alias.next() == "2").count();
        assert_eq!(second, 10);
        alias.additional = None;
        assert_eq!(alias.next(), "1");
    }
}
