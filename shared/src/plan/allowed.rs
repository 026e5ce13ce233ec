//! `migrations.allow`: files that may do to blue what no other file may, each by its name, its checksum and a reason.

use serde::Deserialize;

use super::Reader;
use crate::document::{DocumentError, Spanned};

/// Fewer digits of a checksum might be another file's.
const FEWEST_DIGITS: usize = 12;

/// A file that may break or block blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedMigration {
    /// Its name: `14_drop_note.sql`.
    pub file: String,
    /// The first digits of its SHA-384, in lower case; 12 at least.
    pub checksum: String,
    /// Why that is no harm.
    pub reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct WrittenAllowed {
    /// The file's name: `14_drop_note.sql`.
    file: Spanned<String>,
    /// The first digits, 12 at least, of the file's SHA-384, as the report tells it: a file that changes is judged again.
    checksum: Spanned<String>,
    /// Why blue is not harmed: `no version since 41 reads it`.
    reason: Spanned<String>,
}

impl Reader<'_> {
    pub(super) fn allowed(&self, written: Spanned<WrittenAllowed>) -> Result<AllowedMigration, DocumentError> {
        let WrittenAllowed { file, checksum, reason } = written.value;
        let digits = checksum.value.trim().to_ascii_lowercase();
        if digits.len() < FEWEST_DIGITS || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            let message = format!(
                "`{}` is no checksum; expected the first {FEWEST_DIGITS} hexadecimal digits or more of the file's SHA-384, in \
                 quotes",
                checksum.value
            );
            return Err(self.wrong(checksum.referenced, message));
        }
        if !file.value.ends_with(".sql") || file.value.contains('/') {
            return Err(self.wrong(file.referenced, "`file` is the name of a migration, such as `14_drop_note.sql`"));
        }
        if reason.value.trim().is_empty() {
            return Err(self.wrong(reason.referenced, "the reason is empty; say why blue is not harmed"));
        }
        Ok(AllowedMigration { file: file.value, checksum: digits, reason: reason.value })
    }
}
