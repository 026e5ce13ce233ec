//! The matrix of "never silent": every call, request and message of a hook, struck by every fault, and every way in which its
//! process may end. Each combination is a cell: the real binary, asked once in a real world, must be answered for exactly once, in
//! time, with `Failed` unless every blocking check had said yes.

mod detour;
mod judge;
mod plan;
mod stand;

pub use self::detour::{RequestFault, StreamFault};
pub use self::judge::{Judged, judge};
pub use self::plan::{Survey, cells, pairs};
pub use self::stand::{Ran, Repeated, Stand};

use std::fmt;
use std::time::Duration;

use crate::world::faults::FaultKind;

/// One thing that is done to a hook while it works.
#[derive(Clone, Debug, PartialEq)]
pub enum Disturbance {
    /// A call of AWS.
    Call {
        /// `codedeploy:GetDeployment`.
        operation: String,
        /// So many of these calls pass before.
        after: u32,
        /// What happens to it.
        kind: FaultKind,
        /// Whether it happens to all later ones, too.
        always: bool,
    },
    /// The first such call of the function that answers for dead hooks.
    OfStandIn {
        /// `codedeploy:GetDeployment`.
        operation: &'static str,
        /// What happens to it, once.
        kind: FaultKind,
    },
    /// A request to the service behind its load balancer.
    Request {
        /// So many requests pass before.
        after: usize,
        /// What happens to it.
        kind: RequestFault,
        /// Whether it happens to all later ones, too.
        always: bool,
    },
    /// What goes to the database's server.
    Message {
        /// So many pieces pass before.
        after: usize,
        /// What happens then.
        kind: StreamFault,
    },
    /// AWS's endpoints as a whole.
    Endpoint(Endpoint),
    /// The process is killed so long after it got its event.
    Killed(Duration),
    /// The process has so many MiB, and is killed where it takes more.
    Memory(u32),
    /// The process gets no more than this of something, and must see for itself what becomes of it.
    Limit(Limit, u32),
    /// The process is told that it is killed at another time than it is: so many milliseconds from its event on.
    ToldDeadline(i64),
    /// The process is killed so long after its event, and told so.
    Timeout(Duration),
    /// Whoever invoked the function waits for it: then nobody keeps its event.
    Awaited,
    /// Something panics in it.
    Panics(Panics),
}

/// What panics. In the hook's place runs one that is made of the same library, `rehearsal/panicking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panics {
    /// A check.
    Check,
    /// A check, before it is asked.
    Question,
    /// Whatever makes the checks.
    Checks,
    /// Whatever makes the checks that a plan shapes.
    PlannedChecks,
    /// Looking up the deployment.
    Discovery,
    /// Writing the report.
    Report,
    /// Delivering the answer.
    Answer,
}

impl Panics {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Check, Self::Question, Self::Checks, Self::PlannedChecks, Self::Discovery, Self::Report, Self::Answer];

    /// As the hook that panics is told.
    pub fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Question => "question",
            Self::Checks => "checks",
            Self::PlannedChecks => "planned-checks",
            Self::Discovery => "discovery",
            Self::Report => "report",
            Self::Answer => "answer",
        }
    }
}

/// What the kernel lets a process have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// KiB of stack: past it, a stack overflow.
    Stack,
    /// KiB of address space: past it, no allocation succeeds.
    AddressSpace,
    /// Open files and connections.
    Files,
}

impl Limit {
    /// The option of the shell's `ulimit`.
    fn option(self) -> char {
        match self {
            Self::Stack => 's',
            Self::AddressSpace => 'v',
            Self::Files => 'n',
        }
    }
}

/// What is wrong with the way to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Nobody listens.
    Refused,
    /// Who listens does not speak TLS.
    BrokenTls,
}

impl fmt::Display for Disturbance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let often = |always: &bool| if *always { "from then on" } else { "once" };
        match self {
            Self::Call { operation, after, kind, always } => {
                write!(out, "{operation} no. {}: {}, {}", after + 1, kind.name(), often(always))
            }
            Self::OfStandIn { operation, kind } => write!(out, "report-failure's {operation}: {}, once", kind.name()),
            Self::Request { after, kind, always } => {
                write!(out, "request no. {}: {}, {}", after + 1, kind.name(), often(always))
            }
            Self::Message { after, kind } => write!(out, "database message no. {}: {}", after + 1, kind.name()),
            Self::Endpoint(Endpoint::Refused) => out.write_str("nobody listens for AWS calls"),
            Self::Endpoint(Endpoint::BrokenTls) => out.write_str("AWS's endpoints speak no TLS"),
            Self::Killed(after) => write!(out, "killed after {} ms", after.as_millis()),
            Self::Memory(mib) => write!(out, "{mib} MiB of memory"),
            Self::Limit(Limit::Stack, kib) => write!(out, "a stack of {kib} KiB"),
            Self::Limit(Limit::AddressSpace, kib) => write!(out, "{kib} KiB of address space"),
            Self::Limit(Limit::Files, count) => write!(out, "{count} open files"),
            Self::ToldDeadline(left) => write!(out, "told that it has {left} ms"),
            Self::Awaited => out.write_str("nobody keeps the event"),
            Self::Panics(what) => write!(out, "a panic in the {}", what.word()),
            Self::Timeout(timeout) => write!(out, "a timeout of {} ms", timeout.as_millis()),
        }
    }
}
