//! Users of a function: they invoke its alias, as services and event sources do.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Traffic, flow};
use crate::alb::connections::{Connections, SendError};
use crate::ledger::{AnsweredBy, End, Ledger, Ticket};
use crate::world::services::Colour;
use crate::world::{REGION, World};

/// What users invoke, and how often.
#[derive(Clone, Debug)]
pub struct InvocationPlan {
    /// Port of the AWS endpoint.
    pub port: u16,
    /// The function.
    pub function: String,
    /// The alias.
    pub alias: String,
    /// Invocations a second of real time.
    pub rate: u32,
    /// The events, one after the other, over and over.
    pub events: Vec<Bytes>,
    /// A user's patience, real time.
    pub timeout: Duration,
}

impl Traffic {
    /// Invokes from now on and books every invocation.
    pub fn invoke(world: Arc<World>, plan: InvocationPlan, ledger: Ledger) -> Self {
        let rate = plan.rate;
        let users = Arc::new(Users {
            connections: Connections::new(SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port))),
            world: Arc::clone(&world),
            ledger: ledger.clone(),
            plan,
        });
        let send = move |sent: usize| {
            let users = Arc::clone(&users);
            async move { users.send(sent).await }
        };
        let (stop, stopped) = oneshot::channel();
        let flow = tokio::spawn(flow(world, rate, send, stopped));
        let joining = tokio::spawn(std::future::pending());
        Self { stop: Some(stop), flow, joining, ledger }
    }
}

struct Users {
    connections: Connections<Full<Bytes>>,
    world: Arc<World>,
    ledger: Ledger,
    plan: InvocationPlan,
}

impl Users {
    async fn send(&self, sent: usize) {
        let ticket = self.ledger.book(self.world.now());
        let begun = Instant::now();
        let end = tokio::time::timeout(self.plan.timeout, self.exchange(sent, &ticket)).await.unwrap_or(End::TimedOut);
        self.ledger.close(ticket, end, begun.elapsed());
    }

    async fn exchange(&self, sent: usize, ticket: &Ticket) -> End {
        let (response, connection) = match self.connections.send(self.request(sent)).await {
            Ok(answered) => answered,
            Err(SendError::Connect(..)) => return End::Refused,
            Err(SendError::Broken(_)) => return End::Reset,
        };
        let (head, mut body) = response.into_parts();
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return End::Reset;
            }
        }
        self.connections.put_back(connection);
        if !head.status.is_success() {
            return End::Lambda(head.status.as_u16());
        }
        let version = head.headers.get("x-amz-executed-version").and_then(|version| version.to_str().ok());
        self.ledger.answered(ticket, self.side(version.unwrap_or_default()));
        if head.headers.contains_key("x-amz-function-error") { End::FunctionError } else { End::Status(200) }
    }

    fn side(&self, version: &str) -> AnsweredBy {
        let colour = self.world.read(|state| state.version(&self.plan.function, version).and_then(|it| it.colour));
        match colour {
            Some(Colour::Blue) => AnsweredBy::Blue,
            Some(Colour::Green) => AnsweredBy::Green,
            None => AnsweredBy::Other,
        }
    }

    fn request(&self, sent: usize) -> Request<Full<Bytes>> {
        let InvocationPlan { function, alias, events, .. } = &self.plan;
        let event = events.get(sent % events.len().max(1)).cloned().unwrap_or_default();
        let mut request = Request::new(Full::new(event));
        *request.method_mut() = Method::POST;
        let path = format!("/2015-03-31/functions/{function}/invocations?Qualifier={alias}");
        *request.uri_mut() = Uri::try_from(path).unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("localhost"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // The endpoint looks at who signed for what, and never at the signature itself.
        let scope = format!("AKIAUSERS/20260101/{REGION}/lambda/aws4_request");
        let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        if let Ok(signed) = HeaderValue::from_str(&signed) {
            headers.insert(AUTHORIZATION, signed);
        }
        request
    }
}
