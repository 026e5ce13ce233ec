//! Everything that is wrong with a document, not only the first of it.

use std::cell::RefCell;
use std::fmt;

use serde_saphyr::Location;

use super::error::DocumentError;
use super::reading::Incomplete;

/// Mistakes that are told at most: whoever has more begins with these.
pub const MOST_TOLD: usize = 50;

/// All mistakes of a document, in its order: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    told: Vec<DocumentError>,
    /// Whether there may be more than those that are told.
    more: bool,
}

impl Mistakes {
    /// In the order of the document, with the lines they stand on.
    fn new(mut found: Vec<DocumentError>, more: bool, text: &str) -> Self {
        found.sort_by_key(DocumentError::place);
        found.dedup();
        let more = more || found.len() > MOST_TOLD;
        found.truncate(MOST_TOLD);
        let told = found.into_iter().map(|mistake| mistake.quoting(text)).collect();
        Self { told, more }
    }

    /// The first one.
    pub fn first(&self) -> &DocumentError {
        self.told.first().expect("there is at least one mistake")
    }

    /// All that are told.
    pub fn iter(&self) -> impl Iterator<Item = &DocumentError> {
        self.told.iter()
    }

    /// These and those of another document.
    pub fn and(mut self, others: Self) -> Self {
        self.told.extend(others.told);
        self.more |= others.more;
        self
    }

    /// The first one with the line it stands on, and how many more there are: for where there is no room for all.
    pub fn briefly(&self) -> String {
        match self.told.len() - 1 {
            0 => self.first().to_string(),
            others => format!("{}\nand {}{others} more", self.first(), if self.more { "at least " } else { "" }),
        }
    }
}

impl From<DocumentError> for Mistakes {
    fn from(mistake: DocumentError) -> Self {
        Self { told: vec![mistake], more: false }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.told.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(out, "{separator}{mistake}")?;
        }
        if self.more {
            write!(out, "\nthere may be more; these are the first {}", self.told.len())?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Judges what a document's types alone cannot: it collects what is wrong, so that one mistake does not hide another.
pub struct Judge<'a> {
    text: &'a str,
    source: &'a str,
    found: RefCell<Vec<DocumentError>>,
    incomplete: Vec<Incomplete>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(text: &'a str, source: &'a str, found: Vec<DocumentError>, incomplete: Vec<Incomplete>) -> Self {
        Self { text, source, found: RefCell::new(found), incomplete }
    }

    /// A mistake at this place, to be returned. The message must not quote a value that may be secret.
    pub fn wrong(&self, place: Location, message: impl Into<String>) -> DocumentError {
        DocumentError::unquoted(self.source, place.line(), place.column(), message)
    }

    /// As [`Self::wrong`], for what the list or mapping at this place lacks. It is no mistake of its own where an entry
    /// of it has one: that entry may be what is lacking.
    pub fn lacking(&self, place: Location, message: impl Into<String>) -> DocumentError {
        let mistake = self.wrong(place, message);
        let lost = self.incomplete.iter().any(|incomplete| incomplete.place == mistake.place());
        if lost { mistake.follows_from_another() } else { mistake }
    }

    /// Whether an entry of the list or mapping at this place has a mistake, and is not read.
    pub fn is_incomplete(&self, place: Location) -> bool {
        let here = self.wrong(place, "").place();
        self.incomplete.iter().any(|incomplete| incomplete.place == here)
    }

    /// A key that the mapping at this place must have.
    pub fn missing(&self, place: Location, key: &str) -> DocumentError {
        let mistake = self.wrong(place, format!("the key `{key}` is missing here"));
        let mut here = self.incomplete.iter().filter(|incomplete| incomplete.place == mistake.place());
        if here.any(|mapping| mapping.may_have_had(key)) { mistake.follows_from_another() } else { mistake }
    }

    /// The value of a part, if it is right. What is wrong with it is noted, and the next part can be judged.
    pub fn keep<T>(&self, part: Result<T, DocumentError>) -> Option<T> {
        match part {
            Ok(value) => Some(value),
            Err(mistake) => {
                self.note(mistake);
                None
            }
        }
    }

    /// As [`Self::keep`], for a part that a document need not have.
    pub fn part<W, T>(&self, written: Option<W>, judge: impl FnOnce(W) -> Result<T, DocumentError>) -> Option<T> {
        written.and_then(|written| self.keep(judge(written)))
    }

    /// Notes a mistake, and goes on.
    pub fn note(&self, mistake: DocumentError) {
        if !mistake.is_consequence() {
            self.found.borrow_mut().push(mistake);
        }
    }

    /// The value, if nothing is wrong.
    pub(super) fn verdict<T>(self, value: Option<T>, more: bool) -> Result<T, Mistakes> {
        let found = self.found.into_inner();
        match value {
            Some(value) if found.is_empty() => Ok(value),
            _ => Err(Mistakes::new(found, more, self.text)),
        }
    }
}
