//! What the check says in the log, for every engine.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// Of the check, without times and fields.
    pub(crate) fn of_check(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let said = text.lines().filter_map(|line| line.split_once("before_allow_traffic::migrations::"));
        let said = said.filter_map(|(_, said)| said.split_once(": ")).map(|(_, said)| said);
        said.map(|said| said.split(" file=").next().unwrap_or(said).to_owned()).collect()
    }
}
