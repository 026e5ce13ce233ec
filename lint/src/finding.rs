//! What is found in a migration.

use std::fmt;

/// What blue would suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Its queries fail, or answer otherwise, from the commit on.
    Breaks,
    /// Its queries wait for a lock whose length grows with the table.
    Blocks,
    /// Nobody can see what the statement does.
    Opaque,
}

/// What a finding does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It stops the deployment unless the plan allows the file.
    Stops,
    /// It is worth knowing.
    Remark,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file's name.
    pub file: String,
    /// The line on which the statement begins, counted from 1.
    pub line: usize,
    /// The statement in short, without its texts in quotes.
    pub statement: String,
    /// What blue would suffer.
    pub harm: Harm,
    /// What the finding does.
    pub weight: Weight,
    /// What blue would suffer, in words: `its queries that name the column fail`.
    pub suffers: String,
    /// The safe way to write it.
    pub instead: &'static str,
}

impl fmt::Display for Harm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Breaks => "breaks blue",
            Self::Blocks => "blocks blue",
            Self::Opaque => "cannot be read",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} line {} ({})", self.file, self.line, self.statement)?;
        match self.weight {
            Weight::Stops => write!(out, " {}: {}", self.harm, self.suffers),
            Weight::Remark => write!(out, ": {}", self.suffers),
        }
    }
}

/// What a rule says of a statement, before the database is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) harm: Harm,
    pub(crate) weight: Weight,
    pub(crate) suffers: String,
    pub(crate) instead: &'static str,
}

impl Verdict {
    pub(crate) fn breaks(suffers: impl Into<String>, instead: &'static str) -> Self {
        Self { harm: Harm::Breaks, weight: Weight::Stops, suffers: suffers.into(), instead }
    }

    pub(crate) fn blocks(suffers: impl Into<String>, instead: &'static str) -> Self {
        Self { harm: Harm::Blocks, weight: Weight::Stops, suffers: suffers.into(), instead }
    }

    pub(crate) fn opaque(suffers: impl Into<String>, instead: &'static str) -> Self {
        Self { harm: Harm::Opaque, weight: Weight::Stops, suffers: suffers.into(), instead }
    }

    /// The same, and no reason to stop.
    pub(crate) fn remarked(self) -> Self {
        Self { weight: Weight::Remark, ..self }
    }

    /// No reason to stop, for what blue meets is this.
    pub(crate) fn remark(suffers: impl Into<String>, instead: &'static str) -> Self {
        Self::breaks(suffers, instead).remarked()
    }

    /// The same of a small table: a lock on it is gone before anybody waits for it.
    pub(crate) fn over_at_once(self) -> Self {
        let suffers = format!("{}, which is over at once: the table is small", self.suffers);
        Self { suffers, ..self.remarked() }
    }

    /// What is told of a statement.
    pub(crate) fn of(self, file: &str, line: usize, statement: String) -> Finding {
        let Self { harm, weight, suffers, instead } = self;
        Finding { file: file.to_owned(), line, statement, harm, weight, suffers, instead }
    }
}

/// What is told of a file.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) told: Vec<Finding>,
    stops: usize,
    remarks: usize,
}

impl Findings {
    /// More of a kind help nobody, and a file may have a statement for every row of a table.
    const AT_MOST: usize = 1000;

    /// Whether no more is told, whatever is found.
    pub(crate) fn are_enough(&self) -> bool {
        self.stops == Self::AT_MOST
    }

    /// Tells it once, should it be found twice on one line.
    pub(crate) fn tell(&mut self, finding: Finding) {
        let count = match finding.weight {
            Weight::Stops => &mut self.stops,
            Weight::Remark => &mut self.remarks,
        };
        let told = self.told.iter().rev().take_while(|told| told.line == finding.line).any(|told| *told == finding);
        if !told && *count < Self::AT_MOST {
            *count += 1;
            self.told.push(finding);
        }
    }
}
