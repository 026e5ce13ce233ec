//! CloudWatch Logs: what containers wrote, by log group and stream. Apart from the state, so that an application that
//! writes much does not wake everybody.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;

/// Events of a stream that are kept.
const KEPT: usize = 1000;

/// Every stream there is.
#[derive(Default)]
pub struct Logs {
    groups: Mutex<BTreeMap<String, BTreeMap<String, VecDeque<Event>>>>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Written when, in the world's time.
    pub at: Timestamp,
    /// Its text.
    pub message: String,
}

/// What there is of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// No such group.
    NoGroup,
    /// A group without this stream.
    NoStream,
    /// Its events, oldest first.
    Events(Vec<Event>),
}

impl Logs {
    /// Makes a group, if it is new.
    pub fn create_group(&self, group: &str) {
        self.lock().entry(group.to_owned()).or_default();
    }

    /// Appends lines to a stream, which is made with them, as the `awslogs` driver does.
    pub fn write(&self, group: &str, stream: &str, at: Timestamp, lines: &[String]) {
        let mut groups = self.lock();
        let events = groups.entry(group.to_owned()).or_default().entry(stream.to_owned()).or_default();
        events.extend(lines.iter().map(|line| Event { at, message: line.clone() }));
        let surplus = events.len().saturating_sub(KEPT);
        events.drain(..surplus);
    }

    /// What was written to a stream.
    pub fn stream(&self, group: &str, stream: &str) -> Stream {
        let groups = self.lock();
        match groups.get(group) {
            None => Stream::NoGroup,
            Some(streams) => match streams.get(stream) {
                None => Stream::NoStream,
                Some(events) => Stream::Events(events.iter().cloned().collect()),
            },
        }
    }

    /// The events of all streams of a group with the streams' names, oldest first; `None` where there is no such group.
    pub fn group(&self, group: &str) -> Option<Vec<(String, Event)>> {
        let groups = self.lock();
        let streams = groups.get(group)?.iter();
        let mut events: Vec<(String, Event)> =
            streams.flat_map(|(stream, events)| events.iter().map(|event| (stream.clone(), event.clone()))).collect();
        events.sort_by_key(|(_, event)| event.at);
        Some(events)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, VecDeque<Event>>>> {
        self.groups.lock().expect("nothing panics while it holds the logs")
    }
}
