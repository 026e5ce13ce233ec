//! The folder of SQL files, read as sqlx reads it.
//!
//! What sqlx accepts is accepted with the same version, description and checksum, so that either can go on where the other
//! stopped. What sqlx skips in silence although it looks like a migration is refused by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha384};

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// `3_add_orders.sql`.
    pub name: String,
    /// 3.
    pub version: i64,
    /// `add orders`, as sqlx writes it into its ledger.
    pub description: String,
    /// The text as it is on disk.
    pub sql: String,
    /// SHA-384 of the text, byte for byte.
    pub checksum: Vec<u8>,
}

impl File {
    /// Whether the file asks to run outside a transaction. As in sqlx, only its very first bytes count.
    pub fn without_transaction(&self) -> bool {
        self.sql.starts_with("-- no-transaction")
    }

    /// Whether the ledger's checksum is the one of this text with the other line ends.
    pub fn differs_only_in_line_ends(&self, recorded: &[u8]) -> bool {
        let unix = self.sql.replace("\r\n", "\n");
        recorded == checksum(&unix) || recorded == checksum(&unix.replace('\n', "\r\n"))
    }
}

/// What is wrong with the folder: every fault of it, not only the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.join("; "))]
pub struct FolderError {
    /// One sentence each, naming the file.
    pub faults: Vec<String>,
}

/// The files of this folder in the order of their versions. `.down.sql` files are left alone.
pub fn read(folder: &Path) -> Result<Vec<File>, FolderError> {
    let unreadable = |error: io::Error| FolderError { faults: vec![format!("{}: {error}", folder.display())] };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension() == Some(OsStr::new("sql")) && path.is_file() {
            names.push(path);
        }
    }
    names.sort();

    let (mut files, mut faults) = (BTreeMap::<i64, File>::new(), Vec::new());
    for path in names {
        match file(&path) {
            Ok(None) => {}
            Ok(Some(file)) => {
                if let Some(twin) = files.get(&file.version) {
                    faults.push(format!("{} and {} have the same version {}", twin.name, file.name, file.version));
                } else {
                    files.insert(file.version, file);
                }
            }
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(files.into_values().collect()) } else { Err(FolderError { faults }) }
}

/// `None` for the way back of a reversible migration.
fn file(path: &Path) -> Result<Option<File>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((version, rest)) = name.split_once('_') else {
        return Err(format!("{name} has no version: its name must be <version>_<description>.sql"));
    };
    let version = version.parse::<i64>().map_err(|_| {
        format!(
            "{name} has no version: {version:?} before the first underscore is not a whole number that fits 64 bits"
        )
    })?;
    if rest.ends_with(".down.sql") {
        return Ok(None);
    }
    let suffix = if rest.ends_with(".up.sql") { ".up.sql" } else { ".sql" };
    let description = rest.trim_end_matches(suffix).replace('_', " ");
    let bytes = std::fs::read(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let sql = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
        format!("{name} line {line} is not UTF-8 (byte {valid})")
    })?;
    if sql.contains('\0') {
        return Err(format!("{name} contains a zero byte, which PostgreSQL cannot take"));
    }
    let checksum = checksum(&sql);
    Ok(Some(File { name, version, description, sql, checksum }))
}

fn checksum(sql: &str) -> Vec<u8> {
    Sha384::digest(sql).to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use sqlx::migrate::{MigrationType, Migrator};
    use tempfile::TempDir;

    use super::{FolderError, read};

    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn faults(files: &[(&str, &[u8])]) -> Vec<String> {
        let FolderError { faults } = read(folder(files).path()).unwrap_err();
        faults
    }

    /// The promise that teams can come from sqlx and go back rests on this.
    #[tokio::test]
    async fn versions_descriptions_and_checksums_are_those_of_sqlx() {
        let folder = folder(&[
            ("10_last.sql", b"select 10;"),
            ("2_add_the_orders.up.sql", b"create table orders ();\r\n"),
            ("2_add_the_orders.down.sql", b"drop table orders;"),
            ("0003_odd.sql.sql", b"-- no-transaction\nselect 3"),
            ("4_bom.sql", "\u{feff}select 4".as_bytes()),
            ("5_empty.sql", b""),
            ("README.md", b"hello"),
        ]);
        let ours = read(folder.path()).unwrap();
        let sqlx = Migrator::new(folder.path()).await.unwrap();
        let theirs: Vec<_> =
            sqlx.iter().filter(|migration| migration.migration_type != MigrationType::ReversibleDown).collect();
        assert_eq!(ours.len(), 5);
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert_eq!(ours.version, theirs.version);
            assert_eq!(ours.description, theirs.description);
            assert_eq!(ours.checksum, *theirs.checksum, "{}", ours.name);
            assert_eq!(ours.without_transaction(), theirs.no_tx, "{}", ours.name);
        }
    }

    #[test]
    fn a_file_without_a_version_is_refused_by_name() {
        assert_eq!(
            faults(&[("init.sql", b""), ("V1__init.sql", b""), ("2_ok.sql", b"")]),
            [
                "V1__init.sql has no version: \"V1\" before the first underscore is not a whole number that fits 64 bits",
                "init.sql has no version: its name must be <version>_<description>.sql",
            ]
        );
    }

    #[test]
    fn two_files_of_one_version_are_refused() {
        assert_eq!(
            faults(&[("1_a.sql", b""), ("01_b.up.sql", b"")]),
            ["01_b.up.sql and 1_a.sql have the same version 1"]
        );
    }

    #[test]
    fn text_that_is_no_text_is_refused_with_its_line() {
        assert_eq!(faults(&[("1_a.sql", b"select 1;\nselect '\xff'")]), ["1_a.sql line 2 is not UTF-8 (byte 18)"]);
        assert_eq!(faults(&[("1_a.sql", b"a\0b")]), ["1_a.sql contains a zero byte, which PostgreSQL cannot take"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = read(std::path::Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().starts_with("no/such/folder: "), "{error}");
    }

    #[test]
    fn a_change_of_line_ends_is_recognised() {
        let unix = read(folder(&[("1_a.sql", b"a\nb\n")]).path()).unwrap().remove(0);
        let windows = read(folder(&[("1_a.sql", b"a\r\nb\r\n")]).path()).unwrap().remove(0);
        let other = read(folder(&[("1_a.sql", b"a\nc\n")]).path()).unwrap().remove(0);
        assert!(unix.differs_only_in_line_ends(&windows.checksum));
        assert!(windows.differs_only_in_line_ends(&unix.checksum));
        assert!(!other.differs_only_in_line_ends(&windows.checksum));
    }
}
