//! What the check says in the log, for every engine.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use tracing_subscriber::fmt::MakeWriter;

thread_local! {
    /// What was said on this thread, on which one test runs with its check; `None` where nobody listens.
    static HEARD: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// One log for all tests of this program. With one for each, whichever test came to a line first decided for all of them
/// whether anybody listens to it.
struct Heard;

impl io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HEARD.with_borrow_mut(|heard| heard.iter_mut().for_each(|heard| heard.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Heard {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Hears what is said on this thread from now on.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::fmt().with_writer(Heard).with_ansi(false).init());
    HEARD.set(Some(Vec::new()));
}

/// What the check has said, without times and fields.
pub(crate) fn of_check() -> Vec<String> {
    let text = String::from_utf8(HEARD.take().expect("somebody has listened")).expect("the log is text");
    let said = text.lines().filter_map(|line| line.split_once("before_allow_traffic::migrations::"));
    let said = said.filter_map(|(_, said)| said.split_once(": ")).map(|(_, said)| said);
    said.map(|said| said.split(" file=").next().unwrap_or(said).to_owned()).collect()
}
