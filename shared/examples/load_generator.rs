//! The load generator of `load-holds` beside `oha`, a closed-loop client, on the same target in the same run: how many
//! requests a second each sends, and what each tells of a stall of one second.
//!
//! `make bench-load` builds both and prints the ratios. Never a test: a machine under load must not fail one.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use greenlight::deployment::DeploymentId;
use greenlight::http::Http;
use greenlight::load::{Barrage, Course, Load, Percentile, Tally};
use greenlight::ports::{Caller, ProbeRequest, ProbeResponse};
use greenlight::units::{Limit, Percent, Rate, Span};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Connections of the closed-loop client, and requests that ours may have under way.
const CONNECTIONS: usize = 50;
/// Seconds of each measurement.
const SECONDS: u64 = 5;
const ROUNDS: usize = 3;
/// Shares of what the closed-loop client sends that ours is asked to keep up with.
const STEPS: [f64; 8] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2];
/// The stall: requests a second, seconds in all.
const STALL: (u32, u64) = (200, 10);

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.next().as_deref() {
        Some("serve") => runtime.block_on(serve()),
        Some(oha) => runtime.block_on(compare(oha)),
        None => Err("expected the path of oha".into()),
    }
}

/// The target: a process of its own on one thread, as ours is. `GET /stall` keeps every answer back for a second.
async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let stalled = Arc::new(std::sync::Mutex::new(Instant::now()));
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        tokio::spawn(answer(stream, stalled.clone()));
    }
}

async fn answer(mut stream: TcpStream, stalled: Arc<std::sync::Mutex<Instant>>) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        if buffer.starts_with(b"GET /stall ") {
            *stalled.lock().expect("nothing panics while it holds the time") = Instant::now() + Duration::from_secs(1);
        } else {
            let until = *stalled.lock().expect("nothing panics while it holds the time");
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                tokio::time::sleep(left).await;
            }
        }
        filled = 0;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"status\":\"ready\"}").await?;
    }
}

async fn compare(oha: &str) -> Result<(), Failure> {
    let mut target = tokio::process::Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(target.stdout.take().ok_or("the target has no output")?).lines();
    let port = lines.next_line().await?.ok_or("the target did not start")?;
    let url = format!("http://127.0.0.1:{port}/ready");

    println!("requests a second, {CONNECTIONS} connections, {SECONDS} s, interleaved\n");
    println!("  {:<8}{:>12}{:>12}{:>9}", "round", "oha", "greenlight", "ratio");
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let theirs = closed(oha, &url, &["-c", "50", "-z", "5s"])?.0;
        let mut ours = 0.0;
        for step in STEPS {
            let kept = open(&url, (theirs * step) as u32, SECONDS, CONNECTIONS).await;
            let second = kept.answered as f64 / kept.took.as_secs_f64();
            if second > ours {
                ours = second;
            }
            // It no longer keeps its schedule: asking for more would only lengthen the queue.
            if kept.took.as_secs_f64() > SECONDS as f64 * 1.02 {
                break;
            }
        }
        println!("  {round:<8}{theirs:>12.0}{ours:>12.0}{:>9.2}", ours / theirs);
        ratios.push(ours / theirs);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    let verdict = if median >= 0.8 { "met" } else { "missed" };
    println!("\n  median {median:.2} × oha, budget 0.80: {verdict}\n");

    let (rate, seconds) = STALL;
    println!("p99 with a stall of one second in {seconds} s at {rate}/s");
    println!("(right: {rate} requests were due within it, and of all the longest 1 % waited 900 ms or more)\n");
    let control = format!("127.0.0.1:{port}");
    let (_, theirs) = {
        let stall = tokio::spawn(stall(control.clone()));
        let (oha, url) = (oha.to_owned(), url.clone());
        let told = tokio::task::spawn_blocking(move || closed(&oha, &url, &["-c", "10", "-q", "200", "-z", "10s"]));
        stall.await??;
        told.await??
    };
    let stall = tokio::spawn(stall(control));
    let ours = open(&url, rate, seconds, 256).await;
    stall.await??;
    println!("  closed loop (oha -c 10 -q {rate})  {theirs:>6.0} ms");
    let ours = ours.percentile(Percentile::P99).ok_or("too few were answered")?;
    println!("  open loop (greenlight)          {:>6} ms", ours.as_millis());
    target.kill().await?;
    Ok(())
}

/// In the middle of a measurement.
async fn stall(address: String) -> std::io::Result<()> {
    tokio::time::sleep(Duration::from_secs(STALL.1 / 2)).await;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /stall HTTP/1.1\r\nhost: a\r\n\r\n").await?;
    let mut answer = [0; 256];
    stream.read(&mut answer).await.map(|_| ())
}

/// What oha sends a second, and its p99 in milliseconds.
fn closed(oha: &str, url: &str, arguments: &[&str]) -> Result<(f64, f64), Failure> {
    let output = Command::new(oha)
        .args(["--no-tui", "--output-format", "json"])
        .args(arguments)
        .arg(url)
        .stderr(Stdio::inherit())
        .output()?;
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let second = told["summary"]["requestsPerSec"].as_f64().ok_or("oha tells no requests a second")?;
    let p99 = told["latencyPercentiles"]["p99"].as_f64().ok_or("oha tells no p99")?;
    Ok((second, p99 * 1000.0))
}

/// What ours makes of this rate.
async fn open(url: &str, rate: u32, seconds: u64, most_under_way: usize) -> Tally {
    let whole: Percent = "100%".parse().expect("a share");
    let course = Course {
        rate: Rate { count: rate.max(1), per: Duration::from_secs(1) },
        lasts: Span::new(Duration::from_secs(seconds)),
        errors: Some(Limit { value: whole, inclusive: true }),
        percentiles: Vec::new(),
    };
    let request = ProbeRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        host: None,
        headers: Vec::new(),
        body: None,
        timeout: Duration::from_secs(10),
        max_body: 256 * 1024,
    };
    let caller = Caller { hook: "bench", deployment: DeploymentId("d-BENCH0000".to_owned()) };
    let fault = |_: usize, answer: &ProbeResponse| (answer.status != 200).then(|| format!("{}", answer.status));
    let barrage = Barrage { course, requests: vec![request], most_under_way };
    Http::new(None).probe(&caller).run(barrage, &fault).await
}
