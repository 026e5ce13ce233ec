//! Whatever is fed to it: it answers, and does not break.

use greenlight_lint::{Facts, Migration, lint, questions};

use crate::labelled::{corpus, facts};
use crate::spoiled::{Drawn, spoiled};

#[test]
fn spoiled_files_are_judged_without_breaking() {
    let texts: Vec<String> = corpus().into_iter().map(|file| file.sql).collect();
    let (mut drawn, known) = (Drawn(0x9E37_79B9_7F4A_7C15), facts());
    for _ in 0..3_000 {
        let sql = spoiled(&mut drawn, &texts);
        let file = [Migration { name: "1_a.sql", sql: &sql, in_transaction: drawn.below(2) == 0 }];
        let lines = sql.lines().count().max(1);
        for facts in [&known, &Facts::default()] {
            for finding in lint(&file, facts) {
                assert!((1..=lines).contains(&finding.line), "{finding}\n{sql}");
                assert!(!finding.to_string().contains('\n'), "{finding}\n{sql}");
            }
        }
        questions(&file);
    }
}
