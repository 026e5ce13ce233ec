//! The sample service that the rehearsal deploys: orders, kept in PostgreSQL, with switches for faults.
//!
//! A task that serves does not migrate: version 1 runs on the first migration, version 2 with and without the second. A task
//! whose command is `migrate FOLDER` does, and ends; `health` asks the task that runs here how it is, and ends.

mod faults;
mod health;
mod migrate;
mod orders;
mod settings;
mod web;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::faults::Wear;
use crate::orders::Orders;
use crate::settings::Settings;
use crate::web::Service;

const FAILED: u8 = 1;
const BAD_SETTINGS: u8 = 2;
const FAULT_AT_START: u8 = 3;

// One thread: on a laptop many tasks share few cores, and one core carries thousands of these requests a second.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).without_time().init();
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let variable = |name: &str| std::env::var(name).ok();
    let settings = match Settings::read(variable) {
        Ok(settings) => settings,
        Err(error) => return refuse(BAD_SETTINGS, &error),
    };
    if settings.faults.exit_at_start {
        return refuse(FAULT_AT_START, "fault: exit-at-start: this task ends before it listens");
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] => serve(settings).await,
        ["health"] => health::ask(settings.address).await,
        ["migrate", folder] => match &settings.database {
            Some(database) => migrate::migrate(database, Path::new(folder)).await,
            None => Err("neither DATABASE_URL nor PGHOST names a database to migrate".to_owned()),
        },
        _ => return refuse(BAD_SETTINGS, "expected no arguments, health, or migrate and a folder"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(FAILED, &error),
    }
}

fn refuse(code: u8, error: &str) -> ExitCode {
    tracing::error!("orders: {error}");
    ExitCode::from(code)
}

async fn serve(settings: Settings) -> Result<(), String> {
    let mut stop = signal(SignalKind::terminate()).map_err(|error| format!("no signal handler: {error}"))?;
    let Settings { address, version, colour, database, status_token, faults } = settings;
    if faults.never_listen {
        tracing::info!("orders {version} runs and never listens (fault: never-listen), pid {}", std::process::id());
        stop.recv().await;
        return Ok(());
    }
    let orders = match &database {
        None => Orders::in_memory(),
        Some(url) => Orders::in_database(url, settings::knows_notes(&version))
            .map_err(|error| format!("the database that DATABASE_URL or PGHOST names cannot be used: {error}"))?,
    };
    let version_header = HeaderValue::from_str(&version).map_err(|_| format!("VERSION {version} fits no header"))?;
    let listener = TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("cannot tell my own address: {error}"))?;
    tracing::info!("orders {version} listens on http://{address}, pid {}", std::process::id());

    let service = Service {
        version: version.clone(),
        version_header,
        colour,
        status_token,
        faults,
        wear: Wear::default(),
        orders,
    };
    // An answer leaves at once; without this, requests on a kept connection can wait 40 ms for an acknowledgement.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::warn!("a connection keeps its delay: {error}");
        }
    });
    axum::serve(listener, web::routes(Arc::new(service)))
        .with_graceful_shutdown(told_to_stop(stop, version.clone()))
        .await
        .map_err(|error| format!("cannot serve: {error}"))?;
    tracing::info!("orders {version} stopped");
    Ok(())
}

async fn told_to_stop(mut stop: Signal, version: String) {
    stop.recv().await;
    tracing::info!("orders {version} was told to stop and finishes its open requests");
}
