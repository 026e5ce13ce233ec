//! A folder of migrations: first `bytes name` on a line for each file, then an empty line, then the content of all of them.

use std::collections::BTreeSet;

use crate::documents;
use crate::hook_files::migrations::{File, Name, all, chosen};

pub(crate) fn read(bytes: &[u8]) {
    let end = bytes.windows(2).position(|it| it == b"\n\n");
    let (list, content) = end.map_or((bytes, [].as_slice()), |end| (&bytes[..end], &bytes[end + 2..]));
    let list = documents::text(list);
    let listed: Vec<(String, u64)> = list.lines().filter_map(entry).collect();
    let (names, faults) = chosen(listed.clone());
    for fault in &faults {
        let is_of_a_file = listed.iter().any(|(name, _)| fault.starts_with(name.as_str()));
        assert!(is_of_a_file || fault.starts_with("the files have "), "{fault} names no file");
    }
    let taken: BTreeSet<&str> = names.iter().map(|name| name.name.as_str()).collect();
    assert!(taken.iter().all(|name| name.ends_with(".sql") && !name.ends_with(".down.sql")), "{taken:?}");
    let files: Vec<_> = names.into_iter().map(|name| file(name, content)).collect();
    if let Ok(files) = all(files, faults) {
        assert!(files.windows(2).all(|pair| pair[0].version < pair[1].version), "they are not in order");
    }
}

fn entry(line: &str) -> Option<(String, u64)> {
    let (bytes, name) = line.split_once(' ')?;
    Some((name.to_owned(), bytes.parse().ok()?))
}

fn file(name: Name, content: &[u8]) -> Result<File, String> {
    let known = name.name.clone();
    let read = File::read(name, content.to_vec());
    match &read {
        Ok(file) => {
            assert_eq!(file.sql.as_bytes(), content);
            assert_eq!(file.checksum.len(), 48, "SHA-384 has 48 bytes");
            assert!(!file.description.contains('_'), "{}", file.description);
            let unix = !file.sql.contains('\r');
            assert!(!unix || file.differs_only_in_line_ends(&file.checksum), "the text is its own");
            assert_eq!(file.without_transaction(), content.starts_with(b"-- no-transaction"));
        }
        Err(why) => assert!(why.starts_with(known.as_str()), "{why} names no file"),
    }
    read
}
