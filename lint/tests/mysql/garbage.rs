//! Whatever is fed to it: it answers, and does not break.

use greenlight_lint::mysql::{lint, questions};
use greenlight_lint::{Facts, Weight};

use crate::file;
use crate::labelled::{corpus, facts};
use crate::spoiled::{Drawn, spoiled};

#[test]
fn spoiled_files_are_judged_without_breaking() {
    let mut texts: Vec<String> = corpus().into_iter().map(|file| file.sql).collect();
    texts.extend(
        ["`", "\\", "/*!", "*/", "/*M!100500 ", "#", "-- ", "begin ", "end ", ") ", "; delimiter "].map(str::to_owned),
    );
    let (mut drawn, known) = (Drawn(0x9E37_79B9_7F4A_7C15), facts());
    for _ in 0..20_000 {
        let sql = spoiled(&mut drawn, &texts);
        let lines = sql.lines().count().max(1);
        for facts in [&known, &Facts::default()] {
            for finding in lint(&[file("1_a.sql", &sql)], facts) {
                assert!((1..=lines).contains(&finding.line), "{finding}\n{sql}");
                assert!(!finding.to_string().contains('\n'), "{finding}\n{sql}");
            }
        }
        questions(&[file("1_a.sql", &sql)]);
    }
}

/// Nothing here calls itself as often as a statement is deep.
#[test]
fn a_statement_that_goes_on_and_on_takes_no_stack() {
    for (before, part) in [
        ("select ", "not "),
        ("select ", "("),
        ("alter table orders add a int default ", "("),
        ("create procedure p() ", "begin "),
        ("create procedure p() begin select ", "case "),
        ("", "explain "),
        ("", "explain analyze "),
        ("", "set statement a = 1 for "),
        ("", "create event e on schedule every 1 day do "),
        ("update orders set a = ", "1 + "),
        ("alter table orders ", "add a int, "),
        ("", "/*! "),
    ] {
        for times in [500, 50_000] {
            let sql = format!("{before}{}", part.repeat(times));
            questions(&[file("1", &sql)]);
            lint(&[file("1", &sql)], &facts());
        }
    }
}

#[test]
fn a_file_of_many_rows_or_statements_is_judged_to_its_end() {
    let rows = format!("INSERT INTO settings VALUES (0, ''){};\n", ", (1, 'it''s; DROP')".repeat(300_000));
    let sql = format!("{rows}{}DROP TABLE settings;", "DELETE FROM settings WHERE name = 'a';\n".repeat(20_000));
    let found = lint(&[file("1", &sql)], &Facts::default());
    let stops: Vec<_> = found.iter().filter(|it| it.weight == Weight::Stops).collect();
    assert_eq!(stops.len(), 1_000, "more help nobody");
    let found = lint(&[file("1", &format!("{rows}{rows}DROP TABLE settings;"))], &facts());
    assert!(found.len() == 1 && found[0].line == 3, "{found:?}");
}

#[test]
fn a_statement_too_long_to_be_read_is_opaque() {
    let sql = format!("UPDATE settings SET value = '' WHERE name IN (1{})", ", 1".repeat(100_000));
    let found = lint(&[file("1", &sql)], &facts());
    assert!(found.len() == 1 && found[0].suffers == "it has more than 64 KiB", "{found:?}");
}
