//! `rehearse`.

use rehearsal::reaper;

fn main() {
    if std::env::args().nth(1).as_deref() == Some(reaper::SUBCOMMAND) {
        reaper::main();
    }
}
