//! The pending files together: what one makes is new to blue, whatever a later one does to it.

use squawk_linter::Rule;
use squawk_syntax::ast::{self, AlterColumnOption, AlterTableAction, AstNode, Stmt};

use crate::Migration;
use crate::facts::Facts;
use crate::finding::{Finding, Findings, Harm, Verdict, Weight};
use crate::name::Name;
use crate::own;
use crate::squawk::{Violation, verdict, violations};
use crate::statements::summary;
use crate::subject::{self, Object, Objects};
use crate::unit::{Unit, makers, units};

/// What is known after the files so far.
pub(crate) struct Batch<'a> {
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
    has_default: bool,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(facts: &'a Facts) -> Self {
        Self { facts, made: Objects::default(), columns: Vec::new() }
    }

    /// Judges the next file.
    pub(crate) fn judge(&mut self, file: &Migration<'_>) -> Vec<Finding> {
        let mut back = Objects::default();
        for unit in makers(file.sql).filter(|_| file.in_transaction) {
            if let Some(made) = unit.stmt().and_then(|stmt| subject::made(&stmt)) {
                back.add(unit.at, made);
            }
        }
        let mut findings = Findings::default();
        let mut unchecked = Vec::new();
        for unit in units(file.sql) {
            let enough = findings.are_enough();
            let mut tell = |verdict: Verdict, statement| findings.tell(verdict.of(file.name, unit.line, statement));
            let Some(stmt) = unit.stmt() else {
                let why = unit.opaque.unwrap_or("its grammar is not known here");
                tell(Verdict::opaque(why, "write it so that it can be read"), summary(&unit.text));
                continue;
            };
            let gone = subject::replaceable(&stmt);
            let replaced = !gone.is_empty() && gone.iter().all(|gone| back.have_after(unit.at, gone));
            let verdicts = if enough { Vec::new() } else { self.verdicts(&unit, &stmt) };
            for (verdict, action) in verdicts {
                let verdict = if replaced && verdict.harm == Harm::Breaks {
                    Verdict::remark(
                        "another takes its place in the same transaction",
                        "keep the columns that blue names",
                    )
                } else {
                    verdict
                };
                tell(verdict, self.statement(&unit, &stmt, action.as_ref()));
            }
            if file.in_transaction {
                for verdict in self.validated_at_once(&stmt, &mut unchecked) {
                    tell(verdict, self.statement(&unit, &stmt, None));
                }
            }
            self.note(&unit, &stmt);
        }
        findings.told
    }

    fn verdicts(&self, unit: &Unit, stmt: &Stmt) -> Vec<(Verdict, Option<AlterTableAction>)> {
        let objects = subject::objects(stmt);
        if !objects.is_empty() && objects.iter().all(|object| self.is_new(object)) {
            return Vec::new();
        }
        let touched = subject::touched(stmt);
        let small = !touched.is_empty() && touched.iter().all(|name| self.facts.is_small(name));
        let table = touched.first();
        let squawk = violations(unit).into_iter().filter_map(|violation| {
            let verdict = self.adjusted(&violation, stmt, table)?;
            Some((verdict, violation.action))
        });
        let mut verdicts: Vec<(Verdict, Option<AlterTableAction>)> = Vec::new();
        for (verdict, action) in squawk.chain(own::verdicts(unit, stmt, self.facts)) {
            let verdict = if small && verdict.harm == Harm::Blocks { verdict.over_at_once() } else { verdict };
            // One harm of an action is told once; the heavier one.
            match verdicts.iter_mut().find(|(told, of)| told.harm == verdict.harm && *of == action) {
                Some((told, _)) if told.weight == Weight::Remark && verdict.weight == Weight::Stops => *told = verdict,
                Some(_) => {}
                None => verdicts.push((verdict, action)),
            }
        }
        verdicts
    }

    /// What a rule means here; `None` when it does not.
    fn adjusted(&self, violation: &Violation, stmt: &Stmt, table: Option<&Name>) -> Option<Verdict> {
        let plain = verdict(violation.rule);
        let (Some(table), Some(action)) = (table, &violation.action) else {
            return match (violation.rule, stmt) {
                // Of a partitioned table: nothing is built yet.
                (Rule::RequireConcurrentIndexCreation, Stmt::CreateIndex(create)) => {
                    let only = create.table_relation_name().is_some_and(|table| table.only_token().is_some());
                    (!only).then_some(plain)
                }
                // Queries name no indexes.
                (Rule::RenamingObject, Stmt::AlterIndex(_)) => None,
                _ => Some(plain),
            };
        };
        match (violation.rule, action) {
            (Rule::BanDropColumn, AlterTableAction::DropColumn(drop)) => {
                let column = Name::of(&drop.column_name_ref()?);
                let known = self.facts.relation(table).is_some();
                let missing = known && self.facts.column(table, &column).is_none() && drop.if_exists().is_some();
                (self.new_column(table, &column).is_none() && !missing).then_some(plain)
            }
            (Rule::RenamingColumn, AlterTableAction::RenameColumn(rename)) => {
                let column = Name::of(&rename.column_name_ref()?);
                self.new_column(table, &column).is_none().then_some(plain)
            }
            (Rule::RenamingObject, AlterTableAction::RenameConstraint(_)) => Some(plain.remarked()),
            (Rule::AddingFieldWithDefault, AlterTableAction::AddColumn(add)) => (!negative(add)).then_some(plain),
            (Rule::BanDropConstraint, AlterTableAction::DropConstraint(drop)) => {
                let name = Name::of(&drop.constraint_name_ref()?);
                let constraints = self.facts.relation(table).map(|relation| &relation.constraints);
                let unique = constraints.and_then(|all| all.get(&name)).copied().unwrap_or(false);
                let breaks = "its INSERT … ON CONFLICT fails, and doubles come in";
                Some(if unique { Verdict::breaks(breaks, plain.instead) } else { plain })
            }
            (rule, AlterTableAction::AlterColumn(alter)) => {
                let column = Name::of(&alter.column_name_ref()?);
                self.of_column(rule, plain, table, &column, &alter.option()?)
            }
            _ => Some(plain),
        }
    }

    fn of_column(
        &self,
        rule: Rule,
        plain: Verdict,
        table: &Name,
        column: &Name,
        option: &AlterColumnOption,
    ) -> Option<Verdict> {
        let (new, known) = (self.new_column(table, column), self.facts.column(table, column));
        match (rule, option) {
            (Rule::AddingNotNullableField, _) => {
                let never_null =
                    self.facts.relation(table).is_some_and(|relation| relation.never_null.contains(column));
                if never_null || known.is_some_and(|column| column.not_null) {
                    return None;
                }
                let filled = new.is_some_and(|column| column.has_default);
                Some(if filled { Verdict { harm: Harm::Blocks, ..plain } } else { plain })
            }
            // Judged by the rule above.
            (Rule::BanNewWriteRestriction, AlterColumnOption::SetNotNull(_)) => None,
            (Rule::BanDropDefault, _) => match (new, known) {
                (Some(new), _) => new.not_null.then_some(plain),
                (None, Some(column)) if !column.not_null => Some(plain.remarked()),
                _ => Some(plain),
            },
            (Rule::ChangingColumnType, AlterColumnOption::SetType(set)) => {
                let wanted = set.ty()?.syntax().text().to_string();
                let wider = known.is_some_and(|column| widens(&column.kind, &wanted)) && set.using_expr().is_none();
                Some(if wider { verdict(Rule::BanAddColumn) } else { plain })
            }
            _ if new.is_some() => None,
            _ => Some(plain),
        }
    }

    /// A constraint that is added NOT VALID and validated in one transaction keeps its strong lock while it looks.
    fn validated_at_once(&self, stmt: &Stmt, unchecked: &mut Vec<(Name, Name)>) -> Vec<Verdict> {
        let Stmt::AlterTable(alter) = stmt else { return Vec::new() };
        let Some(table) = subject::touched(stmt).into_iter().next().filter(|table| !self.is_new_relation(table)) else {
            return Vec::new();
        };
        let mut verdicts = Vec::new();
        for action in alter.actions() {
            match &action {
                AlterTableAction::AddConstraint(add) => {
                    let name = add.syntax().descendants().find_map(ast::ConstraintName::cast);
                    unchecked.extend(name.map(|name| (table.clone(), Name::of(&name))));
                }
                AlterTableAction::ValidateConstraint(validate) => {
                    let name = validate.constraint_name_ref().map(|name| Name::of(&name));
                    if name.is_some_and(|name| unchecked.contains(&(table.clone(), name))) {
                        let verdict = Verdict::blocks(
                            "its writes wait while every row is checked, for the file that adds it holds its lock",
                            "VALIDATE CONSTRAINT in the next file",
                        );
                        verdicts.push(if self.facts.is_small(&table) { verdict.over_at_once() } else { verdict });
                    }
                }
                _ => {}
            }
        }
        verdicts
    }

    /// Remembers what a statement makes.
    fn note(&mut self, unit: &Unit, stmt: &Stmt) {
        let variable = unit.in_block && matches!(stmt, Stmt::SelectInto(_));
        if let Some(created) = subject::created(stmt).filter(|_| !variable) {
            self.made.add(unit.at, created);
        }
        let Stmt::AlterTable(alter) = stmt else { return };
        let Some(table) = subject::touched(stmt).into_iter().next() else { return };
        for action in alter.actions() {
            match action {
                AlterTableAction::AddColumn(add) => {
                    let Some(column) = add.column_name().map(|name| Name::of(&name)) else { continue };
                    if self.facts.column(&table, &column).is_some() {
                        continue;
                    }
                    let has = |wanted: fn(&ast::Constraint) -> bool| add.constraints().any(|it| wanted(&it));
                    self.columns.push(NewColumn {
                        table: table.clone(),
                        column,
                        not_null: has(|it| matches!(it, ast::Constraint::NotNullConstraint(_))),
                        has_default: has(|it| matches!(it, ast::Constraint::DefaultConstraint(_))),
                    });
                }
                AlterTableAction::AlterColumn(alter) => {
                    let column = alter.column_name_ref().map(|name| Name::of(&name));
                    let known = self
                        .columns
                        .iter_mut()
                        .find(|it| it.table.matches(&table) && Some(&it.column) == column.as_ref());
                    match (known, alter.option()) {
                        (Some(known), Some(AlterColumnOption::SetDefault(_))) => known.has_default = true,
                        (Some(known), Some(AlterColumnOption::SetNotNull(_))) => known.not_null = true,
                        _ => {}
                    }
                }
                AlterTableAction::TableRenameTo(rename) if self.is_new_relation(&table) => {
                    if let Some(name) = rename.table_name() {
                        self.made.add(unit.at, Object::relation(Name::of(&name)));
                    }
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

    fn is_new_relation(&self, name: &Name) -> bool {
        self.is_new(&Object::relation(name.clone()))
    }

    fn new_column(&self, table: &Name, column: &Name) -> Option<&NewColumn> {
        self.columns.iter().find(|it| it.table.matches(table) && it.column == *column)
    }

    /// The statement in short: of several actions the one that is meant.
    fn statement(&self, unit: &Unit, stmt: &Stmt, action: Option<&AlterTableAction>) -> String {
        match (action, subject::touched(stmt).first()) {
            (Some(action), Some(table)) => summary(&format!("ALTER TABLE {table} {}", action.syntax().text())),
            _ => summary(&unit.text),
        }
    }
}

/// `DEFAULT -1` is as constant as `DEFAULT 1`.
fn negative(add: &ast::AddColumn) -> bool {
    add.constraints().any(|constraint| match constraint {
        ast::Constraint::DefaultConstraint(default) => default.expr().is_some_and(|expr| {
            let text = expr.syntax().text().to_string();
            text.trim().strip_prefix('-').is_some_and(|rest| rest.trim().parse::<f64>().is_ok())
        }),
        _ => false,
    })
}

/// Whether every value of the old type is one of the new, as it lies on disk. `varchar(10)` to `varchar(20)` or `text`.
fn widens(old: &str, new: &str) -> bool {
    let new = new.trim().to_ascii_lowercase().replace("character varying", "varchar");
    let old = old.trim().to_ascii_lowercase().replace("character varying", "varchar");
    let sized = |kind: &str, name: &str| -> Option<Vec<u32>> {
        let inside = kind.strip_prefix(name)?.trim().strip_prefix('(')?.strip_suffix(')')?;
        inside.split(',').map(|part| part.trim().parse().ok()).collect()
    };
    if let Some(length) = sized(&old, "varchar") {
        return new == "varchar" || new == "text" || sized(&new, "varchar").is_some_and(|wanted| wanted >= length);
    }
    if let Some(old) = sized(&old, "numeric") {
        let wider = |new: Vec<u32>| new.len() == 2 && old.len() == 2 && new[0] >= old[0] && new[1] == old[1];
        return new == "numeric" || sized(&new, "numeric").is_some_and(wider);
    }
    (old == "varchar" && new == "text") || (old == "text" && new == "varchar")
}
