//! A scenario with everything it refers to. Nothing is started.

use std::path::Path;

use greenlight::document::{self, Mistakes};
use greenlight::stage::Stage;
use rehearsal::scenario::{self, Instead, LoadError, Scenario};

use crate::documents::{self, SOURCE};

/// Where the plans and templates lie that scenarios name.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../rehearsal/scenarios");

pub(crate) fn read(bytes: &[u8]) {
    let text = documents::text(bytes);
    let alone = documents::read(&text, |text| document::parse::<Scenario>(text, SOURCE));
    match scenario::read(&text, SOURCE, Path::new(FOLDER), &Instead::default()) {
        Ok((scenario, _)) => {
            assert!(alone.is_some(), "it is sound by itself");
            for stage in scenario.stages() {
                assert!(!(scenario.leaves_out(*stage) && scenario.runs_own_hook(*stage)), "{stage} is both");
            }
            assert!(Stage::ALL.into_iter().all(|it| scenario.stages().contains(&it) || scenario.leaves_out(it)));
            scenario.runs_sample_service();
            scenario.platform();
        }
        Err(LoadError::Document(mistakes)) => of_all_documents(&mistakes),
        Err(other) => assert!(!other.to_string().is_empty(), "it says why"),
    }
}

/// Of the scenario and of its plan.
fn of_all_documents(mistakes: &Mistakes) {
    mistakes.iter().for_each(documents::is_short);
}
