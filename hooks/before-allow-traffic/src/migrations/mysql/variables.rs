//! What a run that goes on must do again for its session, and what it cannot.
//!
//! `SET` and `PREPARE` before the place where an earlier run stopped are done again. A value that they compute may be another one
//! now: of `SET @n = (SELECT COUNT(*) FROM orders)` once rows were added, of `SET @id = UUID()` always. Who uses it is stopped.

use std::collections::BTreeMap;

use greenlight_lint::mysql::statements::{Statement, Token};

use crate::migrations::Halt;
use crate::migrations::files::File;

/// Variables whose value was computed before the place where an earlier run stopped, with the lines on which that is done.
#[derive(Default)]
pub struct Stale<'a>(BTreeMap<&'a str, usize>);

impl<'a> Stale<'a> {
    /// This statement is done again, before that place.
    pub fn meets(&mut self, statement: &'a Statement<'a>) {
        let variables = variables(statement);
        let uses = variables.iter().any(|it| !it.is_set && self.0.contains_key(it.name));
        let computes = uses || statement.starts_with(&["select"]) || statement.head.contains(&Token::Mark('('));
        for variable in variables.iter().filter(|it| it.is_set) {
            if computes {
                self.0.insert(variable.name, statement.line);
            } else {
                self.0.remove(variable.name);
            }
        }
    }

    /// This statement is behind that place: it may set such a variable, and must not use it.
    pub fn is_free_of(&mut self, file: &File, statement: &Statement<'_>) -> Result<(), Halt> {
        if self.0.is_empty() {
            return Ok(());
        }
        let variables = variables(statement);
        let used = variables.iter().filter(|it| !it.is_set).find_map(|it| Some((it.name, *self.0.get(it.name)?)));
        if let Some((variable, line)) = used {
            return Err(Halt::no(
                format!(
                    "{} line {} uses @{variable}, which line {line} computes; an earlier run was interrupted in between, and its \
                     value may be another one now; nothing more was done",
                    file.name, statement.line
                ),
                format!(
                    "Set @{variable} to the value that it had in a SET of its own before line {}; then redeploy.",
                    statement.line
                ),
            ));
        }
        for variable in variables.iter().filter(|it| it.is_set) {
            self.0.remove(variable.name);
        }
        Ok(())
    }
}

/// A variable where it stands.
struct Variable<'a> {
    name: &'a str,
    is_set: bool,
}

/// `@x`, and neither `@@x` nor the host of an account.
fn variables<'a>(statement: &'a Statement<'_>) -> Vec<Variable<'a>> {
    let tokens: Vec<Token<'a>> = statement.tokens().collect();
    let (set, select) = (statement.starts_with(&["set"]), statement.starts_with(&["select"]));
    let into = tokens.iter().position(|token| token.is("into")).filter(|_| select);
    let variable = |(at, token): (usize, &Token<'a>)| {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let is_alone = !matches!(before, Some(Token::Mark('@') | Token::Quoted(_) | Token::Text(_)));
        let name = match tokens.get(at + 1) {
            Some(Token::Word(name)) if *token == Token::Mark('@') && is_alone => *name,
            _ => return None,
        };
        let is_set = match (tokens.get(at + 2), tokens.get(at + 3)) {
            (Some(Token::Mark('=')), _) => set,
            (Some(Token::Mark(':')), Some(Token::Mark('='))) => set || select,
            _ => into.is_some_and(|into| into < at),
        };
        Some(Variable { name, is_set })
    };
    tokens.iter().enumerate().filter_map(variable).collect()
}

/// Whether this statement, done again, would only make what is taken away again before the place where the run goes on.
pub fn is_over<'a>(statement: &Statement<'_>, before_that_place: impl Iterator<Item = &'a Statement<'a>>) -> bool {
    let name = |statement: &Statement<'_>, at: usize| match statement.head.get(at) {
        Some(Token::Word(name) | Token::Quoted(name)) => Some(name.trim_matches('`').to_lowercase()),
        _ => None,
    };
    if takes_away(statement) {
        return true;
    }
    let prepared = name(statement, 1).filter(|_| statement.starts_with(&["prepare"]));
    let mut later = before_that_place;
    prepared.is_some() && later.any(|it| takes_away(it) && name(it, 2) == prepared)
}

/// `DEALLOCATE PREPARE q`, `DROP PREPARE q`.
fn takes_away(statement: &Statement<'_>) -> bool {
    statement.starts_with(&["deallocate", "prepare"]) || statement.starts_with(&["drop", "prepare"])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use greenlight_lint::mysql::statements::{Statement, statements};

    use super::{Stale, is_over};
    use crate::migrations::Halt;
    use crate::migrations::files::File;

    fn all(sql: &str) -> Vec<Statement<'_>> {
        statements(sql).collect::<Result<_, _>>().unwrap()
    }

    /// What is said of the second file's statements once the first's were done again.
    fn said(again: &str, behind: &str) -> Option<String> {
        let file = File::with("");
        let (again, behind) = (all(again), all(behind));
        let mut stale = Stale::default();
        for statement in &again {
            stale.meets(statement);
        }
        behind.iter().find_map(|statement| match stale.is_free_of(&file, statement) {
            Err(Halt::No { evidence, .. }) => Some(evidence),
            _ => None,
        })
    }

    #[test]
    fn a_computed_value_must_not_be_used_once_it_may_have_changed() {
        let use_it = "INSERT INTO a VALUES (@n)";
        for computed in [
            "SET @n = (SELECT COUNT(*) FROM a)",
            "SET @m = UUID(), @k = 1; SET @n = @m",
            "SELECT COUNT(*) INTO @n FROM a",
            "SELECT @n := MAX(x) FROM a",
        ] {
            let said = said(computed, use_it).unwrap_or_else(|| panic!("{computed} is not noticed"));
            assert!(said.starts_with("1_a.sql line 1 uses @n, which line 1 computes"), "{said}");
        }
    }

    #[test]
    fn what_is_always_the_same_or_set_anew_may_be_used() {
        let use_it = "INSERT INTO a VALUES (@n)";
        assert_eq!(said("SET @n = 7, @@sort_buffer_size = 9", use_it), None);
        assert_eq!(said("SET @n = @@sql_mode", use_it), None);
        let set_anew = format!("SET @n = (SELECT COUNT(*) FROM a); {use_it}");
        assert_eq!(said("SET @n = (SELECT COUNT(*) FROM a)", &set_anew), None);
        assert_eq!(said("SET @host = NOW()", "INSERT INTO a VALUES ('a@host')"), None);
    }

    #[test]
    fn what_is_prepared_and_taken_away_again_is_not_made_again() {
        let sql = all("PREPARE q FROM @sql; EXECUTE q; DEALLOCATE PREPARE q; PREPARE r FROM 'DO 0'");
        assert!(is_over(&sql[0], sql[1..].iter()));
        assert!(is_over(&sql[2], sql[3..].iter()));
        assert!(!is_over(&sql[3], [].iter()));
    }
}
