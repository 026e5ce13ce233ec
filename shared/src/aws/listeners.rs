//! Listeners: where they point, by which rules, and the load balancer they belong to.

use aws_sdk_elasticloadbalancingv2::types as sdk;

use super::Aws;
use super::failure::{code, explain, incomplete};
use crate::check::CannotTell;
use crate::deployment::{Action, Listener, LoadBalancer, Rule};

impl Aws {
    /// The listener, its rules and its load balancer, asked side by side.
    pub(super) async fn described_listener(&self, arn: &str) -> Result<Listener, CannotTell> {
        self.listeners.or_ask(arn, self.ask_listener(arn)).await
    }

    async fn ask_listener(&self, arn: &str) -> Result<Listener, CannotTell> {
        const ACTION: &str = "elasticloadbalancing:DescribeListeners";
        let listener = async {
            let call = self.load_balancing().describe_listeners().listener_arns(arn);
            let answer = call.send().await.map_err(|error| explain(ACTION, arn, &error))?;
            let found = answer.listeners.unwrap_or_default().into_iter().next();
            found.ok_or_else(|| incomplete(ACTION, arn, "listener with this ARN"))
        };
        let expected = load_balancer_arn(arn);
        let load_balancer = async {
            match &expected {
                Some(arn) => self.load_balancer(arn).await.map(Some),
                None => Ok(None),
            }
        };
        let (listener, rules, load_balancer) = tokio::try_join!(listener, self.rules(arn), load_balancer)?;
        let named = listener.load_balancer_arn().unwrap_or_default();
        let load_balancer = match load_balancer {
            Some(load_balancer) if named.is_empty() || load_balancer.arn == named => load_balancer,
            _ => self.load_balancer(named).await?,
        };
        Ok(Listener {
            arn: arn.to_owned(),
            rule: None,
            protocol: listener.protocol.as_ref().map(|protocol| protocol.as_str().to_owned()).unwrap_or_default(),
            port: listener.port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
            load_balancer,
            rules: if rules.is_empty() { vec![default_rule(arn, listener.default_actions())] } else { rules },
        })
    }

    /// The rules in the order they are tried. A network load balancer has none; its listener's default action counts.
    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, CannotTell> {
        let mut rules = Vec::new();
        if is_network(listener) {
            return Ok(rules);
        }
        let mut token = None;
        loop {
            let call = self.load_balancing().describe_rules().listener_arn(listener).set_marker(token);
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if code(&error) == Some("UnsupportedProtocol") => return Ok(Vec::new()),
                Err(error) => return Err(explain("elasticloadbalancing:DescribeRules", listener, &error)),
            };
            rules.extend(page.rules.unwrap_or_default().iter().map(rule));
            token = page.next_marker;
            if token.is_none() {
                rules.sort_by_key(|rule| rule.priority.unwrap_or(u32::MAX));
                return Ok(rules);
            }
        }
    }

    async fn load_balancer(&self, arn: &str) -> Result<LoadBalancer, CannotTell> {
        self.load_balancers.or_ask(arn, self.ask_load_balancer(arn)).await
    }

    async fn ask_load_balancer(&self, arn: &str) -> Result<LoadBalancer, CannotTell> {
        const ACTION: &str = "elasticloadbalancing:DescribeLoadBalancers";
        let call = self.load_balancing().describe_load_balancers().load_balancer_arns(arn);
        let answer = call.send().await.map_err(|error| explain(ACTION, arn, &error))?;
        let found = answer.load_balancers.unwrap_or_default().into_iter().next();
        let found = found.ok_or_else(|| incomplete(ACTION, arn, "load balancer with this ARN"))?;
        Ok(LoadBalancer {
            arn: found.load_balancer_arn.unwrap_or_else(|| arn.to_owned()),
            dns_name: found.dns_name.unwrap_or_default(),
            scheme: found.scheme.map(|scheme| scheme.as_str().to_owned()).unwrap_or_default(),
            kind: found.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        })
    }
}

/// A listener's ARN contains its load balancer's: `listener/app/<name>/<id>/<listener>`. Taking it from there saves one
/// call that would have to wait; the listener's own answer is compared with it.
fn load_balancer_arn(listener: &str) -> Option<String> {
    let (before, path) = listener.split_once(":listener/")?;
    let (load_balancer, _) = path.rsplit_once('/')?;
    Some(format!("{before}:loadbalancer/{load_balancer}"))
}

fn is_network(listener: &str) -> bool {
    listener.contains(":listener/net/")
}

fn rule(found: &sdk::Rule) -> Rule {
    let mut rule = default_rule(found.rule_arn().unwrap_or_default(), found.actions());
    rule.priority = found.priority().and_then(|priority| priority.parse().ok());
    for condition in found.conditions() {
        match condition.field() {
            Some("host-header") => {
                let hosts = condition.host_header_config().map(|config| config.values());
                rule.hosts.extend_from_slice(hosts.filter(|hosts| !hosts.is_empty()).unwrap_or(condition.values()));
            }
            Some("path-pattern") => {
                let paths = condition.path_pattern_config().map(|config| config.values());
                rule.paths.extend_from_slice(paths.filter(|paths| !paths.is_empty()).unwrap_or(condition.values()));
            }
            Some("http-header") => rule.headers.extend(
                condition
                    .http_header_config()
                    .map(|config| (config.http_header_name().unwrap_or_default().to_owned(), config.values().to_vec())),
            ),
            _ => {}
        }
    }
    rule
}

fn default_rule(arn: &str, actions: &[sdk::Action]) -> Rule {
    Rule {
        arn: arn.to_owned(),
        priority: None,
        hosts: Vec::new(),
        paths: Vec::new(),
        headers: Vec::new(),
        action: action(actions),
    }
}

/// The action that decides is the last: those before it authenticate.
fn action(actions: &[sdk::Action]) -> Action {
    let Some(last) = actions.iter().max_by_key(|action| action.order.unwrap_or_default()) else {
        return Action::Other("none".to_owned());
    };
    if last.r#type() != Some(&sdk::ActionTypeEnum::Forward) {
        let kind = last.r#type().map(|kind| kind.as_str().to_owned());
        return Action::Other(kind.unwrap_or_else(|| "unknown".to_owned()));
    }
    let weighted = last.forward_config().map(|config| config.target_groups()).unwrap_or_default();
    if weighted.is_empty() {
        return Action::Forward(last.target_group_arn().map(|arn| (arn.to_owned(), 1)).into_iter().collect());
    }
    let weighted = weighted.iter().filter_map(|group| {
        let weight = group.weight.map_or(1, |weight| u32::try_from(weight).unwrap_or_default());
        Some((group.target_group_arn.clone()?, weight))
    });
    Action::Forward(weighted.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_balancer_is_in_the_listeners_arn() {
        let listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/aaaa/bbbb";
        let expected = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/aaaa";
        assert_eq!(load_balancer_arn(listener).as_deref(), Some(expected));
        assert_eq!(load_balancer_arn("listener"), None);
    }

    /// One target group in a forward action may be given without a weight; it then gets everything.
    #[test]
    fn a_forward_without_weights_sends_everything_to_its_group() {
        let plain = sdk::Action::builder().r#type(sdk::ActionTypeEnum::Forward).target_group_arn("tg").build();
        assert_eq!(action(&[plain]), Action::Forward(vec![("tg".to_owned(), 1)]));
    }
}
