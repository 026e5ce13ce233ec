//! Where a listener leads, and how to reach it.

use crate::check::{CannotTell, CheckContext};
use crate::deployment::{Action, Deployment, Listener, Rule};

use super::words;

/// The listener as it is now: where its rules point.
pub(super) async fn now(context: &CheckContext, known: &Listener) -> Result<Listener, CannotTell> {
    Ok(context.ports.targets().listener(&known.arn).await?.narrowed(known.rule.as_deref()))
}

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

/// Where a redirect leads, if that is within this listener. `from` is the URL that was redirected.
pub(super) fn followed(listener: &Listener, host: Option<&str>, from: &str, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or_default();
    if location.is_empty() || location.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return None;
    }
    if let Some((scheme, rest)) = location.split_once("://") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse::<u16>().ok()?)),
            None => (authority, None),
        };
        let names = [host, Some(listener.load_balancer.dns_name.as_str())];
        let own = names.into_iter().flatten().any(|own| own.eq_ignore_ascii_case(name))
            && port.is_none_or(|port| port == listener.port)
            && url(listener, "").starts_with(&format!("{}://", scheme.to_ascii_lowercase()));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        return own.then(|| url(listener, &path));
    }
    if location.starts_with("//") {
        return None;
    }
    if location.starts_with('/') {
        return Some(url(listener, location));
    }
    // Relative to the folder of the page that redirects.
    let base = url(listener, "");
    let path = from.strip_prefix(&base).unwrap_or("/").split('?').next().unwrap_or("/");
    let folder = &path[..path.rfind('/').map_or(0, |at| at + 1)];
    Some(format!("{base}{}{location}", if folder.is_empty() { "/" } else { folder }))
}

/// The host name to send: the plan's, else the first one without wildcard that a rule of the pair asks for.
pub(super) fn host(listener: &Listener, pair: &[&str], planned: Option<&str>) -> Option<String> {
    let asked_for = || {
        let rules = rules(listener, pair);
        rules.iter().flat_map(|(rule, _)| &rule.hosts).find(|host| !host.contains(['*', '?'])).cloned()
    };
    planned.map(str::to_owned).or_else(asked_for)
}

/// Headers without which no request reaches the pair, with a value that each of them may have.
pub(super) fn headers(listener: &Listener, pair: &[&str]) -> Vec<(String, String)> {
    let rules = rules(listener, pair);
    if rules.iter().any(|(rule, _)| rule.headers.is_empty()) {
        return Vec::new();
    }
    let demanded = rules.first().into_iter().flat_map(|(rule, _)| &rule.headers);
    let plain = |(name, values): &(String, Vec<String>)| {
        let value = values.iter().find(|value| !value.contains(['*', '?']))?;
        Some((name.to_ascii_lowercase(), value.clone()))
    };
    demanded.filter_map(plain).collect()
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
    use super::{followed, host, leads_only_to, pair, shares, url};
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

    /// A redirect is written by the application that is being judged.
    #[test]
    fn a_redirect_is_followed_within_the_listener_only() {
        let listener = listener(TEST_LISTENER, 9001, vec![forward(&[(GREEN_GROUP, 1)])]);
        let base = "http://shop-1234.eu-central-1.elb.amazonaws.com:9001";
        let follow = |to: &str| followed(&listener, Some("orders.example.com"), &format!("{base}/a/b?c=1"), to);
        let cases = [
            ("/login?next=1#top", Some("/login?next=1")),
            ("d", Some("/a/d")),
            ("http://orders.example.com/x", Some("/x")),
            ("HTTP://Orders.Example.com:9001", Some("/")),
            ("http://shop-1234.eu-central-1.elb.amazonaws.com:9001/x", Some("/x")),
            ("https://orders.example.com/x", None),
            ("http://orders.example.com:80/x", None),
            ("http://orders.example.com@169.254.169.254/x", None),
            ("http://169.254.169.254/latest/meta-data", None),
            ("//169.254.169.254/x", None),
            ("/\\169.254.169.254", None),
            ("", None),
        ];
        for (location, path) in cases {
            assert_eq!(follow(location), path.map(|path| format!("{base}{path}")), "{location}");
        }
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
