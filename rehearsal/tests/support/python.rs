//! The Python that has AWS's own client.

use std::path::{Path, PathBuf};
use std::process::Command;

/// `GREENLIGHT_PYTHON`, the workspace's `.venv`, or a `python3` that has boto3.
pub(crate) fn python() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let named = std::env::var_os("GREENLIGHT_PYTHON").map(PathBuf::from);
    let candidates = named.map_or_else(|| vec![workspace, PathBuf::from("python3")], |named| vec![named]);
    let has_boto3 = |python: &PathBuf| {
        let import = Command::new(python).args(["-c", "import boto3"]).output();
        import.is_ok_and(|import| import.status.success())
    };
    candidates.into_iter().find(has_boto3).unwrap_or_else(|| {
        panic!("no Python with boto3 was found: `make test` installs one, or name it in GREENLIGHT_PYTHON")
    })
}
