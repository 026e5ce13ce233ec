//! A world as a scenario begins in it, for tests of an engine that start no process.

use std::path::PathBuf;
use std::sync::Arc;

use rehearsal::clock::Clock;
use rehearsal::scenario::{self, Loaded};
use rehearsal::served_plan::ServedPlan;
use rehearsal::setup::{self, Prepared, Surroundings};
use rehearsal::world::World;

/// A scenario of this text, its story aside.
pub(crate) fn load(yaml: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yaml");
    std::fs::write(&path, format!("story: a test\n{yaml}")).unwrap();
    scenario::load(&path).unwrap()
}

/// Its world. The programs that are named are never started.
pub(crate) fn world(loaded: &Loaded) -> (Arc<World>, Prepared) {
    let world = Arc::new(World::new(Clock::new()));
    let here = Surroundings {
        hooks: PathBuf::from("bin"),
        sample_service: PathBuf::from("bin/orders"),
        sample_migrations: PathBuf::from("migrations"),
        database: None,
        https: None,
        applications: loaded.scenario.application().to_owned(),
    };
    let prepared = setup::furnish(&world, loaded, &ServedPlan::of(None), &here);
    (world, prepared)
}
