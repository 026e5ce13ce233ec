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

#[test]
fn a_statement_that_goes_on_and_on_takes_no_more_stack_than_there_is() {
    let deep = |before: &str, part: &str, times: usize| format!("{before}{}", part.repeat(times));
    for (part, sql) in [
        ("not ", "select "),
        ("begin ", "do $$ "),
        ("if a then ", "do $$ begin "),
        ("a join ", "select 1 from "),
        ("explain ", ""),
        ("case when 1 then ", "select "),
        ("case when (1) then ", "select "),
        ("::int", "select 1"),
        ("[1]", "select a"),
        (" or a", "select a"),
    ] {
        for times in [900, 50_000] {
            let sql = deep(sql, part, times);
            let sql = if sql.starts_with("do") { sql + "$$" } else { sql };
            let file = [Migration { name: "1_a.sql", sql: &sql, in_transaction: true }];
            questions(&file);
            assert!(lint(&file, &facts()).len() <= 1, "{part}");
        }
    }
}
