//! Labelled files: the folder of each says what it does to blue.

use std::path::Path;

use greenlight_lint::Harm;

/// A file and its label.
pub(crate) struct File {
    /// What it does to blue; `None` when it is safe.
    pub(crate) harm: Option<Harm>,
    /// `breaks/drop_column.sql`.
    pub(crate) name: String,
    /// Its text.
    pub(crate) sql: String,
}

/// Every file of a corpus, by its folder in this crate; the folder below that is its label.
pub(crate) fn files(corpus: &str) -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(corpus);
    let mut files = Vec::new();
    for (label, harm) in
        [("breaks", Some(Harm::Breaks)), ("blocks", Some(Harm::Blocks)), ("opaque", Some(Harm::Opaque)), ("safe", None)]
    {
        let entries = std::fs::read_dir(folder.join(label)).expect("the corpus is there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
        paths.sort();
        for path in paths {
            let name = format!("{label}/{}", path.file_name().expect("a file").to_string_lossy());
            files.push(File { harm, name, sql: std::fs::read_to_string(path).expect("it can be read") });
        }
    }
    files
}
