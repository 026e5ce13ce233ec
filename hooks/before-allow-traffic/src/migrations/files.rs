//! SQL files, named and read as sqlx does it, wherever they lie.
//!
//! What sqlx accepts is accepted with the same version, description and checksum, so that either can go on where the other
//! stopped. What sqlx skips in silence although it looks like a migration is refused by name.

use std::collections::BTreeMap;

use sha2::{Digest, Sha384};

/// Bytes of one file at most: all of them are held in memory at once, of which a function has little.
pub const FILE_AT_MOST: u64 = 16 * MIB;

/// Bytes of all files together at most.
pub const ALL_AT_MOST: u64 = 64 * MIB;

const MIB: u64 = 1024 * 1024;

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

/// What a file's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// `3_add_orders.sql`.
    pub name: String,
    version: i64,
    description: String,
}

/// The migrations among files of these names and sizes in bytes, and what is wrong with names and sizes. `.down.sql` files are
/// left alone, and whatever is not `.sql`. One of two files with the same version is not among the migrations.
pub fn chosen(mut listed: Vec<(String, u64)>) -> (Vec<Name>, Vec<String>) {
    listed.retain(|(name, _)| name.len() > ".sql".len() && name.ends_with(".sql"));
    listed.sort();
    let (mut names, mut faults, mut all) = (BTreeMap::<i64, Name>::new(), Vec::new(), 0);
    for (name, bytes) in listed {
        match Name::read(name) {
            Ok(None) => {}
            Ok(Some(name)) if bytes > FILE_AT_MOST => faults.push(format!(
                "{} has {:.1} MiB, and a migration has {} MiB at most",
                name.name,
                bytes as f64 / MIB as f64,
                FILE_AT_MOST / MIB
            )),
            Ok(Some(name)) => {
                all += bytes;
                match names.get(&name.version) {
                    Some(twin) => {
                        faults.push(format!("{} and {} have the same version {}", twin.name, name.name, name.version))
                    }
                    None => drop(names.insert(name.version, name)),
                }
            }
            Err(fault) => faults.push(fault),
        }
    }
    if all > ALL_AT_MOST {
        faults.push(format!(
            "the files have {:.1} MiB together, and all migrations have {} MiB at most",
            all as f64 / MIB as f64,
            ALL_AT_MOST / MIB
        ));
        names.clear();
    }
    (names.into_values().collect(), faults)
}

/// The migrations, or everything that is wrong with them; `faults` is what was wrong before anybody read them.
pub fn all(read: Vec<Result<File, String>>, mut faults: Vec<String>) -> Result<Vec<File>, FolderError> {
    let mut files = Vec::new();
    for file in read {
        match file {
            Ok(file) => files.push(file),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(FolderError { faults }) }
}

impl Name {
    /// `None` for the way back of a reversible migration.
    fn read(name: String) -> Result<Option<Self>, String> {
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
        Ok(Some(Self { version, description, name }))
    }
}

impl File {
    /// Reads the bytes of the file with this name.
    ///
    /// # Errors
    /// Says why they are no text.
    pub fn read(name: Name, bytes: Vec<u8>) -> Result<Self, String> {
        let Name { name, version, description } = name;
        let sql = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
            format!("{name} line {line} is not UTF-8 (byte {valid})")
        })?;
        if sql.contains('\0') {
            return Err(format!("{name} contains a zero byte, which no database takes for SQL"));
        }
        let checksum = checksum(&sql);
        Ok(Self { name, version, description, sql, checksum })
    }

    /// A file with this text, and what else does not matter.
    #[cfg(test)]
    pub fn with(sql: &str) -> Self {
        let (name, description) = ("1_a.sql".to_owned(), "a".to_owned());
        Self { name, version: 1, description, sql: sql.to_owned(), checksum: Vec::new() }
    }
}

fn checksum(sql: &str) -> Vec<u8> {
    Sha384::digest(sql).to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use sqlx::migrate::{MigrationType, Migrator};
    use tempfile::TempDir;

    use super::{FILE_AT_MOST, FolderError, chosen};
    use crate::migrations::folder::read;

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
        assert_eq!(faults(&[("1_a.sql", b"a\0b")]), ["1_a.sql contains a zero byte, which no database takes for SQL"]);
    }

    /// The sizes are known before anything is read.
    #[test]
    fn files_that_are_too_large_are_refused_unread() {
        let listed = |sizes: &[u64]| {
            let named = sizes.iter().enumerate().map(|(number, bytes)| (format!("{number}_a.sql"), *bytes));
            let (names, faults) = chosen(named.collect());
            (names.len(), faults)
        };
        assert_eq!(
            listed(&[1, 50 * 1024 * 1024]),
            (1, vec!["1_a.sql has 50.0 MiB, and a migration has 16 MiB at most".to_owned()])
        );
        assert_eq!(listed(&[FILE_AT_MOST; 4]), (4, Vec::new()));
        let faults = vec!["the files have 80.0 MiB together, and all migrations have 64 MiB at most".to_owned()];
        assert_eq!(listed(&[FILE_AT_MOST; 5]), (0, faults));
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
