//! The programs that tests start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The rehearsal, once everything that it starts is built.
pub(crate) fn rehearse() -> &'static Path {
    static REHEARSE: OnceLock<PathBuf> = OnceLock::new();
    REHEARSE.get_or_init(|| {
        // The whole workspace, as `make` builds it: fewer packages would have other features, and take minutes.
        let build = Command::new(env!("CARGO")).args(["build", "--locked", "--workspace"]).status();
        assert!(build.is_ok_and(|it| it.success()), "the hooks and the sample service build");
        PathBuf::from(env!("CARGO_BIN_EXE_rehearse"))
    })
}
