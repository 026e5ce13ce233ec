//! From a request to its answer: recognise, log, let faults strike, run the operation, write in the client's protocol.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;

use super::calls::Call;
use super::context::{Context, Input, Operation, Output};
use super::faults::{self, Strike};
use super::permissions::{self, Asked};
use super::refusal::Refusal;
use super::request::{Protocol, Scope, Service, recognise};
use super::{Outcome, Wire, body, cbor, json, lambda, query, s3};
use crate::iam::{Permission, Role};
use crate::world::{REGION, World};

/// What a request was recognised as.
struct Recognised<'a> {
    parts: &'a Parts,
    body: &'a Bytes,
    form: Vec<(String, String)>,
    scope: Option<Scope>,
    protocol: Protocol,
    service: Option<Service>,
    operation: String,
    caller: Option<String>,
    role: Option<Arc<Role>>,
    request_id: String,
}

/// What is about to be sent: the answer, and the code of the error in it.
struct Reply {
    response: Response<Full<Bytes>>,
    error: Option<String>,
    /// Whether only half of it is sent.
    cut: bool,
}

/// Every operation that is implemented, with its service as IAM names it.
pub fn implemented() -> Vec<(&'static str, &'static str)> {
    let services = [
        Service::CodeDeploy,
        Service::Ecr,
        Service::Ecs,
        Service::Elbv2,
        Service::Logs,
        Service::Rds,
        Service::CloudWatch,
        Service::Ssm,
        Service::SecretsManager,
        Service::Sts,
    ];
    let named = services.into_iter().flat_map(|it| operations(it).iter().map(move |(name, _)| (it.iam_name(), *name)));
    let of_paths = s3::OPERATIONS.map(|name| (Service::S3.iam_name(), name));
    named.chain(of_paths).chain(lambda::OPERATIONS.map(|name| (Service::Lambda.iam_name(), name))).collect()
}

fn operations(service: Service) -> &'static [(&'static str, Operation)] {
    match service {
        Service::CloudWatch => super::cloudwatch::OPERATIONS,
        Service::CodeDeploy => super::codedeploy::OPERATIONS,
        Service::Ecr => super::ecr::OPERATIONS,
        Service::Ecs => super::ecs::OPERATIONS,
        Service::Elbv2 => super::elbv2::OPERATIONS,
        Service::Logs => super::logs::OPERATIONS,
        Service::Rds => super::rds::OPERATIONS,
        Service::SecretsManager => super::secretsmanager::OPERATIONS,
        Service::Ssm => super::ssm::OPERATIONS,
        Service::Sts => super::sts::OPERATIONS,
        Service::S3 | Service::Lambda => &[],
    }
}

/// Answers a request.
pub(crate) async fn answer(wire: &Wire, parts: &Parts, body: &Bytes) -> Outcome {
    let began = Instant::now();
    let request = Recognised::of(&wire.world, parts, body);
    let needed = request.needed(&wire.world);
    let place = wire.calls.begin(Call {
        at: wire.world.now(),
        caller: request.caller.clone(),
        needed: needed.clone(),
        service: request.service_name(),
        operation: request.operation.clone(),
        status: None,
        error: None,
        took: None,
    });
    let reply = match request.check_signature() {
        Err(refusal) => Some(request.refuse(&refusal)),
        Ok(()) => request.struck_or_answered(wire, &needed).await,
    };
    match reply {
        None => {
            wire.calls.end(place, None, None, began.elapsed());
            Outcome::Reset
        }
        Some(Reply { mut response, error, cut }) => {
            let id = HeaderValue::from_str(&request.request_id).expect("a UUID is a header's value");
            response.headers_mut().insert("x-amzn-requestid", id.clone());
            if request.protocol == Protocol::RestXml {
                response.headers_mut().insert("x-amz-request-id", id);
            }
            wire.calls.end(place, Some(response.status().as_u16()), error, began.elapsed());
            if cut { Outcome::Cut(response) } else { Outcome::Answer(response) }
        }
    }
}

impl<'a> Recognised<'a> {
    fn of(world: &World, parts: &'a Parts, body: &'a Bytes) -> Self {
        let scope = Scope::of(parts);
        let is_form = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let in_url = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned();
        let in_body = form_urlencoded::parse(if is_form { body } else { &[] }).into_owned();
        let form: Vec<_> = in_url.chain(in_body).collect();
        let (protocol, service, mut operation) = recognise(parts, scope.as_ref(), &form);
        match service {
            Some(Service::S3) => operation = s3::operation(parts),
            Some(Service::Lambda) => operation = lambda::operation(parts),
            _ => {}
        }
        let function = scope.as_ref().and_then(|scope| {
            world.read(|state| {
                let function = state.functions.iter().find(|function| function.access_key == scope.access_key);
                function.map(|function| (function.name.clone(), function.role.clone()))
            })
        });
        let (caller, role) = function.unzip();
        let request_id = uuid::Uuid::new_v4().to_string();
        Self { parts, body, form, scope, protocol, service, operation, caller, role: role.flatten(), request_id }
    }

    fn service_name(&self) -> String {
        match (self.service, &self.scope) {
            (Some(service), _) => service.iam_name().to_owned(),
            (None, Some(scope)) => scope.service.clone(),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// The signature must be there and be for this Region; whether it is right is not looked at.
    fn check_signature(&self) -> Result<(), Refusal> {
        let Some(scope) = &self.scope else {
            return Err(match self.protocol {
                Protocol::Json { .. } | Protocol::Cbor => {
                    Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token")
                }
                _ => Refusal::new("MissingAuthenticationToken", "Request is missing Authentication Token")
                    .with_status(StatusCode::FORBIDDEN),
            });
        };
        match scope.region.as_deref() {
            None | Some(REGION) => Ok(()),
            Some(region) => {
                let (code, status) = match self.protocol {
                    Protocol::Json { .. } | Protocol::Cbor => ("InvalidSignatureException", StatusCode::BAD_REQUEST),
                    _ => ("SignatureDoesNotMatch", StatusCode::FORBIDDEN),
                };
                let message = format!(
                    "Credential should be scoped to a valid region: the rehearsal is {REGION}, the request was signed for \
                     {region}"
                );
                Err(Refusal::new(code, message).with_status(status))
            }
        }
    }

    /// `None` when a fault closes the connection.
    async fn struck_or_answered(&self, wire: &Wire, needed: &[Permission]) -> Option<Reply> {
        let service = self.service_name();
        let strike = faults::strike(&wire.world, self.caller.as_deref(), &service, &self.operation);
        match strike {
            None => {}
            Some(Strike::Delay(delay)) => tokio::time::sleep(delay).await,
            Some(Strike::Hang) => std::future::pending().await,
            Some(Strike::Reset) => return None,
            Some(Strike::Garbage) => return Some(self.garbage()),
            Some(Strike::Empty) => return Some(self.write(&Output::Map(Vec::new()))),
            Some(how @ (Strike::Truncate | Strike::Retype)) => return self.spoilt(wire, needed, &how).await,
            Some(Strike::Deny) => return Some(self.deny(&needed[0])),
            Some(Strike::Refuse(kind)) => return Some(self.refuse(&faults::refusal(&kind, self.protocol))),
        }
        Some(self.answered(wire, needed).await)
    }

    /// The real answer, spoilt on its way.
    async fn spoilt(&self, wire: &Wire, needed: &[Permission], how: &Strike) -> Option<Reply> {
        let mut reply = self.answered(wire, needed).await;
        if *how == Strike::Retype {
            reply.response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            return Some(reply);
        }
        reply.cut = true;
        Some(reply)
    }

    async fn answered(&self, wire: &Wire, needed: &[Permission]) -> Reply {
        if let Some(role) = &self.role
            && let Some(lacking) = needed.iter().find(|needed| !role.allows(needed))
        {
            return self.deny(lacking);
        }
        if self.service == Some(Service::Lambda) {
            return match lambda::answer(&wire.world, &self.operation, self.parts, self.body).await {
                Ok(response) => Reply { response, error: None, cut: false },
                Err(refusal) => self.refuse(&refusal),
            };
        }
        self.run(wire)
    }

    /// What a role must allow for this; at least one thing.
    fn needed(&self, world: &World) -> Vec<Permission> {
        let Some(service) = self.service else {
            let action = format!("{}:{}", self.service_name(), self.named_operation());
            return vec![Permission { action, resource: "*".to_owned(), keys: BTreeMap::new() }];
        };
        let input = self.input().unwrap_or_default();
        permissions::needed(&Asked { world, service, operation: &self.operation, input: &input, parts: self.parts })
    }

    fn deny(&self, lacking: &Permission) -> Reply {
        self.refuse(&permissions::denied(self.caller.as_deref(), lacking, self.protocol))
    }

    fn run(&self, wire: &Wire) -> Reply {
        let context = |service| Context {
            world: &wire.world,
            service,
            operation: &self.operation,
            caller: self.caller.as_deref(),
            page_size: wire.page_size,
        };
        if self.service == Some(Service::S3) {
            return match s3::answer(&context(Service::S3), self.parts, self.body) {
                Ok(response) => Reply { response, error: None, cut: false },
                Err(refusal) => self.refuse(&refusal),
            };
        }
        let operation = self.service.and_then(|service| {
            Some((service, operations(service).iter().find(|(name, _)| *name == self.operation)?.1))
        });
        let Some((service, operation)) = operation else {
            return self.refuse(&Refusal::not_implemented(&format!(
                "{}:{}",
                self.service_name(),
                self.named_operation()
            )));
        };
        match self.input().and_then(|input| operation(&context(service), input)) {
            Ok(output) => self.write(&output),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn named_operation(&self) -> &str {
        if self.operation.is_empty() { "(no operation named)" } else { &self.operation }
    }

    fn input(&self) -> Result<Input, Refusal> {
        match self.protocol {
            Protocol::Json { .. } => json::read(self.body),
            Protocol::Cbor => cbor::read(self.body),
            Protocol::Query => Ok(query::read(&self.form)),
            Protocol::RestXml | Protocol::RestJson => Ok(Input::default()),
        }
    }

    fn write(&self, output: &Output) -> Reply {
        let (content_type, bytes) = match (self.protocol, self.service) {
            (Protocol::Json { content_type }, _) => (content_type, json::write(output)),
            (Protocol::Cbor, _) => ("application/cbor", cbor::write(output)),
            (Protocol::Query, Some(service)) => {
                ("text/xml", query::write(service, &self.operation, output, &self.request_id))
            }
            _ => ("application/octet-stream", Vec::new()),
        };
        Reply { response: self.response(StatusCode::OK, content_type, bytes), error: None, cut: false }
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        let mut headers = Vec::new();
        let (content_type, bytes) = match self.protocol {
            Protocol::Json { content_type } if self.service != Some(Service::CloudWatch) => {
                (content_type, json::write_error(self.service, &refusal.code, &refusal.message))
            }
            Protocol::Json { .. } | Protocol::Cbor => {
                // CloudWatch had a query protocol first: its codes of old come in a header, its shapes in the body.
                let fault = if refusal.status.is_server_error() { "Receiver" } else { "Sender" };
                headers.push((HeaderName::from_static("x-amzn-query-error"), format!("{};{fault}", refusal.code)));
                let shape = super::cloudwatch::shape(&refusal.code);
                match self.protocol {
                    Protocol::Json { content_type } => {
                        (content_type, json::write_error(self.service, &shape, &refusal.message))
                    }
                    _ => ("application/cbor", cbor::write_error(&shape, &refusal.message)),
                }
            }
            Protocol::Query => ("text/xml", query::write_error(self.service, refusal, &self.request_id)),
            Protocol::RestXml if self.parts.method == http::Method::HEAD => ("application/xml", Vec::new()),
            Protocol::RestXml => ("application/xml", s3::write_error(refusal, &self.request_id)),
            Protocol::RestJson => {
                headers.push((HeaderName::from_static("x-amzn-errortype"), refusal.code.clone()));
                ("application/json", lambda::write_error(refusal))
            }
        };
        let mut response = self.response(refusal.status, content_type, bytes);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        Reply { response, error: Some(refusal.code.clone()), cut: false }
    }

    /// 200 with what no client of the protocol can read.
    fn garbage(&self) -> Reply {
        let content_type = match self.protocol {
            Protocol::Json { content_type } => content_type,
            Protocol::Cbor => "application/cbor",
            _ => "text/xml",
        };
        let bytes = b"<html><body>the corporate proxy says hello".to_vec();
        Reply { response: self.response(StatusCode::OK, content_type, bytes), error: None, cut: false }
    }

    fn response(&self, status: StatusCode, content_type: &'static str, bytes: Vec<u8>) -> Response<Full<Bytes>> {
        let mut response = Response::new(body(bytes));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.protocol == Protocol::Cbor {
            response.headers_mut().insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        }
        response
    }
}
