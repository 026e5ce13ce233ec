//! The pending files together: what one makes is new to blue, whatever a later one does to it.

use super::clause::{Action, Clause, cost_of_new};
use super::column::Definition;
use super::cost::Cost;
use super::kind::{Change, Kind};
use super::object::{Object, Objects};
use super::rules::{Act, LATER, renamed};
use super::unit::{Unit, units};
use crate::Migration;
use crate::facts::{Column, Facts};
use crate::finding::{Finding, Findings, Harm, Verdict};
use crate::name::Name;
use crate::statements::{Grammar, summary_of};

const NEW_COLUMN: &str =
    "add a column beside it, let the new version write both, and drop the old one in a later version";
const KEEPS_TO_IT: &str = "make sure that blue keeps to it";

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

    /// What a clause does to blue, and what it costs.
    fn clause(&self, table: &Name, clause: &Clause) -> (Vec<Verdict>, Cost) {
        match &clause.action {
            Action::AddColumn { definition, .. } => (of_new_column(definition), cost_of_new(definition)),
            Action::Modify { column, renamed, definition } => {
                let mut verdicts = Vec::new();
                if renamed.is_some() && self.new_column(table, column).is_none() {
                    verdicts.push(Verdict::breaks("its queries that use the old name fail", NEW_COLUMN));
                }
                let (changes, cost) = self.modified(table, column, definition);
                verdicts.extend(changes);
                (verdicts, cost)
            }
            Action::DropColumn { column, conditional } => {
                let known = self.facts.relation(table).is_some();
                let missing = known && self.facts.column(table, column).is_none() && *conditional;
                let nobodys = missing || self.new_column(table, column).is_some();
                let gone = (!nobodys).then(|| Verdict::breaks("its queries that name the column fail", LATER));
                (gone.into_iter().collect(), Cost::Instant)
            }
            Action::RenameColumn { column, .. } => {
                let known = self.new_column(table, column).is_none();
                let gone = known.then(|| Verdict::breaks("its queries that use the old name fail", NEW_COLUMN));
                (gone.into_iter().collect(), Cost::Free)
            }
            Action::RenameTable(_) => (vec![renamed()], Cost::Free),
            Action::DropDefault(column) => (self.default_dropped(table, column).into_iter().collect(), Cost::Free),
            Action::SetDefault(_) => (vec![Verdict::remark("blue's rows get what this says", KEEPS_TO_IT)], Cost::Free),
            Action::AddIndex { locked: true, .. } => (Vec::new(), Cost::Locked),
            Action::AddIndex { unique: true, .. } => (vec![restricts()], Cost::Online),
            Action::AddIndex { .. } => (Vec::new(), Cost::Online),
            Action::AddPrimaryKey => (vec![restricts()], Cost::Rebuild),
            Action::AddForeignKey { checked } => (vec![restricts()], if *checked { Cost::Copy } else { Cost::Online }),
            Action::AddCheck { enforced: true } => (vec![restricts()], Cost::Copy),
            Action::AddCheck { enforced: false } => (Vec::new(), Cost::Free),
            Action::DropIndex(index) | Action::DropConstraint(index) => {
                self.index_dropped(table, index, &clause.action)
            }
            Action::RenameIndex | Action::HideIndex => {
                let hinted =
                    Verdict::remark("its queries with a hint for the index fail, or go another way", KEEPS_TO_IT);
                (vec![hinted], Cost::Free)
            }
            Action::DropPartition => (vec![Verdict::breaks("its rows are gone", LATER)], Cost::Free),
            Action::Convert => (
                vec![Verdict::remark("texts compare and sort otherwise, and some may not fit", KEEPS_TO_IT)],
                Cost::Copy,
            ),
            Action::Other(cost) => (Vec::new(), *cost),
        }
    }

    /// `MODIFY`: whatever is not repeated is gone.
    fn modified(&self, table: &Name, column: &Name, definition: &Definition) -> (Vec<Verdict>, Cost) {
        let (new, known) = (self.new_column(table, column), self.facts.column(table, column));
        let mut verdicts = Vec::new();
        let mut cost = match known.and_then(|column| Kind::of(&column.kind)).map(|old| old.change_to(&definition.kind))
        {
            // Nobody knows its type, but nobody uses it either.
            None if new.is_some() => Cost::Copy,
            Some(Change::Nothing | Change::Extends) => Cost::Instant,
            Some(Change::Widens) => Cost::Copy,
            Some(Change::Alters) | None => {
                verdicts.push(Verdict::breaks("its queries meet another type, and its values may not fit", NEW_COLUMN));
                Cost::Copy
            }
        };
        let nulls = |column: &Column| !column.not_null;
        if definition.refuses_null() && known.is_none_or(nulls) {
            if new.is_none() || !definition.fills_itself() {
                verdicts.push(Verdict::breaks(
                    "its writes without a value fail",
                    "once no running version writes nulls, MODIFY it in a later version",
                ));
            }
            cost = cost.max(Cost::Rebuild);
        } else if definition.refuses_null()
            && known.is_some_and(|column| column.has_default)
            && !definition.fills_itself()
        {
            verdicts.push(Verdict::breaks(
                "its INSERTs that leave the column out fail: MODIFY takes away the default or count it does not repeat",
                "say DEFAULT or AUTO_INCREMENT again",
            ));
        } else if !definition.refuses_null() && known.is_some_and(|column| column.not_null) {
            verdicts.push(Verdict::remark("blue will read nulls once green writes them", KEEPS_TO_IT));
            cost = cost.max(Cost::Rebuild);
        }
        if definition.placed {
            cost = cost.max(Cost::Rebuild);
        }
        if definition.in_charset {
            verdicts.push(Verdict::remark("texts may compare and sort otherwise", KEEPS_TO_IT));
            cost = Cost::Copy;
        }
        (verdicts, cost.max(cost_of_new(definition)))
    }

    fn default_dropped(&self, table: &Name, column: &Name) -> Option<Verdict> {
        let plain = Verdict::breaks(
            "its INSERTs that leave the column out fail or write null",
            "drop the default in a later version",
        );
        match (self.new_column(table, column), self.facts.column(table, column)) {
            (Some(new), _) => new.not_null.then_some(plain),
            (None, Some(column)) if !column.not_null => Some(plain.remarked()),
            _ => Some(plain),
        }
    }

    fn index_dropped(&self, table: &Name, index: &Name, action: &Action) -> (Vec<Verdict>, Cost) {
        let primary = *index == super::column("PRIMARY");
        let constraints = self.facts.relation(table).map(|relation| &relation.constraints);
        let unique = primary || constraints.and_then(|all| all.get(index)).copied().unwrap_or(false);
        let verdict = match action {
            _ if unique => Verdict::breaks(
                "its INSERT … ON DUPLICATE KEY UPDATE and REPLACE add rows instead, and doubles come in",
                LATER,
            ),
            Action::DropIndex(_) => {
                Verdict::remark("its queries that use the index get slower; with a hint for it they fail", LATER)
            }
            _ => Verdict::remark("what the constraint kept out may come in", KEEPS_TO_IT),
        };
        (vec![verdict], if primary { Cost::Copy } else { Cost::Free })
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

/// Harms that a new column does, whatever it costs.
fn of_new_column(definition: &Definition) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::remark(
        "its INSERTs without a list of columns fail, and its SELECT * has a column more",
        "name columns in queries",
    )];
    if definition.refuses_null() && !definition.fills_itself() {
        verdicts.push(Verdict::breaks(
            "its INSERTs do not know the column and fail",
            "give the column a DEFAULT, or let it be null",
        ));
    }
    if definition.checked || definition.refers || definition.unique {
        verdicts.push(restricts());
    }
    verdicts
}

fn replaced() -> Verdict {
    Verdict::remark("another table takes its place", "keep the columns that blue names")
}

fn restricts() -> Verdict {
    Verdict::remark("blue's writes that contradict it fail from now on", KEEPS_TO_IT)
}
