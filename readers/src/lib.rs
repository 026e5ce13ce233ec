//! Every reader of what others wrote, run to its end on any bytes, and what must hold whatever they are.
//!
//! There are two uses of the one list. `make test` feeds each reader the kept cases and seeds that are spoiled, the same ones in
//! every run; `make fuzz` feeds it what leads to new code, for as long as one likes. A reader panics where something does not hold.

// The tests in the files of hooks need the hooks around them, and its own lie in `tests`.
#![cfg(not(test))]

mod app_spec;
mod assertions;
mod death;
mod documents;
mod event;
mod hook_answer;
pub mod hook_files;
mod last_words;
mod migrations;
mod plan;
mod quantities;
mod scenario;
mod secrets;
mod sql;
mod template;
mod wire;

/// A reader of bytes that anybody may have written.
#[derive(Clone, Copy)]
pub struct Reader {
    /// Also the name of its target and of its folders of seeds and found cases.
    pub name: &'static str,
    /// Reads to the end, and panics where something does not hold that must.
    pub read: fn(&[u8]),
}

/// All of them.
pub const ALL: [Reader; 15] = [
    Reader { name: "app_spec", read: app_spec::read },
    Reader { name: "assertions", read: assertions::read },
    Reader { name: "death", read: death::read },
    Reader { name: "event", read: event::read },
    Reader { name: "hook_answer", read: hook_answer::read },
    Reader { name: "last_words", read: last_words::read },
    Reader { name: "migrations", read: migrations::read },
    Reader { name: "mysql", read: sql::read_mysql },
    Reader { name: "plan", read: plan::read },
    Reader { name: "postgresql", read: sql::read_postgresql },
    Reader { name: "quantities", read: quantities::read },
    Reader { name: "scenario", read: scenario::read },
    Reader { name: "secrets", read: secrets::read },
    Reader { name: "template", read: template::read },
    Reader { name: "wire", read: wire::read },
];

/// Has the reader of this name read the bytes.
pub fn read(name: &str, bytes: &[u8]) {
    let reader = ALL.iter().find(|reader| reader.name == name).expect("a reader of this name");
    (reader.read)(bytes);
}
