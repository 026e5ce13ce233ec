//! In whatever way a rehearsal ends, nothing of it is left.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::workshop::{SMALL, Workshop};

/// With a database too: PostgreSQL is what is hardest to get rid of.
fn with_a_database() -> Workshop {
    let workshop = Workshop::new();
    workshop.write("small.yaml", SMALL.replace("database: false", "migrations: schema"));
    workshop.write("schema/20240101_orders.sql", "CREATE TABLE orders (id BIGINT PRIMARY KEY);");
    workshop
}

#[test]
fn a_small_rehearsal_of_an_application_of_ones_own_succeeds_and_leaves_nothing() {
    let workshop = with_a_database();
    let said = workshop.rehearse(&["run", "small.yaml"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    assert!(said.out.contains("its schema is that of blue, migration 20240101"), "{}", said.out);
    // What its shell would report is the signal.
    assert!(said.out.contains("stopped: exit status 7"), "{}", said.out);
    assert!(said.out.contains("the scenario expects nothing"), "{}", said.out);
    workshop.is_cleared_up();
}

#[test]
fn the_terminal_is_free_at_once_after_the_last_line() {
    let workshop = Workshop::new();
    let mut rehearsal = workshop.start(&["run", "small.yaml"]);
    rehearsal.says("the scenario expects nothing\n");
    let began = Instant::now();
    let said = rehearsal.ends();
    assert!(began.elapsed() < Duration::from_secs(2), "took {:?}", began.elapsed());
    assert_eq!(said.code, Some(0));
    workshop.is_cleared_up();
}

/// The moments are spread over the start, where most is half done.
#[test]
fn ctrl_c_at_any_time_leaves_no_process_and_no_folder() {
    for moment in (0..15_u64).map(|number| Duration::from_millis(20 + number * number * 12)) {
        let workshop = with_a_database();
        let rehearsal = workshop.start(&["run", "small.yaml"]);
        std::thread::sleep(moment);
        rehearsal.signal(Signal::SIGINT);
        let said = rehearsal.ends();
        // Without a code: it had not begun to listen, and had started nothing.
        assert!(matches!(said.code, Some(130) | None), "after {moment:?}: {said:?}");
        assert!(!said.err.contains("panicked"), "{}", said.err);
        workshop.is_cleared_up();
    }
}

#[test]
fn ctrl_c_is_answered_in_one_line() {
    let workshop = Workshop::new();
    let mut rehearsal = workshop.start(&["run", "small.yaml"]);
    rehearsal.says("blue serves");
    rehearsal.signal(Signal::SIGINT);
    let said = rehearsal.ends();
    assert_eq!(said.code, Some(130));
    assert_eq!(said.one_line_error(), "interrupted; everything that was started is stopped");
    workshop.is_cleared_up();
}

#[test]
fn sigterm_ends_it_as_ctrl_c_does() {
    let workshop = with_a_database();
    let mut rehearsal = workshop.start(&["run", "small.yaml"]);
    rehearsal.says("Install: green task set");
    rehearsal.signal(Signal::SIGTERM);
    assert_eq!(rehearsal.ends().code, Some(130));
    workshop.is_cleared_up();
}

#[test]
fn a_rehearsal_that_is_killed_is_cleared_up_after() {
    let workshop = with_a_database();
    let mut rehearsal = workshop.start(&["run", "small.yaml"]);
    rehearsal.says("blue serves");
    assert!(workshop.processes().len() > 2 && !workshop.folders().is_empty(), "{:?}", workshop.processes());
    rehearsal.signal(Signal::SIGKILL);
    assert_eq!(rehearsal.ends().code, None);
    workshop.is_cleared_up();
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let workshop = Workshop::new();
    let mut rehearsal = workshop.start(&["run", "small.yaml"]);
    rehearsal.is_read_for_one_line();
    let said = rehearsal.ends();
    assert_eq!((said.code, said.err.as_str()), (Some(141), ""));
    workshop.is_cleared_up();
}

#[test]
fn a_served_world_ends_with_ctrl_c() {
    let workshop = Workshop::new();
    let mut world = workshop.start(&["serve", "small.yaml"]);
    world.says("Ctrl-C ends it");
    world.signal(Signal::SIGINT);
    let said = world.ends();
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    workshop.is_cleared_up();
}
