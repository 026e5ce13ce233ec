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

impl AllowedMigration {
    /// Whether it is about the file of this name and SHA-384.
    pub fn covers(&self, file: &str, checksum: &[u8]) -> bool {
        self.file == file && digits(checksum).starts_with(&self.checksum)
    }

    /// The entry of a plan that would allow the file of this name and SHA-384, but for the reason.
    pub fn entry(file: &str, checksum: &[u8]) -> String {
        format!("{{ file: {file}, checksum: \"{}\", reason: … }}", &digits(checksum)[..FEWEST_DIGITS])
    }
}

fn digits(checksum: &[u8]) -> String {
    checksum.iter().map(|byte| format!("{byte:02x}")).collect()
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
