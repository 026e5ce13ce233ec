//! The same event more than once, late, or of somebody else: one answer at most, and migrations once. The real hook.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use greenlight::stage::Stage;
use rehearsal::cells::{Repeated, Stand};
use rehearsal::rehearsal::Machine;
use rehearsal::scenario;
use rehearsal::world::functions::InvocationStatus;

#[path = "support/programs.rs"]
mod programs;

async fn stand() -> Stand {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built: PathBuf = programs::rehearse().parent().unwrap().to_owned();
    let machine = Machine {
        hooks: built.clone(),
        sample_service: built.join("orders"),
        panicking_hook: built.join("panicking-hook"),
        sample_migrations: here.join("../environment/app/migrations"),
        reaper: None,
        endpoint_port: None,
    };
    let loaded = scenario::load(&here.join("matrix/matrix.yaml")).unwrap();
    Stand::open(Stage::BeforeAllowTraffic, loaded, &machine).await.unwrap()
}

/// How often the hooks' logs say this, of all invocations.
fn said(repeated: &Repeated, words: &str) -> usize {
    repeated.hooks.iter().flat_map(|hook| &hook.log).filter(|line| line.contains(words)).count()
}

fn returned(repeated: &Repeated) -> bool {
    repeated.hooks.iter().all(|hook| matches!(hook.status, InvocationStatus::Returned(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_is_answered_once_and_migrated_once_however_often_it_comes() {
    let stand = stand().await;
    for at_once in [true, false] {
        let repeated = stand.repeat(3, at_once).await.unwrap();
        assert_eq!((repeated.answer, repeated.refused), (Some(true), 2), "at once: {at_once}");
        assert!(returned(&repeated), "an answer that came second is no error");
        assert_eq!(said(&repeated, "CodeDeploy no longer waits for this answer"), 2);
        assert_eq!(repeated.migrations, [1, 2, 3]);
        for file in ["0002_order_note.sql", "0003_orders_by_time.sql"] {
            assert_eq!(said(&repeated, &format!("applied {file}")), 1, "at once: {at_once}");
        }
    }

    // Nobody knows it here: it is of another account or Region, or of a day long gone.
    let foreign = stand.ask_about("d-ELSEWHERE").await.unwrap();
    assert_eq!(foreign.answer, None);
    assert!(!returned(&foreign), "Lambda is told that nobody was answered");
    assert_eq!(said(&foreign, "ANSWER NOT DELIVERED"), 1);
    assert!(said(&foreign, "deployment-is-known") > 0, "{:?}", foreign.hooks[0].log);
    assert_eq!(foreign.migrations, [1]);

    // So it is after an hour, too, when CodeDeploy has failed it.
    stand.stop().await.unwrap();
    let late = stand.repeat(2, true).await.unwrap();
    assert_eq!((late.answer, late.refused), (None, 2));
    assert_eq!(said(&late, "the event came late"), 2);
    assert_eq!(late.migrations, [1], "nothing is done for a deployment that is over");
    stand.close().await;
}
