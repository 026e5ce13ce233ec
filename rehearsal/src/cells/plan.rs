//! Which cells there are: everything that an undisturbed run did, struck by every fault; the process itself; and pairs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Disturbance, Endpoint, Limit, Panics, RequestFault, StreamFault};
use crate::world::faults::FaultKind;

/// Of the same call, request or message so many are struck: one that asks until it is so asks for as long as it may.
const OF_THE_SAME: u32 = 3;
/// How late what is slow comes.
const SLOW: Duration = Duration::from_millis(1500);

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Operations in their order: `codedeploy:GetDeployment`.
    pub calls: Vec<String>,
    /// Requests in their order: `GET /health`.
    pub requests: Vec<String>,
    /// Pieces that went to the database's server.
    pub messages: usize,
}

/// Every fault of a call. A refused connection is one of all calls: [`Endpoint::Refused`].
fn of_calls() -> [FaultKind; 11] {
    [
        FaultKind::Reset,
        FaultKind::Throttled,
        FaultKind::ServerError,
        FaultKind::AccessDenied,
        FaultKind::ExpiredToken,
        FaultKind::Garbage,
        FaultKind::Truncated,
        FaultKind::WrongType,
        FaultKind::Empty,
        FaultKind::Delay(SLOW),
        FaultKind::Hang,
    ]
}

/// Every cell of one disturbance, after what an undisturbed run did.
pub fn cells(survey: &Survey) -> Vec<Vec<Disturbance>> {
    let mut all = Vec::new();
    let mut counted = BTreeMap::<&str, u32>::new();
    for operation in &survey.calls {
        let after = counted.entry(operation).or_default();
        if *after < OF_THE_SAME {
            for kind in of_calls() {
                for always in [false, true] {
                    let (operation, kind) = (operation.clone(), kind.clone());
                    all.push(Disturbance::Call { operation, after: *after, kind, always });
                }
            }
        }
        *after += 1;
    }
    for after in 0..survey.requests.len() {
        let once = RequestFault::ALL.into_iter().filter(|kind| *kind != RequestFault::Refused || after == 0);
        all.extend(once.flat_map(|kind| {
            [false, true].into_iter().map(move |always| Disturbance::Request { after, kind, always })
        }));
    }
    for after in 0..survey.messages {
        let kinds = StreamFault::ALL.into_iter().filter(|kind| *kind != StreamFault::Refused || after == 0);
        all.extend(kinds.map(|kind| Disturbance::Message { after, kind }));
    }
    all.extend(of_process());
    let mut cells: Vec<_> = all.into_iter().map(|one| vec![one]).collect();
    // AWS does not say whether CodeDeploy waits for the functions that it invokes.
    cells.extend(deaths().into_iter().map(|death| vec![death, Disturbance::Awaited]));
    cells.extend(of_stand_in());
    cells.extend(Panics::ALL.map(|what| vec![Disturbance::Panics(what)]));
    cells
}

/// A hook that dies without an answer, and the function that answers for it is disturbed, too.
fn of_stand_in() -> Vec<Vec<Disturbance>> {
    const OPERATIONS: [&str; 3] =
        ["logs:GetLogEvents", "codedeploy:GetDeployment", "codedeploy:PutLifecycleEventHookExecutionStatus"];
    let hangs = Disturbance::Call {
        operation: "codedeploy:GetDeployment".to_owned(),
        after: 0,
        kind: FaultKind::Hang,
        always: true,
    };
    let dies = [hangs, Disturbance::Killed(Duration::from_millis(100))];
    let struck =
        OPERATIONS.into_iter().flat_map(|operation| of_calls().map(|kind| Disturbance::OfStandIn { operation, kind }));
    struck.map(|struck| [dies.as_slice(), &[struck]].concat()).collect()
}

/// What may happen to the process, whatever it does.
fn of_process() -> Vec<Disturbance> {
    let milliseconds = Duration::from_millis;
    let mut all = vec![
        Disturbance::Endpoint(Endpoint::Refused),
        Disturbance::Endpoint(Endpoint::BrokenTls),
        Disturbance::Timeout(milliseconds(1000)),
        Disturbance::Timeout(milliseconds(300)),
        Disturbance::Timeout(milliseconds(50)),
    ];
    // A minute, an hour and a day away: as after a jump of the clock.
    all.extend([1000, 0, -1000, -3_600_000, 60_000, 3_600_000, 86_400_000].map(Disturbance::ToldDeadline));
    all.extend(deaths());
    all
}

/// After these nothing in the process can answer.
fn deaths() -> Vec<Disturbance> {
    let killed = (0..40).map(|step| Disturbance::Killed(Duration::from_millis(step * step / 2)));
    let stack = [32, 64, 96, 128, 192, 256, 512].map(|kib| Disturbance::Limit(Limit::Stack, kib));
    let space = (1..=12).map(|tens| Disturbance::Limit(Limit::AddressSpace, tens * 10 * 1024));
    let files = (3..16).map(|count| Disturbance::Limit(Limit::Files, count));
    let memory = [8, 16, 24].map(Disturbance::Memory);
    memory.into_iter().chain(stack).chain(space).chain(files).chain(killed).collect()
}

/// Pairs of disturbances, drawn by a generator with this seed.
pub fn pairs(cells: &[Vec<Disturbance>], count: usize, seed: u64) -> Vec<Vec<Disturbance>> {
    let mut draw = Draw(seed);
    let mut all = Vec::new();
    while all.len() < count && cells.len() > 1 {
        let (one, other) = (&cells[draw.below(cells.len())], &cells[draw.below(cells.len())]);
        // Of two faults of requests, of the stream, or of the same call, only one would strike.
        let kind = |cell: &[Disturbance]| cell.first().map(std::mem::discriminant);
        let other_calls = matches!((one.first(), other.first()),
            (Some(Disturbance::Call { operation: one, .. }), Some(Disturbance::Call { operation: other, .. })) if one != other);
        if one != other && (kind(one) != kind(other) || other_calls) {
            all.push([one.as_slice(), other.as_slice()].concat());
        }
    }
    all
}

/// The same numbers for the same seed, on every machine. <https://prng.di.unimi.it/splitmix64.c> describes it.
struct Draw(u64);

impl Draw {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % count as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey() -> Survey {
        Survey {
            calls: ["a:A", "b:B", "a:A", "a:A", "a:A"].map(str::to_owned).to_vec(),
            requests: vec!["GET /".to_owned()],
            messages: 2,
        }
    }

    #[test]
    fn everything_that_was_done_is_struck_by_every_fault() {
        let cells = cells(&survey());
        let count =
            |wanted: fn(&Disturbance) -> bool| cells.iter().filter(|cell| cell.len() == 1 && wanted(&cell[0])).count();
        assert_eq!(count(|it| matches!(it, Disturbance::Call { .. })), 4 * 11 * 2, "of five calls of A three");
        assert_eq!(count(|it| matches!(it, Disturbance::Request { .. })), 12 * 2);
        assert_eq!(count(|it| matches!(it, Disturbance::Message { .. })), 6 + 5);
    }

    #[test]
    fn the_same_seed_draws_the_same_pairs() {
        let cells = cells(&survey());
        let drawn = pairs(&cells, 50, 7);
        assert_eq!(drawn.len(), 50);
        assert_eq!(drawn, pairs(&cells, 50, 7));
        assert_ne!(drawn, pairs(&cells, 50, 8));
        let operations = |pair: &Vec<Disturbance>| -> Vec<String> {
            let of_call = |it: &Disturbance| match it {
                Disturbance::Call { operation, .. } => Some(operation.clone()),
                _ => None,
            };
            pair.iter().filter_map(of_call).collect()
        };
        let same = |pair: &Vec<Disturbance>| matches!(operations(pair).as_slice(), [one, other] if one == other);
        assert!(!drawn.iter().any(same), "only one fault of a call would strike");
        assert!(drawn.iter().all(|pair| pair.len() >= 2));
    }
}
