//! The pending files together: what one makes is new to blue, whatever a later one does to it.

mod clauses;

use super::clause::Action;
use super::object::{Object, Objects};
use super::rules::Act;
use super::unit::{Unit, units};
use crate::Migration;
use crate::facts::Facts;
use crate::finding::{Finding, Findings, Harm, Verdict};
use crate::name::Name;
use crate::statements::{Grammar, summary_of};

/// What is known after the files so far.
pub(super) struct Batch<'a> {
    facts: &'a Facts,
    /// Objects that the files have made.
    made: Objects,
    columns: Vec<NewColumn>,
}

/// A column that the files have added to a table that was there.
struct NewColumn {
    table: Name,
    column: Name,
    not_null: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        Self { facts, made: Objects::default(), columns: Vec::new() }
    }

    /// Judges the next file.
    pub(super) fn judge(&mut self, file: &Migration<'_>) -> Vec<Finding> {
        let mut findings = Findings::default();
        for unit in units(file.sql) {
            for act in &unit.acts {
                if !findings.are_enough() {
                    for (verdict, statement) in self.verdicts(&unit, act) {
                        findings.tell(verdict.of(file.name, unit.line, statement));
                    }
                }
            }
            for act in &unit.acts {
                self.note(act);
            }
        }
        findings.told
    }

    fn verdicts(&self, unit: &Unit<'_>, act: &Act) -> Vec<(Verdict, String)> {
        let whole = |verdict| (verdict, summary_of(unit.text, Grammar::MySql));
        let swaps = act.moves.iter().any(|(old, _)| act.refills(old) && !self.is_new(old));
        let mut verdicts: Vec<_> = swaps.then(|| whole(replaced())).into_iter().collect();
        if !act.objects.is_empty() && act.objects.iter().all(|object| self.is_new(object)) {
            return verdicts;
        }
        let relations: Vec<_> = act.objects.iter().map(Object::as_relation).collect();
        let small =
            !relations.is_empty() && relations.iter().all(|name| name.is_some_and(|name| self.facts.is_small(name)));
        let rows = act.rows.and_then(|rows| rows.verdict(self.facts.rows.get(unit.text).copied()));
        verdicts.extend(act.verdicts.iter().cloned().chain(rows).map(whole));
        if let Some(alter) = &act.alter {
            verdicts.extend(alter.said.verdict().map(whole));
            for clause in &alter.clauses {
                let (harms, cost) = self.clause(&alter.table, clause);
                let summary = match &clause.place {
                    Some(place) => format!("ALTER TABLE {} {}", alter.table, &unit.text[place.clone()]),
                    None => unit.text.to_owned(),
                };
                let all = harms.into_iter().chain(cost.verdict(alter.said));
                verdicts.extend(all.map(|verdict| (verdict, summary_of(&summary, Grammar::MySql))));
            }
        }
        let weighed = |(verdict, statement): (Verdict, String)| {
            (if small && verdict.harm == Harm::Blocks { verdict.over_at_once() } else { verdict }, statement)
        };
        verdicts.into_iter().map(weighed).collect()
    }

    /// Remembers what a statement makes.
    fn note(&mut self, act: &Act) {
        for made in &act.makes {
            self.made.add(made.clone());
        }
        for (old, new) in &act.moves {
            // What takes the place of another is in use.
            let takes_place = act.moves.iter().any(|(left, _)| left == new);
            if self.is_new(old) && !takes_place {
                self.made.add(new.clone());
            }
        }
        let Some(alter) = &act.alter else { return };
        for clause in &alter.clauses {
            match &clause.action {
                Action::AddColumn { column, definition } if self.facts.column(&alter.table, column).is_none() => {
                    let (table, column) = (alter.table.clone(), column.clone());
                    self.columns.push(NewColumn { table, column, not_null: definition.refuses_null() });
                }
                Action::RenameColumn { column, renamed } | Action::Modify { column, renamed: Some(renamed), .. } => {
                    let new = self.columns.iter_mut().find(|it| it.table.matches(&alter.table) && it.column == *column);
                    if let Some(new) = new {
                        new.column = renamed.clone();
                    }
                }
                Action::RenameTable(name) if self.is_new(&Object::relation(alter.table.clone())) => {
                    self.made.add(Object::relation(name.clone()));
                }
                _ => {}
            }
        }
    }

    /// Whether the files have made it, and it was not there before.
    fn is_new(&self, object: &Object) -> bool {
        let was_there = object.as_relation().is_some_and(|name| self.facts.relation(name).is_some());
        !was_there && self.made.have(object)
    }

    fn new_column(&self, table: &Name, column: &Name) -> Option<&NewColumn> {
        self.columns.iter().find(|it| it.table.matches(table) && it.column == *column)
    }
}

fn replaced() -> Verdict {
    Verdict::remark("another table takes its place", "keep the columns that blue names")
}
