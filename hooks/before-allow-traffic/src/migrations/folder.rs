//! Migrations in a folder of the function's package.

use std::io;
use std::path::Path;

use super::files::{File, FolderError, Name, all, chosen};

/// The files of this folder in the order of their versions.
///
/// # Errors
/// Says everything that is wrong with them.
pub fn read(folder: &Path) -> Result<Vec<File>, FolderError> {
    let listed =
        list(folder).map_err(|error| FolderError { faults: vec![format!("{}: {error}", folder.display())] })?;
    let (names, faults) = chosen(listed);
    let read = |name: Name| match std::fs::read(folder.join(&name.name)) {
        Ok(bytes) => File::read(name, bytes),
        Err(error) => Err(format!("{} cannot be read: {error}", name.name)),
    };
    all(names.into_iter().map(read).collect(), faults)
}

fn list(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut listed = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // Where a link leads is what counts.
        let about = std::fs::metadata(&path)?;
        if about.is_file() {
            listed.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), about.len()));
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = read(std::path::Path::new("no/such/folder")).expect_err("it is not there");
        assert!(error.to_string().starts_with("no/such/folder: "), "{error}");
    }
}
