//! The programs that tests start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The rehearsal, once everything that it starts is built.
pub(crate) fn rehearse() -> &'static Path {
    static REHEARSE: OnceLock<PathBuf> = OnceLock::new();
    REHEARSE.get_or_init(|| {
        // The whole workspace, as `make` builds it: fewer packages would have other features, and take minutes.
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--workspace"]);
        // What cargo tells this test about its own package would make ring build itself anew, and all that needs it.
        for (name, _) in std::env::vars_os() {
            let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|it| name.to_string_lossy().starts_with(it));
            if of_package {
                build.env_remove(name);
            }
        }
        assert!(build.status().is_ok_and(|it| it.success()), "the hooks and the sample service build");
        PathBuf::from(env!("CARGO_BIN_EXE_rehearse"))
    })
}
