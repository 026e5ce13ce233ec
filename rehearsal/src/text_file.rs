//! Reading a file that a person wrote.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use greenlight::document::MAX_BYTES;

/// Why a file cannot be read as a document.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// It is a folder.
    #[error("this is a folder; name a file in it")]
    Folder,
    /// It is none that a person wrote.
    #[error("it has more than {} KiB; no document of that size is read", MAX_BYTES / 1024)]
    TooLarge,
    /// It is not text.
    #[error("line {line}, column {column}: this is not UTF-8 text")]
    NotText {
        /// Of the first byte that is not UTF-8, counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
    },
    /// The system does not let it be read.
    #[error("{0}")]
    Refused(io::Error),
}

impl Unreadable {
    /// The file and what is wrong with it, as `file:line:column: …` where there is a place.
    pub fn of(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::NotText { line, column } => format!("{path}:{line}:{column}: this is not UTF-8 text"),
            _ => format!("{path}: {self}"),
        }
    }
}

/// The text of a file; never more of it is read than a document may have.
pub fn read(path: &Path) -> Result<String, Unreadable> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        io::ErrorKind::IsADirectory => Unreadable::Folder,
        _ => Unreadable::Refused(error),
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(refused)?;
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let (sound, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let sound = String::from_utf8_lossy(sound);
        let last = sound.rsplit('\n').next().unwrap_or_default();
        Unreadable::NotText { line: sound.matches('\n').count() + 1, column: last.chars().count() + 1 }
    })
}
