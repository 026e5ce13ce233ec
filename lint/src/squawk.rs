//! What squawk's rules mean for blue: which count, what blue would suffer, and the safe way to write it.
//! <https://squawkhq.com/docs/rules>

use squawk_linter::{Linter, Rule};
use squawk_syntax::ast::{self, AstNode};

use crate::finding::Verdict;
use crate::unit::Unit;

/// A rule that a statement is against, and the part of the statement it is about.
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    /// The action of an `ALTER TABLE`.
    pub(crate) action: Option<ast::AlterTableAction>,
}

/// What squawk finds in a statement, one finding for each rule and action.
pub(crate) fn violations(unit: &Unit) -> Vec<Violation> {
    let mut linter = Linter::with_rules(&RULES, &[]);
    // What is included is added to squawk's defaults, most of which are about style.
    linter.rules.retain(|rule| RULES.contains(rule));
    // What is new is decided over all files, not here.
    linter.settings.assume_in_transaction = false;
    let actions: Vec<_> = match unit.stmt() {
        Some(ast::Stmt::AlterTable(table)) => table.actions().collect(),
        _ => Vec::new(),
    };
    let mut found: Vec<Violation> = Vec::new();
    for violation in linter.lint(&unit.parse, &unit.text) {
        let action = actions.iter().find(|action| action.syntax().text_range().contains_range(violation.text_range));
        let twin = |other: &Violation| other.rule == violation.code && other.action.as_ref() == action;
        if !found.iter().any(twin) {
            found.push(Violation { rule: violation.code, action: action.cloned() });
        }
    }
    found
}

/// The rules that say something about blue. Left out: style; the shape of transactions, which is looked at when the files
/// are applied; timeouts, which the hook sets; and what our own rules judge better.
const RULES: [Rule; 45] = [
    Rule::AddingFieldWithDefault,
    Rule::AddingNotNullableField,
    Rule::AddingRequiredField,
    Rule::AddingSerialPrimaryKeyField,
    Rule::BanAddColumn,
    Rule::BanAlterDomainWithAddConstraint,
    Rule::BanAlterExtension,
    Rule::BanAlterGeneratedExpression,
    Rule::BanAlterIdentity,
    Rule::BanAlterPolicyCondition,
    Rule::BanAlterPolicyRoles,
    Rule::BanAlterRowLevelSecurity,
    Rule::BanAlterSequenceValues,
    Rule::BanDetachInheritance,
    Rule::BanDisableTrigger,
    Rule::BanDropColumn,
    Rule::BanDropConstraint,
    Rule::BanDropDatabase,
    Rule::BanDropDefault,
    Rule::BanDropDomain,
    Rule::BanDropExtension,
    Rule::BanDropFunction,
    Rule::BanDropGeneratedExpression,
    Rule::BanDropNotNull,
    Rule::BanDropPolicy,
    Rule::BanDropSchema,
    Rule::BanDropSequence,
    Rule::BanDropTable,
    Rule::BanDropTrigger,
    Rule::BanDropType,
    Rule::BanDropView,
    Rule::BanNewWriteRestriction,
    Rule::BanReplaceViewFunction,
    Rule::BanRevoke,
    Rule::BanSetDefault,
    Rule::BanSetSchema,
    Rule::ChangingColumnType,
    Rule::ConstraintMissingNotValid,
    Rule::DisallowedUniqueConstraint,
    Rule::RenamingColumn,
    Rule::RenamingObject,
    Rule::RenamingTable,
    Rule::RequireConcurrentIndexCreation,
    Rule::RequireConcurrentIndexDeletion,
    Rule::RequireConcurrentReindex,
];

const LATER: &str = "drop it in a later version, once no running version uses it";
const BY_INDEX: &str = "CREATE UNIQUE INDEX CONCURRENTLY in a file of its own that begins with \"-- no-transaction\", then ADD \
                        CONSTRAINT … USING INDEX";
const CONCURRENTLY: &str = "say CONCURRENTLY, in a file of its own that begins with \"-- no-transaction\"";
const NEW_COLUMN: &str =
    "add a column beside it, let the new version write both, and drop the old one in a later version";
const KEEP_NAME: &str = "leave the name, or create a view with the old name in the same file";
const WATCH: &str = "make sure that blue keeps to it";

/// What a rule of [`RULES`] means.
pub(crate) fn verdict(rule: Rule) -> Verdict {
    match rule {
        Rule::BanDropColumn => Verdict::breaks("its queries that name the column fail", LATER),
        Rule::BanDropTable | Rule::BanDropView => Verdict::breaks("its queries that read or write it fail", LATER),
        Rule::BanDropFunction
        | Rule::BanDropType
        | Rule::BanDropDomain
        | Rule::BanDropSequence
        | Rule::BanDropExtension
        | Rule::BanDropSchema
        | Rule::BanDropDatabase => Verdict::breaks("its queries that use it fail", LATER),
        Rule::RenamingColumn => Verdict::breaks("its queries that use the old name fail", NEW_COLUMN),
        Rule::RenamingTable | Rule::RenamingObject | Rule::BanSetSchema => {
            Verdict::breaks("its queries that use the old name fail", KEEP_NAME)
        }
        Rule::ChangingColumnType => Verdict::breaks(
            "everything waits while the table is rewritten, and then its queries meet another type",
            NEW_COLUMN,
        ),
        Rule::AddingRequiredField => Verdict::breaks(
            "its INSERTs do not know the column and fail",
            "give the column a DEFAULT, or let it be null",
        ),
        Rule::AddingNotNullableField => Verdict::breaks(
            "its writes without a value fail, and everything waits while all rows are looked at",
            "once no running version writes nulls: ADD CHECK (… IS NOT NULL) NOT VALID, VALIDATE it in the next file, and \
             SET NOT NULL in a later version",
        ),
        Rule::BanDropDefault => Verdict::breaks(
            "its INSERTs that leave the column out fail or write null",
            "drop the default in a later version",
        ),
        Rule::BanAlterIdentity => {
            Verdict::breaks("its INSERTs get other ids, or none", "change the identity in a later version")
        }
        Rule::BanDropGeneratedExpression => {
            Verdict::breaks("its writes no longer fill the column", "drop the expression in a later version")
        }
        Rule::BanRevoke => {
            Verdict::breaks("its queries may be refused", "revoke in a later version what no running version needs")
        }
        Rule::BanAlterRowLevelSecurity | Rule::BanDropPolicy => Verdict::breaks(
            "rows may be hidden from it",
            "create the policies that blue needs first, and switch row level security on in a later version",
        ),
        Rule::BanDetachInheritance => {
            Verdict::breaks("rows disappear from the tables it reads", "detach it in a later version")
        }
        Rule::RequireConcurrentIndexCreation => {
            Verdict::blocks("its writes wait until the index is built", CONCURRENTLY)
        }
        Rule::RequireConcurrentReindex => Verdict::blocks("its writes wait until the index is built", CONCURRENTLY),
        Rule::ConstraintMissingNotValid => Verdict::blocks(
            "its writes wait while every row is checked",
            "add it NOT VALID, and VALIDATE CONSTRAINT in the next file",
        ),
        Rule::BanAlterDomainWithAddConstraint => Verdict::blocks(
            "its writes wait while every table with the domain is checked",
            "add it NOT VALID, and VALIDATE CONSTRAINT in the next file",
        ),
        Rule::DisallowedUniqueConstraint | Rule::AddingSerialPrimaryKeyField => {
            Verdict::blocks("everything waits until its index is built", BY_INDEX)
        }
        Rule::AddingFieldWithDefault => Verdict::blocks(
            "everything waits while the table is rewritten",
            "add the column without it, SET DEFAULT next, and fill the old rows in batches",
        ),
        Rule::BanAlterGeneratedExpression => {
            Verdict::blocks("everything waits while the table is rewritten", NEW_COLUMN)
        }
        // All others: worth knowing.
        Rule::RequireConcurrentIndexDeletion => {
            Verdict::blocks("it waits for queries, and they for it, as long as the lock timeout", CONCURRENTLY)
                .remarked()
        }
        Rule::BanAddColumn => Verdict::remark(
            "a SELECT * that blue has prepared fails once (cached plan must not change result type)",
            "name columns in queries",
        ),
        Rule::BanDropNotNull => Verdict::remark("blue will read nulls once green writes them", WATCH),
        Rule::BanDropConstraint => Verdict::remark("what the constraint kept out may come in", WATCH),
        Rule::BanNewWriteRestriction => Verdict::remark("blue's writes that contradict it fail from now on", WATCH),
        _ => Verdict::remark("blue will work with what this changes", WATCH),
    }
}
