//! The load balancer on real sockets: what reaches which target, what is answered when none answers, what is counted.

mod draining;
mod failures;
mod health;
mod routing;
mod stage;
mod traffic;
