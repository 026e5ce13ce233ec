//! Where PostgreSQL's programs are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The environment variable that names the folder of `initdb` and `postgres`.
const VARIABLE: &str = "GREENLIGHT_POSTGRES";

/// Where Debian and its relatives keep them, a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of `initdb` and `postgres`: the one that is named, else the one in `PATH`, the newest of Debian's, the one
/// that `pg_config` tells.
pub(super) async fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|it| !it.is_empty()) {
        return named_by_the_user(Path::new(&named));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = in_path(&path).or_else(|| newest(Path::new(DEBIAN))) {
        return Ok(folder);
    }
    let told = tokio::process::Command::new("pg_config").arg("--bindir").output().await;
    let told = told.ok().map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim().to_owned()));
    match told {
        Some(folder) if is_complete(&folder) => Ok(folder),
        _ => bail!(
            "no PostgreSQL was found: `make rehearse` installs one, or set {VARIABLE} to the folder of its programs"
        ),
    }
}

fn named_by_the_user(folder: &Path) -> Result<PathBuf> {
    if !is_complete(folder) {
        bail!("{VARIABLE} is {}, where there is no initdb and postgres", folder.display());
    }
    Ok(std::path::absolute(folder)?)
}

/// Links are followed: a link to `postgres` alone says where its relatives are.
fn in_path(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).find_map(|folder| {
        let program = folder.join("postgres").canonicalize().ok()?;
        program.parent().filter(|folder| is_complete(folder)).map(Path::to_owned)
    })
}

fn newest(versions: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(versions).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let mut folders: Vec<_> = folders.filter_map(|folder| Some((version(&folder)?, folder.join("bin")))).collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, folder)| folder).find(|folder| is_complete(folder))
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(folder: &Path) {
        std::fs::create_dir_all(folder).expect("the folder is writable");
        for program in ["initdb", "postgres"] {
            std::fs::write(folder.join(program), "").expect("the folder is writable");
        }
    }

    #[test]
    fn the_newest_of_debians_versions_is_taken() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for version in ["9", "15", "16"] {
            installation(&folder.path().join(version).join("bin"));
        }
        std::fs::create_dir_all(folder.path().join("17/bin")).expect("the folder is writable");
        assert_eq!(newest(folder.path()), Some(folder.path().join("16/bin")));
    }

    #[test]
    fn a_link_in_the_path_leads_to_the_whole_installation() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let real = folder.path().canonicalize().expect("it exists").join("real");
        installation(&real);
        let links = folder.path().join("links");
        std::fs::create_dir(&links).expect("the folder is writable");
        std::os::unix::fs::symlink(real.join("postgres"), links.join("postgres")).expect("the folder is writable");
        assert_eq!(in_path(links.as_os_str()), Some(real));
    }

    #[test]
    fn a_named_folder_without_the_programs_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = named_by_the_user(folder.path()).expect_err("it is empty").to_string();
        assert_eq!(
            error,
            format!("GREENLIGHT_POSTGRES is {}, where there is no initdb and postgres", folder.path().display())
        );
    }
}
