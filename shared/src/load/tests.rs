use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// A server in virtual time that answers in a millisecond, but not at all within its stall: then all who wait are
/// answered at its end.
struct Stalling {
    begun: Instant,
    stall: std::ops::Range<Duration>,
    sent: AtomicU64,
}

impl Stalling {
    fn new(from: u64, until: u64) -> Self {
        let stall = Duration::from_millis(from)..Duration::from_millis(until);
        Self { begun: Instant::now(), stall, sent: AtomicU64::new(0) }
    }
}

impl Sender for Stalling {
    async fn send(&self, _: usize) -> Result<ProbeResponse, ProbeError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if self.stall.contains(&self.begun.elapsed()) {
            sleep_until(self.begun + self.stall.end).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(response(200))
    }
}

/// Answers each request with the next of these.
struct Answering<F>(F);

impl<F: Fn() -> Result<ProbeResponse, ProbeError> + Sync> Sender for Answering<F> {
    async fn send(&self, _: usize) -> Result<ProbeResponse, ProbeError> {
        (self.0)()
    }
}

fn response(status: u16) -> ProbeResponse {
    ProbeResponse { status, headers: Vec::new(), body: Vec::new(), truncated: false, took: Duration::ZERO }
}

fn barrage(rate: &str, lasts: &str) -> Barrage {
    let course = Course {
        rate: rate.parse().expect("a rate"),
        lasts: lasts.parse().expect("a duration"),
        errors: Some("< 1%".parse().expect("a limit")),
        percentiles: vec![(Percentile::P99, "< 5s".parse().expect("a limit"))],
    };
    let request = ProbeRequest {
        method: "GET".to_owned(),
        url: "http://127.0.0.1/".to_owned(),
        host: None,
        headers: Vec::new(),
        body: None,
        timeout: Duration::from_secs(10),
        max_body: 1024,
    };
    Barrage { course, requests: vec![request], most_under_way: 256 }
}

fn status(_: usize, answer: &ProbeResponse) -> Option<String> {
    (answer.status != 200).then(|| format!("answered {}", answer.status))
}

fn millis(tally: &Tally, percentile: Percentile) -> u128 {
    tally.percentile(percentile).expect("enough were answered").as_millis()
}

/// The reason for an open loop. One second's stall in ten, at 100 requests a second, delays a tenth of the requests, by
/// half a second on the average; a client that waits for each answer sends one request into it.
#[tokio::test(start_paused = true)]
async fn a_stall_counts_against_every_request_that_it_delayed() {
    let server = Stalling::new(4_000, 5_000);
    let tally = send(&barrage("100/s", "10s"), &server, &status).await;
    assert_eq!((tally.sent, tally.answered, tally.failed), (1000, 1000, 0));
    assert_eq!(tally.most_under_way, 101);
    // By hand: requests due from 4.00 s to 4.99 s wait until 5.001 s. The 990th fastest is the 90th slowest's neighbour:
    // ten requests are slower than 0.9 s.
    assert_eq!(millis(&tally, Percentile::P50), 1);
    assert!((900..=912).contains(&millis(&tally, Percentile::P99)), "{}", millis(&tally, Percentile::P99));
    assert!((500..=512).contains(&millis(&tally, Percentile::P95)), "{}", millis(&tally, Percentile::P95));
    assert!((1_000..=1_002).contains(&tally.longest().as_millis()), "{:?}", tally.longest());

    // The same server and the same pace, by a client that sends when it was answered, and times what it sent.
    let server = Stalling::new(4_000, 5_000);
    let mut times = Vec::new();
    while server.begun.elapsed() < Duration::from_secs(10) {
        let sent = Instant::now();
        server.send(0).await.expect("it answers");
        times.push(sent.elapsed().as_millis());
        sleep_until(sent + Duration::from_millis(10)).await;
    }
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    assert_eq!((times.len(), p99), (901, 1), "it sees one slow request, and its p99 none");
}

/// Whoever waits for room is timed from when it was due, too.
#[tokio::test(start_paused = true)]
async fn requests_beyond_the_most_under_way_wait_and_their_wait_counts() {
    let server = Stalling::new(4_000, 5_000);
    let few = Barrage { most_under_way: 10, ..barrage("100/s", "10s") };
    let tally = send(&few, &server, &status).await;
    assert_eq!((tally.answered, tally.most_under_way), (1000, 10));
    assert!((88..=92).contains(&tally.waited), "{}", tally.waited);
    assert_eq!(tally.late, 0, "it was green that was slow, not this machine");
    assert!((900..=930).contains(&millis(&tally, Percentile::P99)), "{}", millis(&tally, Percentile::P99));
}

#[tokio::test(start_paused = true)]
async fn the_schedule_is_kept_whatever_becomes_of_the_requests() {
    let server = Stalling::new(0, 60_000);
    let barrage = Barrage {
        course: Course { errors: None, percentiles: Vec::new(), ..barrage("50/s", "2s").course },
        ..barrage("50/s", "2s")
    };
    let tally = send(&barrage, &server, &status).await;
    assert_eq!((tally.sent, tally.answered, tally.failed), (100, 0, 100));
    assert_eq!(tally.faults.get("no answer in 10000 ms"), Some(&100));
    assert_eq!(tally.percentile(Percentile::P50), None);
    assert!(tally.took >= Duration::from_millis(11_980), "{:?}", tally.took);
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_more_have_failed_than_the_rest_could_make_good() {
    let tally = send(&barrage("100/s", "10s"), &Answering(|| Ok(response(500))), &status).await;
    assert!(tally.cut_short);
    assert_eq!((tally.failed, tally.planned), (10, 1000), "ten of a thousand are not less than 1 %");
    assert_eq!(tally.faults.get("answered 500"), Some(&10));
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_more_are_slow_than_the_rest_could_make_good() {
    let server = Stalling::new(0, 6_000);
    let tally = send(&barrage("100/s", "20s"), &server, &status).await;
    assert!(tally.cut_short);
    // Those due in the first second waited five seconds or more; at 6 s they are answered, and 21 of 2000 are enough.
    assert_eq!(tally.answered, 21);
    let limit = barrage("100/s", "20s").course.percentiles[0].1;
    assert!(tally.breaks(Percentile::P99, limit));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_slower_than_any_limit() {
    let count = AtomicU64::new(0);
    let broken = || ProbeError { reason: "connection reset".to_owned(), refused: false };
    let sometimes =
        || if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(50) { Err(broken()) } else { Ok(response(200)) };
    let lax = Course { errors: None, ..barrage("100/s", "10s").course };
    let tally = send(&Barrage { course: lax, ..barrage("100/s", "10s") }, &Answering(sometimes), &status).await;
    assert!(tally.cut_short && tally.failed == 11, "{tally:?}");
}

#[tokio::test(start_paused = true)]
async fn kinds_of_faults_are_bounded() {
    let count = AtomicU64::new(0);
    let many = || Ok(response(u16::try_from(500 + count.fetch_add(1, Ordering::Relaxed) % 90).expect("a status")));
    let lax = Course { errors: None, percentiles: Vec::new(), ..barrage("100/s", "10s").course };
    let tally = send(&Barrage { course: lax, ..barrage("100/s", "10s") }, &Answering(many), &status).await;
    assert_eq!((tally.faults.len(), tally.faults.values().sum::<u64>()), (7, 1000));
}

#[test]
fn a_limit_needs_enough_requests_to_be_shown() {
    let course = |errors: &str| Course { errors: errors.parse().ok(), ..barrage("50/s", "20s").course };
    assert_eq!(course("< 0.1%").fewest(), 1000);
    assert_eq!(course("< 10%").fewest(), 100, "for the p99");
    assert_eq!(course("< 0.1%").total(), 1000);
}
