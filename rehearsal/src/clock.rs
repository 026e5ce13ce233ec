//! The world's one clock: real speed while something works, fast while the deployment only waits.
//!
//! Health checks, metrics, alarms and events are all stamped by it. It starts at the real time and only ever runs ahead
//! of it. Clients keep real clocks, so the wire translates times with [`Clock::to_world`] and [`Clock::to_client`].

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

/// World seconds per real second while nothing works: a virtual minute takes 300 ms.
const IDLE_PACE: f64 = 200.0;
/// How often [`Clock::run`] ticks, in real time.
const TICK: Duration = Duration::from_millis(2);
/// The most real time that may pass between two ticks at a fast pace. On a busy machine ticks come late; then the world
/// is late too, and does not jump ahead of the work that was to be done in it.
const LONGEST_STEP: Duration = Duration::from_millis(20);

/// The clock. Clones share one time.
#[derive(Clone)]
pub struct Clock {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Rings whenever the pace changes, so that sleepers reckon anew.
    pace_changed: watch::Sender<u64>,
}

struct State {
    /// Whether [`Clock::run`] ticks, so that a fast pace can wait for it.
    ticks: bool,
    /// World seconds per real second while nothing works.
    idle_pace: f64,
    /// Whether a wait may be skipped faster than that.
    skips: bool,
    /// World time at `since`.
    base: Timestamp,
    since: Instant,
    pace: f64,
    /// Paces asked for by those that work: the slowest wins.
    workers: Vec<(u64, f64)>,
    /// Paces asked for by those that skip a wait: the fastest wins, when nobody works.
    skippers: Vec<(u64, f64)>,
    next_id: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that shows the real time and runs at the idle pace.
    pub fn new() -> Self {
        Self::running(IDLE_PACE, true)
    }

    /// A clock for people who look on: while nothing works it runs `pace` times faster than real time, and no wait is
    /// skipped any faster.
    pub fn at_pace(pace: f64) -> Self {
        Self::running(pace, false)
    }

    fn running(idle_pace: f64, skips: bool) -> Self {
        let state = State {
            ticks: false,
            idle_pace,
            skips,
            base: Timestamp::now(),
            since: Instant::now(),
            pace: idle_pace,
            workers: Vec::new(),
            skippers: Vec::new(),
            next_id: 0,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), pace_changed: watch::Sender::new(0) }) }
    }

    /// Ticks until it is dropped. From the first tick on the world's time stands still at a fast pace when no tick comes.
    pub async fn run(self) {
        loop {
            {
                let mut state = self.lock();
                state.ticks = true;
                state.reckon();
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    /// The clock runs at real speed until the guard is dropped: a hook runs, a task starts, a migration works.
    pub fn working(&self) -> PaceGuard {
        self.working_at(1.0)
    }

    /// As [`Clock::working`], at `pace` world seconds per real second: for a hook whose own waits were shortened by the
    /// same factor.
    pub fn working_at(&self, pace: f64) -> PaceGuard {
        self.change(|state| {
            let id = state.take_id();
            state.workers.push((id, pace));
            id
        })
    }

    /// Waits for `wait` of the world's time. Unless somebody works meanwhile, or the clock was made with
    /// [`Clock::at_pace`], this takes at most `at_most` of real time.
    pub async fn skip(&self, wait: Duration, at_most: Duration) {
        let ends = self.now() + SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let pace = wait.as_secs_f64() / at_most.as_secs_f64().max(0.001);
        let faster = {
            let state = self.lock();
            state.skips && pace > state.idle_pace
        };
        let _fast = faster.then(|| {
            self.change(|state| {
                let id = state.take_id();
                state.skippers.push((id, pace));
                id
            })
        });
        self.sleep_until(ends).await;
    }

    /// Waits for `wait` of the world's time, at whatever pace it runs.
    pub async fn sleep(&self, wait: Duration) {
        let ends = self.now() + SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        self.sleep_until(ends).await;
    }

    /// Waits until the world's time is `ends`.
    pub async fn sleep_until(&self, ends: Timestamp) {
        let mut pace_changed = self.shared.pace_changed.subscribe();
        loop {
            let real = {
                let state = self.lock();
                let left = ends.duration_since(state.now());
                if left <= SignedDuration::ZERO {
                    return;
                }
                Duration::from_secs_f64(left.as_secs_f64() / state.pace)
            };
            tokio::select! {
                () = tokio::time::sleep(real) => {}
                changed = pace_changed.changed() => {
                    // The sender lives in `self`.
                    debug_assert!(changed.is_ok(), "the clock outlives its sleepers");
                }
            }
        }
    }

    /// The world's time for a time on a client's real clock: `now` is `now` for both, and an age stays an age. At the
    /// ends of all times there is no other.
    pub fn to_world(&self, client: Timestamp) -> Timestamp {
        client.checked_add(self.ahead()).unwrap_or(client)
    }

    /// The time to tell a client for a time of the world.
    pub fn to_client(&self, world: Timestamp) -> Timestamp {
        world - self.ahead()
    }

    fn ahead(&self) -> SignedDuration {
        self.now().duration_since(Timestamp::now())
    }

    fn change(&self, change: impl FnOnce(&mut State) -> u64) -> PaceGuard {
        let id = {
            let mut state = self.lock();
            let id = change(&mut state);
            state.reckon();
            id
        };
        self.shared.pace_changed.send_modify(|count| *count += 1);
        PaceGuard { clock: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("nothing panics while it holds the clock")
    }
}

impl State {
    fn now(&self) -> Timestamp {
        let mut real = self.since.elapsed();
        if self.ticks && self.pace > 1.0 {
            real = real.min(LONGEST_STEP);
        }
        self.base + SignedDuration::from_secs_f64(real.as_secs_f64() * self.pace)
    }

    fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn reckon(&mut self) {
        self.base = self.now();
        self.since = Instant::now();
        let slowest = self.workers.iter().map(|(_, pace)| *pace).reduce(f64::min);
        let fastest = self.skippers.iter().map(|(_, pace)| *pace).fold(self.idle_pace, f64::max);
        self.pace = slowest.unwrap_or(fastest);
    }
}

/// Keeps the clock at a pace until it is dropped.
#[must_use = "the pace ends when the guard is dropped"]
pub struct PaceGuard {
    clock: Clock,
    id: u64,
}

impl Drop for PaceGuard {
    fn drop(&mut self) {
        {
            let mut state = self.clock.lock();
            state.workers.retain(|(id, _)| *id != self.id);
            state.skippers.retain(|(id, _)| *id != self.id);
            state.reckon();
        }
        self.clock.shared.pace_changed.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_hour_that_is_skipped_takes_a_second() {
        let clock = Clock::new();
        let (world, real) = (clock.now(), Instant::now());
        clock.skip(Duration::from_secs(3600), Duration::from_secs(1)).await;
        assert!(clock.now().duration_since(world).as_secs() >= 3600);
        assert!(real.elapsed() <= Duration::from_millis(1010), "took {:?}", real.elapsed());
    }

    /// Somebody who types commands must see a canary of five minutes, and may want it as long as it is on AWS.
    #[tokio::test(start_paused = true)]
    async fn a_clock_with_a_pace_skips_nothing() {
        let clock = Clock::at_pace(30.0);
        let real = Instant::now();
        clock.skip(Duration::from_secs(300), Duration::from_secs(1)).await;
        assert_eq!(real.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn time_runs_at_real_speed_while_something_works() {
        let clock = Clock::new();
        let work = clock.working();
        let world = clock.now();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(clock.now().duration_since(world).as_secs(), 5);
        drop(work);
        let world = clock.now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(clock.now().duration_since(world).as_secs(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleeper_reckons_anew_when_work_begins_and_ends() {
        let clock = Clock::new();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_secs(200)).await;
                Instant::now()
            }
        });
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let work = clock.working();
        tokio::time::sleep(Duration::from_secs(10)).await;
        drop(work);
        let took = sleeper.await.expect("the sleeper does not panic").duration_since(begun);
        assert!(took >= Duration::from_millis(10_900) && took < Duration::from_millis(11_000), "took {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_machine_does_not_make_the_world_jump_ahead() {
        let clock = Clock::new();
        let ticking = tokio::spawn(clock.clone().run());
        tokio::time::sleep(Duration::from_millis(100)).await;
        ticking.abort();
        let world = clock.now();
        tokio::time::advance(Duration::from_secs(10)).await;
        let jumped = clock.now().duration_since(world);
        assert!(jumped <= SignedDuration::from_secs(4), "{jumped}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_age_stays_an_age_on_the_clients_clock() {
        let clock = Clock::new();
        clock.skip(Duration::from_secs(3600), Duration::from_millis(1)).await;
        let five_minutes_ago = clock.now() - SignedDuration::from_mins(5);
        let told = clock.to_client(five_minutes_ago);
        let age = Timestamp::now().duration_since(told);
        assert!((age.as_secs_f64() - 300.0).abs() < 1.0, "{age}");
        assert!((clock.to_world(told).duration_since(five_minutes_ago)).as_secs() == 0);
    }
}
