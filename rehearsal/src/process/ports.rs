//! Free loopback ports for processes that want to be told one.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the range from which Linux and macOS give ports to outgoing connections: none of these can take one away
/// between our look and the process's own bind, and a client that knocks there cannot end up talking to itself.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Hands out each port once.
#[derive(Debug, Default)]
pub struct Ports {
    given: Mutex<BTreeSet<u16>>,
}

impl Ports {
    /// A port on which nothing listens; `None` when there is none left.
    pub fn take(&self) -> Option<u16> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        // Two rehearsals side by side begin at different places.
        let begin = uuid::Uuid::new_v4().as_fields().1 % COUNT;
        let free = (0..COUNT)
            .map(|step| FIRST + (begin + step) % COUNT)
            .find(|port| !given.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())?;
        given.insert(free);
        Some(free)
    }
}
