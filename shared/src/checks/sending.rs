//! Sending one request of a plan to a listener, and to no other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::try_join_all;

use super::route;
use super::words::cannot_tell;
use crate::check::{CannotTell, CheckContext};
use crate::deployment::{AnyDeployment, Listener};
use crate::plan::{IMAGE_TAG, PlannedSecret, Request, RequestBody, Template, Values, filled};
use crate::ports::{ProbeError, ProbeRequest, ProbeResponse, Secret};

/// Longest wait for a response where the plan sets none.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a body that are read.
pub(super) const MAX_BODY: usize = 256 * 1024;

/// The last response to a request, after the redirects that were followed.
#[derive(Debug)]
pub(super) struct Received {
    /// The response; it took as long as all of them together.
    pub(super) response: ProbeResponse,
    /// Why a redirect was not followed.
    pub(super) stopped: Option<String>,
}

/// The variables of the deployment, of which these are used. The tag of an image is asked for only where it is.
pub(super) async fn of_deployment(context: &CheckContext, used: &[&str]) -> Result<Values, CannotTell> {
    let mut values = Values::of(&context.deployment);
    if used.contains(&IMAGE_TAG) {
        let deployment = &context.deployment;
        let definition = context.ports.tasks().task_definition(&deployment.target_task_definition).await?;
        let containers = definition.into_iter().flat_map(|it| it.containers);
        let served = containers.into_iter().find(|it| it.name == deployment.container_name);
        if let Some(container) = served {
            values.set(IMAGE_TAG, image_tag(&container.image).into());
        }
    }
    Ok(values)
}

/// The tag of `registry:5000/name:tag@digest`; the digest where there is no tag, and `latest` where there is neither, as
/// container runtimes read it.
fn image_tag(image: &str) -> &str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    // A port is before the last slash.
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split_once(':').map(|(_, tag)| tag).or(digest).unwrap_or("latest")
}

/// The variables of the deployment, and of the secrets those that these requests use.
pub(super) async fn values(
    context: &CheckContext,
    secrets: &BTreeMap<String, PlannedSecret>,
    requests: impl Iterator<Item = &Request>,
) -> Result<Values, CannotTell> {
    let requests: Vec<&Request> = requests.collect();
    let used: Vec<String> = requests.iter().flat_map(|it| it.variables()).collect();
    let expected: Vec<String> = requests.iter().flat_map(|it| it.expected_variables()).collect();
    let all: Vec<&str> = used.iter().chain(&expected).map(String::as_str).collect();
    let mut values = of_deployment(context, &all).await?;
    let used = secrets.iter().filter(|(name, _)| used.contains(name));
    add_secrets(&mut values, context, used).await?;
    Ok(values)
}

/// Reads these secrets, side by side; they are variables from now on.
pub(super) async fn add_secrets<D: AnyDeployment>(
    values: &mut Values,
    context: &CheckContext<D>,
    used: impl Iterator<Item = (&String, &PlannedSecret)>,
) -> Result<(), CannotTell> {
    let read = used.map(|(name, planned)| async move { Ok((name, secret(context, planned).await?)) });
    for (name, secret) in try_join_all(read).await? {
        values.set_secret(name, &secret);
    }
    Ok(())
}

/// The secret's text, or the member that the plan names.
async fn secret<D: AnyDeployment>(context: &CheckContext<D>, planned: &PlannedSecret) -> Result<Secret, CannotTell> {
    let whole = context.ports.secrets().value_for(&context.deployment.owner_of_secrets(), &planned.secret).await?;
    let Some(key) = &planned.key else { return Ok(whole) };
    let json = serde_json::from_str::<serde_json::Value>(whole.expose()).ok();
    let member = json.as_ref().and_then(|json| json.get(key)).and_then(serde_json::Value::as_str);
    member.map(Secret::new).ok_or_else(|| {
        let what = if json.is_some() { "has no text at this key" } else { "is not JSON" };
        let asked = format!("key {key} of secret {}: the secret {what}", planned.secret);
        cannot_tell(asked, "Correct `secrets` in the plan, or the secret.")
    })
}

/// The request as it is sent: variables are filled in.
pub(super) fn prepared(
    context: &CheckContext,
    listener: &Listener,
    planned_host: Option<&str>,
    request: &Request,
    values: &Values,
) -> ProbeRequest {
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.fill(values))).collect();
    let pair = route::pair(&context.deployment);
    for (name, value) in route::headers(listener, &pair) {
        if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            headers.push((name, value));
        }
    }
    let mut typed = |kind: &str| {
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
    };
    let body = request.body.as_ref().map(|body| match body {
        RequestBody::Text(text) => text.fill(values),
        RequestBody::Json(json) => {
            typed("application/json");
            filled(json, values).to_string()
        }
        RequestBody::Form(fields) => {
            typed("application/x-www-form-urlencoded");
            form(fields, values)
        }
    });
    let limit = request.expect.within.map_or(TIMEOUT, |within| within.duration().max(TIMEOUT));
    ProbeRequest {
        method: request.method.to_owned(),
        url: route::url(listener, &request.path.fill_path(values)),
        host: route::host(listener, &pair, planned_host),
        headers,
        body: body.map(String::into_bytes),
        timeout: limit,
        max_body: MAX_BODY,
    }
}

/// `user=a%40b&note=`: every byte that is not plain is written in hexadecimal.
fn form(fields: &[(String, Template)], values: &Values) -> String {
    let encoded = |text: &str| Template::percent_encoded(text);
    let fields = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(&value.fill(values))));
    fields.collect::<Vec<_>>().join("&")
}

/// Sends it, and follows as many redirects as the plan allows, within the listener.
pub(super) async fn send(
    context: &CheckContext,
    listener: &Listener,
    planned_host: Option<&str>,
    request: &Request,
    values: &Values,
) -> Result<Received, ProbeError> {
    let mut probe = prepared(context, listener, planned_host, request, values);
    let mut seen = vec![(probe.method.clone(), probe.url.clone())];
    let mut took = Duration::ZERO;
    loop {
        let mut response = context.ports.probe().send(probe.clone()).await?;
        took += response.took;
        response.took = took;
        let Some(location) = response.header("location").filter(|_| is_redirect(response.status)) else {
            return Ok(Received { response, stopped: None });
        };
        let followed = seen.len() - 1;
        let next = route::followed(listener, probe.host.as_deref(), &probe.url, location);
        let stopped = match &next {
            _ if request.follow_redirects == 0 => "redirects are not followed".to_owned(),
            None => "it leads away from this listener, and is not followed".to_owned(),
            Some(_) if followed >= request.follow_redirects as usize => {
                format!("{} followed, and no more are", super::words::count(followed, "redirect"))
            }
            Some(url) => {
                if response.status < 307 && probe.method != "HEAD" {
                    probe.method = "GET".to_owned();
                    probe.body = None;
                }
                probe.url.clone_from(url);
                let step = (probe.method.clone(), probe.url.clone());
                if !seen.contains(&step) {
                    seen.push(step);
                    continue;
                }
                format!("the redirects lead in a circle of {}", seen.len())
            }
        };
        return Ok(Received { response, stopped: Some(stopped) });
    }
}

/// Those that have another address. <https://www.rfc-editor.org/rfc/rfc9110#section-15.4>
fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

#[cfg(test)]
mod tests {
    use super::image_tag;

    #[test]
    fn the_tag_of_an_image_is_read_as_container_runtimes_do() {
        assert_eq!(image_tag("orders:7"), "7");
        assert_eq!(image_tag("registry:5000/shop/orders:7@sha256:0a"), "7");
        assert_eq!(image_tag("registry:5000/shop/orders@sha256:0a"), "sha256:0a");
        assert_eq!(image_tag("registry:5000/shop/orders"), "latest");
    }
}
