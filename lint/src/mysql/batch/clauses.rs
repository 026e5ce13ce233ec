//! What the clauses of an `ALTER TABLE` do to blue, as far as the table's columns and indexes decide it.

use super::Batch;
use crate::facts::Column;
use crate::finding::Verdict;
use crate::mysql::clause::{Action, Clause, cost_of_new};
use crate::mysql::column::{Definition, Generated, Value};
use crate::mysql::cost::Cost;
use crate::mysql::kind::{Change, Kind};
use crate::mysql::name;
use crate::mysql::rules::{LATER, renamed};
use crate::name::Name;

const NEW_COLUMN: &str =
    "add a column beside it, let the new version write both, and drop the old one in a later version";
const KEEPS_TO_IT: &str = "make sure that blue keeps to it";

impl Batch<'_> {
    /// What a clause does to blue, and what it costs.
    pub(super) fn clause(&self, table: &Name, clause: &Clause) -> (Vec<Verdict>, Cost) {
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
        let fills_itself = known.is_some_and(|column| column.has_default);
        if definition.generated != Generated::No && !fills_itself && new.is_none() {
            verdicts.push(Verdict::breaks("its writes of the column fail, for the server computes it", NEW_COLUMN));
        }
        // What it already has costs nothing.
        let counts = definition.counts && !fills_itself;
        let default = if cost >= Cost::Rebuild { definition.default } else { Value::None };
        (verdicts, cost.max(cost_of_new(&Definition { counts, default, ..definition.clone() })))
    }

    fn default_dropped(&self, table: &Name, column: &Name) -> Option<Verdict> {
        let plain = Verdict::breaks(
            "its INSERTs that leave the column out fail or write null",
            "drop the default in a later version",
        );
        match (self.new_column(table, column), self.facts.column(table, column)) {
            (Some(new), _) => new.not_null.then_some(plain),
            (None, Some(column)) if !column.has_default => None,
            (None, Some(column)) if !column.not_null => Some(plain.remarked()),
            _ => Some(plain),
        }
    }

    fn index_dropped(&self, table: &Name, index: &Name, action: &Action) -> (Vec<Verdict>, Cost) {
        let primary = *index == name::column("PRIMARY");
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

fn restricts() -> Verdict {
    Verdict::remark("blue's writes that contradict it fail from now on", KEEPS_TO_IT)
}
