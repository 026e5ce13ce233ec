//! One request: from a client to the target whose turn it is, and the answer back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Settings;
use super::access_log::AccessLog;
use super::answers;
use super::connections::SendError;
use super::forwarded;
use super::measure::LoadBalancerSeries;
use super::relay::{Answer, Exchange, Relayed};
use super::routing::{Claim, Decision, Group, Router};
use crate::world::World;
use crate::world::load_balancer::ListenerRole;

/// A listener that is served.
pub(super) struct Front {
    /// ARN.
    pub(super) listener: String,
    pub(super) role: ListenerRole,
    pub(super) port: u16,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    pub(super) series: LoadBalancerSeries,
}

/// What every request needs.
pub(super) struct Proxy {
    world: Arc<World>,
    router: Arc<Router>,
    log: AccessLog,
    settings: Settings,
}

/// Why a target's answer did not come.
enum NoAnswer {
    Late,
    Failed(SendError),
}

impl Proxy {
    pub(super) fn new(world: Arc<World>, router: Arc<Router>, log: AccessLog, settings: Settings) -> Self {
        Self { world, router, log, settings }
    }

    /// Answers a request.
    pub(super) async fn serve(
        &self,
        front: Arc<Front>,
        client: SocketAddr,
        request: Request<Incoming>,
    ) -> Response<Answer> {
        let (parts, body) = request.into_parts();
        let mut exchange = self.begin(&front, &parts);
        if parts.version >= Version::HTTP_11 && !parts.headers.contains_key(HOST) {
            return self.answer_itself(&front, exchange, StatusCode::BAD_REQUEST);
        }
        match self.router.decide(&front.listener, &parts) {
            Decision::Fixed { status, body } => fixed(exchange, status, body),
            Decision::NoTarget { group } => {
                exchange.group = group;
                self.answer_itself(&front, exchange, StatusCode::SERVICE_UNAVAILABLE)
            }
            Decision::Target { group, claim } => {
                self.forward(&front, client, parts, body, exchange, group, claim).await
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "they are what a request is made of, and there is one caller")]
    async fn forward(
        &self,
        front: &Front,
        client: SocketAddr,
        mut parts: Parts,
        body: Incoming,
        mut exchange: Exchange,
        group: Arc<Group>,
        claim: Claim,
    ) -> Response<Answer> {
        let at = exchange.at;
        front.series.targets.sent(at);
        group.series.sent(at);
        let lane = claim.lane.clone();
        exchange.claim = Some(claim);
        exchange.group = Some(group.clone());

        let trace =
            forwarded::add(&mut parts.headers, client.ip(), (front.scheme, front.port), lane.address, at.as_second());
        exchange.trace_id = trace.to_str().unwrap_or_default().to_owned();
        parts.uri = origin_form(&parts.uri);
        parts.version = Version::HTTP_11;
        let sending = lane.connections.send(Request::from_parts(parts, body));
        let answer = match tokio::time::timeout(self.settings.idle_timeout, sending).await {
            Ok(answer) => answer.map_err(NoAnswer::Failed),
            Err(_) => Err(NoAnswer::Late),
        };

        let now = self.world.now();
        match answer {
            Ok((response, connection)) => {
                let took = exchange.begun.elapsed();
                let status = response.status().as_u16();
                front.series.targets.answered(now, status, took);
                group.series.answered(now, status, took);
                exchange.status = status;
                exchange.target_status = Some(status);
                relayed(response, connection, exchange, self.settings.idle_timeout)
            }
            Err(NoAnswer::Late) => self.answer_itself(front, exchange, StatusCode::GATEWAY_TIMEOUT),
            Err(NoAnswer::Failed(error)) => {
                let status = match &error {
                    SendError::Connect(_, error) => {
                        front.series.targets.not_connected(now);
                        group.series.not_connected(now);
                        match error.kind() {
                            std::io::ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
                            _ => StatusCode::BAD_GATEWAY,
                        }
                    }
                    // The client broke off its own body.
                    SendError::Broken(error) if error.is_user() => StatusCode::BAD_REQUEST,
                    SendError::Broken(_) => StatusCode::BAD_GATEWAY,
                };
                tracing::debug!("{} answered nothing: {error}", lane.address);
                self.answer_itself(front, exchange, status)
            }
        }
    }

    /// Counts what was not HTTP and never became a request.
    pub(super) fn refused(&self, front: &Front) {
        front.series.answered_itself(self.world.now(), StatusCode::BAD_REQUEST.as_u16());
    }

    fn begin(&self, front: &Front, parts: &Parts) -> Exchange {
        let given = parts.headers.get(forwarded::TRACE_ID).and_then(|value| value.to_str().ok());
        Exchange {
            log: self.log.clone(),
            at: self.world.now(),
            begun: Instant::now(),
            trace_id: given.unwrap_or_default().to_owned(),
            listener: front.role,
            request: format!("{} {}", parts.method, parts.uri.path()),
            status: 460,
            target_status: None,
            group: None,
            claim: None,
        }
    }

    fn answer_itself(&self, front: &Front, mut exchange: Exchange, status: StatusCode) -> Response<Answer> {
        front.series.answered_itself(self.world.now(), status.as_u16());
        exchange.status = status.as_u16();
        answers::page(status)
    }
}

fn fixed(mut exchange: Exchange, status: u16, body: Bytes) -> Response<Answer> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    exchange.status = status.as_u16();
    answers::fixed(status, body, HeaderValue::from_static("text/plain"))
}

fn relayed(
    response: Response<Incoming>,
    connection: hyper::client::conn::http1::SendRequest<Incoming>,
    exchange: Exchange,
    idle_timeout: Duration,
) -> Response<Answer> {
    let (mut parts, body) = response.into_parts();
    forwarded::strip_hop_by_hop(&mut parts.headers);
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, Answer::Relayed(Box::new(Relayed::new(body, connection, exchange, idle_timeout))))
}

/// Path and query, as a target is asked, whatever form the client used.
fn origin_form(uri: &Uri) -> Uri {
    if uri.scheme().is_none() && uri.authority().is_none() {
        return uri.clone();
    }
    uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()))
}
