//! The routes, and the one layer every request passes: version header and faults.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, HeaderName, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::faults::{Effect, Faults, Wear};
use crate::orders::{NewOrder, Order, Orders};

const X_VERSION: HeaderName = HeaderName::from_static("x-version");
const CRASHED: i32 = 7;
const LONGEST_SKU: usize = 64;
const LARGEST_QUANTITY: i32 = 10_000;

/// What every request sees.
pub(crate) struct Service {
    pub(crate) version: String,
    pub(crate) version_header: HeaderValue,
    pub(crate) colour: Option<String>,
    pub(crate) status_token: Option<String>,
    pub(crate) faults: Faults,
    pub(crate) wear: Wear,
    pub(crate) orders: Orders,
}

pub(crate) fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/status", get(status))
        .route("/version", get(version))
        .route("/orders", get(list).post(place))
        .route("/orders/{id}", get(show))
        .fallback(async || problem(StatusCode::NOT_FOUND, "no such page"))
        .layer(from_fn_with_state(Arc::clone(&service), pass))
        .with_state(service)
}

async fn pass(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let effect = service.wear.book(&service.faults, request.uri().path(), user_agent);
    if service.faults.hang {
        std::future::pending::<()>().await;
    }
    if let Some(time) = service.faults.slow {
        tokio::time::sleep(time).await;
    }
    if let Some(time) = service.faults.serial {
        service.wear.take_turn(time).await;
    }
    let mut response = match effect {
        Effect::None => next.run(request).await,
        Effect::Fail => problem(StatusCode::INTERNAL_SERVER_ERROR, "fault: bad-under-load"),
        Effect::Crash => crash(),
    };
    response.headers_mut().insert(X_VERSION, service.version_header.clone());
    response
}

#[expect(clippy::exit, reason = "a crash is the point of this fault: open requests get no answer")]
fn crash() -> ! {
    tracing::error!("fault: crash-after: exit code {CRASHED}");
    std::process::exit(CRASHED)
}

async fn home(State(service): State<Arc<Service>>) -> String {
    format!("orders {}\n", service.version)
}

async fn health(State(service): State<Arc<Service>>) -> Response {
    if service.faults.health_500 {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "fault: health-500");
    }
    Json(json!({ "status": "healthy", "version": service.version })).into_response()
}

async fn ready(State(service): State<Arc<Service>>) -> Response {
    let not_ready = |reason: String| {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "reason": reason }))).into_response()
    };
    if service.faults.ready_503 {
        return not_ready("fault: ready-503".to_owned());
    }
    match service.orders.is_ready().await {
        Ok(None) => Json(json!({ "status": "ready" })).into_response(),
        Ok(Some(note)) => Json(json!({ "status": "ready", "note": note })).into_response(),
        Err(error) => not_ready(format!("database: {error}")),
    }
}

/// What [`ready`] says, for whoever has the token: a page for requests that bring a secret.
async fn status(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    let Some(token) = &service.status_token else { return problem(StatusCode::NOT_FOUND, "no such page") };
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if shown == Some(token.as_str()) {
        ready(State(service)).await
    } else {
        problem(StatusCode::UNAUTHORIZED, "a token is wanted")
    }
}

async fn version(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "version": service.version, "colour": service.colour }))
}

async fn place(State(service): State<Arc<Service>>, order: Result<Json<NewOrder>, JsonRejection>) -> Response {
    if service.faults.orders_500 {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "fault: orders-500");
    }
    let order = match order {
        Ok(Json(order)) => order,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    if order.sku.is_empty() || order.sku.len() > LONGEST_SKU {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "sku must have 1 to 64 characters");
    }
    if !(1..=LARGEST_QUANTITY).contains(&order.quantity) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "quantity must be from 1 to 10000");
    }
    match service.orders.place(order).await {
        Ok(order) => (StatusCode::CREATED, Json(shape(&service, &order))).into_response(),
        Err(error) => no_database(&error),
    }
}

async fn show(State(service): State<Arc<Service>>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse() else { return problem(StatusCode::NOT_FOUND, "no such order") };
    match service.orders.get(id).await {
        Ok(Some(order)) => Json(shape(&service, &order)).into_response(),
        Ok(None) => problem(StatusCode::NOT_FOUND, "no such order"),
        Err(error) => no_database(&error),
    }
}

async fn list(State(service): State<Arc<Service>>) -> Response {
    match service.orders.last().await {
        Ok(orders) => Json(orders.iter().map(|order| shape(&service, order)).collect::<Vec<_>>()).into_response(),
        Err(error) => no_database(&error),
    }
}

/// An order as clients see it.
fn shape(service: &Service, order: &Order) -> Value {
    let mut shape = json!(order);
    if service.faults.wrong_schema
        && let Some(fields) = shape.as_object_mut()
        && let Some(id) = fields.remove("id")
    {
        fields.insert("order_id".to_owned(), id);
    }
    shape
}

fn no_database(error: &sqlx::Error) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, &format!("database: {error}"))
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
