//! A folder of migrations with sqlx's names.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// The versions of the migrations in a folder: what stands before the first `_` of `0001_orders.sql`.
pub fn versions(folder: &Path) -> io::Result<BTreeSet<i64>> {
    let mut versions = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let applies = name.strip_suffix(".sql").filter(|name| !name.ends_with(".down"));
        let version = applies.and_then(|name| name.split_once('_')?.0.parse::<i64>().ok());
        versions.extend(version);
    }
    Ok(versions)
}
