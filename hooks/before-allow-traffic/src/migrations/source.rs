//! Where the SQL files come from: a folder of the function's package, or one of a bucket in S3. The same rules hold for both.

use std::fmt;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use greenlight::check::CannotTell;
use greenlight::ports::{BucketFolder, Ports};

use super::files::{self, FILE_AT_MOST, File, FolderError, Name, chosen};
use super::{Halt, folder};

/// Objects that are read side by side.
const AT_ONCE: usize = 8;

/// Where the SQL files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder of the function's package.
    Packaged(PathBuf),
    /// A folder of a bucket.
    InS3(BucketFolder),
    /// A place of which nobody knows how to read it, and why.
    Unknown(String),
}

impl Source {
    /// `s3://bucket/folder/`, or a folder; a relative one is meant from `root`.
    pub fn of(place: &str, root: Option<&str>) -> Self {
        if place.contains("://") {
            return match BucketFolder::parse(place) {
                Ok(folder) => Self::InS3(folder),
                Err(wrong) => Self::Unknown(wrong),
            };
        }
        Self::Packaged(root.map_or_else(|| PathBuf::from(place), |root| Path::new(root).join(place)))
    }

    /// The migrations in the order of their versions, never none.
    pub async fn read(&self, ports: &Ports) -> Result<Vec<File>, Halt> {
        let files = match self {
            Self::Packaged(folder) => packaged(folder.clone()).await?,
            Self::InS3(folder) => in_s3(folder, ports).await?,
            Self::Unknown(wrong) => {
                let remedy = "Name a folder of the function's package or one in S3 (migrations.sql of the plan, or \
                              GREENLIGHT_MIGRATIONS); then redeploy.";
                return Err(Halt::no(wrong.clone(), remedy));
            }
        };
        match files {
            Ok(files) if files.is_empty() => Err(self.empty()),
            Ok(files) => Ok(files),
            Err(error) => Err(Halt::no(
                format!("{error}; nothing was migrated; traffic stays on blue"),
                "Correct the names and files above, then redeploy.",
            )),
        }
    }

    fn empty(&self) -> Halt {
        let remedy = match self {
            Self::InS3(_) => {
                "Upload the files there before the deployment begins, or name the right folder; then redeploy."
            }
            _ => "Put the files into the function's package, or name the right folder; then redeploy.",
        };
        Halt::no(format!("{self} holds no migration: no file <version>_<description>.sql"), remedy)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packaged(folder) => write!(out, "{}", folder.display()),
            Self::InS3(folder) => write!(out, "{folder}"),
            Self::Unknown(_) => out.write_str("migrations.sql"),
        }
    }
}

/// Off the one thread that everything else runs on.
async fn packaged(folder: PathBuf) -> Result<Result<Vec<File>, FolderError>, Halt> {
    let asked = format!("the files in {}", folder.display());
    let read = tokio::task::spawn_blocking(move || folder::read(&folder)).await;
    read.map_err(|error| {
        let remedy = "Redeploy.".to_owned();
        Halt::CannotTell(CannotTell { asked, remedy, transient: false, source: Some(Box::new(error)) })
    })
}

async fn in_s3(folder: &BucketFolder, ports: &Ports) -> Result<Result<Vec<File>, FolderError>, Halt> {
    let Some(listed) = ports.objects().listed(folder).await? else {
        return Err(Halt::no(
            format!("there is no bucket {}, which {folder} names", folder.bucket),
            "Correct migrations.sql of the plan (or GREENLIGHT_MIGRATIONS), or create the bucket; then redeploy.",
        ));
    };
    let (names, faults) = chosen(listed.into_iter().map(|entry| (entry.name, entry.bytes)).collect());
    let mut reading =
        futures::stream::iter(names.into_iter().map(|name| object(folder, name, ports))).buffered(AT_ONCE);
    let mut read = Vec::new();
    while let Some(file) = reading.next().await {
        read.push(file?);
    }
    Ok(files::all(read, faults))
}

async fn object(folder: &BucketFolder, name: Name, ports: &Ports) -> Result<Result<File, String>, Halt> {
    // One byte more than is allowed tells an object that has grown since it was listed.
    let at_most = usize::try_from(FILE_AT_MOST).unwrap_or(usize::MAX).saturating_add(1);
    let bytes = ports.objects().content(folder, &name.name, at_most).await?;
    if bytes.len() == at_most {
        return Ok(Err(format!("{} has grown beyond what a migration has while it was read", name.name)));
    }
    Ok(File::read(name, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::collections::BTreeMap;

    use greenlight::check::Answer;
    use greenlight::fakes::Fakes;

    use super::{FILE_AT_MOST, Source};

    fn bucket(objects: &[(&str, &[u8])]) -> Fakes {
        let fakes = Fakes::well();
        let objects = objects.iter().map(|(key, body)| ((*key).to_owned(), body.to_vec())).collect();
        fakes.state().buckets = BTreeMap::from([("shop".to_owned(), objects)]);
        fakes
    }

    /// Names with their versions, or the row.
    async fn read(fakes: &Fakes, place: &str) -> String {
        match Source::of(place, None).read(&fakes.ports()).await {
            Ok(files) => {
                files.iter().map(|file| format!("{} {}", file.version, file.name)).collect::<Vec<_>>().join(", ")
            }
            Err(halt) => match halt.into_answer() {
                Ok(Answer::No { evidence, remedy }) => format!("no: {evidence}\n{remedy}"),
                Ok(other) => panic!("{other:?}"),
                Err(unknown) => format!("cannot tell: {unknown}\n{}", unknown.remedy),
            },
        }
    }

    #[tokio::test]
    async fn a_folder_of_a_bucket_is_read_without_what_lies_deeper() {
        let fakes = bucket(&[
            ("orders/", b""),
            ("orders/10_last.sql", b"select 10"),
            ("orders/2_a.up.sql", b"select 2"),
            ("orders/2_a.down.sql", b"select -2"),
            ("orders/README.md", b"\xff"),
            ("orders/old/1_old.sql", b"select 1"),
            ("orders2/3_other.sql", b"select 3"),
        ]);
        assert_eq!(read(&fakes, "s3://shop/orders").await, "2 2_a.up.sql, 10 10_last.sql");
        assert_eq!(read(&fakes, "s3://shop/orders/old/").await, "1 1_old.sql");
    }

    #[tokio::test]
    async fn a_bucket_has_the_faults_of_a_folder() {
        let large = vec![b' '; usize::try_from(FILE_AT_MOST).unwrap() + 100_000];
        let fakes = bucket(&[
            ("a/1_a.sql", b""),
            ("a/3_bad.sql", b"select '\xff'"),
            ("a/01_b.sql", b""),
            ("a/init.sql", b""),
            ("a/2_large.sql", &large),
        ]);
        insta::assert_snapshot!(read(&fakes, "s3://shop/a/").await, @r"
        no: 01_b.sql and 1_a.sql have the same version 1; 2_large.sql has 16.1 MiB, and a migration has 16 MiB at most; init.sql has no version: its name must be <version>_<description>.sql; 3_bad.sql line 1 is not UTF-8 (byte 8); nothing was migrated; traffic stays on blue
        Correct the names and files above, then redeploy.
        ");
    }

    #[tokio::test]
    async fn no_bucket_no_folder_and_no_place_are_told_apart() {
        let fakes = bucket(&[("a/1_a.sql", b"")]);
        let all = [
            read(&fakes, "s3://shops/a/").await,
            read(&fakes, "s3://shop/b/").await,
            read(&fakes, "gs://shop/a").await,
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        no: there is no bucket shops, which s3://shops/a/ names
        Correct migrations.sql of the plan (or GREENLIGHT_MIGRATIONS), or create the bucket; then redeploy.
        no: s3://shop/b/ holds no migration: no file <version>_<description>.sql
        Upload the files there before the deployment begins, or name the right folder; then redeploy.
        no: gs://shop/a is no place in S3; it is written s3://bucket/folder/
        Name a folder of the function's package or one in S3 (migrations.sql of the plan, or GREENLIGHT_MIGRATIONS); then redeploy.
        ");
    }

    #[tokio::test]
    async fn who_may_not_look_knows_nothing() {
        let fakes = bucket(&[("a/1_a.sql", b"")]);
        fakes.state().unreachable = Some(false);
        insta::assert_snapshot!(read(&fakes, "s3://shop/a/").await, @r"
        cannot tell: objects of s3://shop/a/
        Allow the call in the function's role.
        ");
    }
}
