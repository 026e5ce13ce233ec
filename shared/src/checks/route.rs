//! Where a listener leads, and how to reach it.

use crate::deployment::{Action, Deployment, Listener, Rule};

use super::words;

/// The ARNs of the deployment's two target groups, as far as they are known.
pub(super) fn pair(deployment: &Deployment) -> Vec<&str> {
    let groups = deployment.target_groups.iter().map(|group| group.arn.as_str());
    let sides = [&deployment.blue, &deployment.green].into_iter().flatten();
    let mut arns: Vec<&str> =
        groups.chain(sides.map(|side| side.target_group_arn.as_str())).filter(|arn| !arn.is_empty()).collect();
    arns.sort_unstable();
    arns.dedup();
    arns
}

/// The rules that forward to a group of the pair. A listener may be shared: its other rules are other services'.
pub(super) fn rules<'l>(listener: &'l Listener, pair: &[&str]) -> Vec<(&'l Rule, &'l [(String, u32)])> {
    let forwards = listener.rules.iter().filter_map(|rule| match &rule.action {
        Action::Forward(groups) => Some((rule, groups.as_slice())),
        Action::Other(_) => None,
    });
    forwards.filter(|(_, groups)| groups.iter().any(|(arn, _)| pair.contains(&arn.as_str()))).collect()
}

/// Whether every request that these rules match reaches this group and no other.
pub(super) fn leads_only_to(listener: &Listener, pair: &[&str], group: &str) -> bool {
    let rules = rules(listener, pair);
    let reached = |groups: &[(String, u32)]| {
        let mut weighted = groups.iter().filter(|(_, weight)| *weight > 0).peekable();
        weighted.peek().is_some() && weighted.all(|(arn, _)| arn == group)
    };
    !rules.is_empty() && rules.iter().all(|(_, groups)| reached(groups))
}

/// Whether any request reaches this group.
pub(super) fn leads_to(listener: &Listener, group: &str) -> bool {
    listener.weights().any(|(arn, _)| arn == group)
}

/// `90 % to tg-blue and 10 % to tg-green`; one such part for every way the rules differ.
pub(super) fn shares(listener: &Listener, pair: &[&str]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (_, groups) in rules(listener, pair) {
        let total: u32 = groups.iter().map(|(_, weight)| weight).sum();
        let shares: Vec<String> = groups
            .iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(arn, weight)| format!("{} % to {}", weight * 100 / total.max(1), words::group(arn)))
            .collect();
        let part = if shares.is_empty() { "nothing to anybody".to_owned() } else { words::list(&shares) };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    if parts.is_empty() { "nothing to this service".to_owned() } else { parts.join("; ") }
}

/// The address of a path on this listener.
pub(super) fn url(listener: &Listener, path: &str) -> String {
    let scheme = if matches!(listener.protocol.as_str(), "HTTPS" | "TLS") { "https" } else { "http" };
    format!("{scheme}://{}:{}{path}", listener.load_balancer.dns_name, listener.port)
}

/// The host name to send: the plan's, else the first one without wildcard that a rule of the pair asks for.
pub(super) fn host(listener: &Listener, pair: &[&str], planned: Option<&str>) -> Option<String> {
    let asked_for = || {
        let rules = rules(listener, pair);
        rules.iter().flat_map(|(rule, _)| &rule.hosts).find(|host| !host.contains(['*', '?'])).cloned()
    };
    planned.map(str::to_owned).or_else(asked_for)
}

/// What to do when nothing listens there.
pub(super) fn open_the_port(listener: &Listener) -> String {
    let network = if listener.load_balancer.scheme == "internal" {
        "attach the function to the load balancer's VPC and "
    } else {
        ""
    };
    let port = listener.port;
    format!("Check that the listener on port {port} exists; {network}allow port {port} in its security group.")
}

#[cfg(test)]
mod tests {
    use super::{host, leads_only_to, pair, shares, url};
    use crate::deployment::Rule;
    use crate::fakes::{BLUE_GROUP, GREEN_GROUP, TEST_LISTENER, deployment, forward, listener};

    fn for_host(name: &str, rule: Rule) -> Rule {
        Rule { priority: Some(1), hosts: vec![name.to_owned()], ..rule }
    }

    /// Many services share one listener.
    #[test]
    fn other_services_rules_do_not_count() {
        let deployment = deployment();
        let foreign = for_host("pay.example.com", forward(&[("arn:…:targetgroup/tg-pay/1", 1)]));
        let shared = listener(TEST_LISTENER, 9001, vec![foreign, forward(&[(GREEN_GROUP, 1), (BLUE_GROUP, 0)])]);
        assert!(leads_only_to(&shared, &pair(&deployment), GREEN_GROUP));
        assert_eq!(shares(&shared, &pair(&deployment)), "100 % to tg-green");
    }

    #[test]
    fn a_split_leads_to_neither_alone() {
        let deployment = deployment();
        let split = listener(TEST_LISTENER, 9001, vec![forward(&[(BLUE_GROUP, 9), (GREEN_GROUP, 1)])]);
        assert!(!leads_only_to(&split, &pair(&deployment), GREEN_GROUP));
        assert_eq!(shares(&split, &pair(&deployment)), "90 % to tg-blue and 10 % to tg-green");
    }

    #[test]
    fn the_host_is_the_plans_or_the_rules() {
        let deployment = deployment();
        let pair = pair(&deployment);
        let rules = vec![
            for_host("*.example.com", forward(&[(GREEN_GROUP, 1)])),
            for_host("orders.example.com", forward(&[(GREEN_GROUP, 1)])),
        ];
        let hosted = listener(TEST_LISTENER, 9001, rules);
        assert_eq!(host(&hosted, &pair, None).as_deref(), Some("orders.example.com"));
        assert_eq!(host(&hosted, &pair, Some("a.example.com")).as_deref(), Some("a.example.com"));
        assert_eq!(host(&deployment.production, &pair, None), None);
        assert_eq!(url(&hosted, "/health"), "http://shop-1234.eu-central-1.elb.amazonaws.com:9001/health");
    }
}
