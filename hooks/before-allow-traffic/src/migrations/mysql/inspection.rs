//! What is wrong with a file that can be seen before anything is done.

use greenlight_lint::mysql::statements::statements;

use super::steps::steps;
use crate::migrations::files::File;

/// What decides how the server reads a file.
#[derive(Clone, Debug)]
pub struct Server {
    /// The database that the migrations are for, as the login has it.
    pub database: String,
    /// `ANSI_QUOTES,STRICT_TRANS_TABLES`: the modes of a new session.
    pub sql_mode: String,
    /// Bytes that it takes at once (`max_allowed_packet`).
    pub at_once: u64,
}

/// Kept for our name before each statement, and the protocol's own.
const BESIDES: u64 = 1024;

/// One sentence each.
pub fn inspect(file: &File, server: &Server) -> Vec<String> {
    let name = &file.name;
    if file.sql.starts_with('\u{feff}') {
        return vec![format!("{name} begins with a byte order mark, which MySQL takes for a syntax error")];
    }
    let mut faults = steps(file, &server.database).err().unwrap_or_default();
    faults.extend(read_otherwise(file, server));
    faults.extend(too_long(file, server));
    faults
}

/// Where a backslash is only a backslash, a text ends elsewhere; and in `"…"` it is one where that is a name.
fn read_otherwise(file: &File, server: &Server) -> Option<String> {
    let (before, _) = file.sql.split_once('\\')?;
    let sets =
        statements(&file.sql).map_while(Result::ok).filter(|it| it.starts_with(&["set"]) && it.mentions("sql_mode"));
    let modes = sets.fold(server.sql_mode.clone(), |modes, it| modes + it.text).to_ascii_uppercase();
    let mode = ["NO_BACKSLASH_ESCAPES", "ANSI"].into_iter().find(|mode| modes.contains(mode))?;
    Some(format!(
        "{} line {}: there is a backslash, and with the sql_mode {} nobody but the server can say where a text with it ends; \
         write it without",
        file.name,
        before.matches('\n').count() + 1,
        if mode == "ANSI" { "ANSI_QUOTES" } else { mode }
    ))
}

/// The server would end the connection in the middle of it.
fn too_long(file: &File, server: &Server) -> Option<String> {
    const MIB: f64 = 1024.0 * 1024.0;
    let bytes = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX);
    let long = statements(&file.sql).map_while(Result::ok).find(|it| bytes(it.text) + BESIDES > server.at_once)?;
    Some(format!(
        "{} line {}: the statement has {:.1} MiB, and the server takes {:.1} MiB at once (max_allowed_packet)",
        file.name,
        long.line,
        bytes(long.text) as f64 / MIB,
        server.at_once as f64 / MIB
    ))
}

#[cfg(test)]
mod tests {
    use super::{Server, inspect};
    use crate::migrations::files::File;

    fn faults(sql: &str, sql_mode: &str) -> Vec<String> {
        let file = File::with(sql);
        inspect(&file, &Server { database: "shop".to_owned(), sql_mode: sql_mode.to_owned(), at_once: 4096 })
    }

    #[test]
    fn a_backslash_is_refused_where_it_means_something_else() {
        let sql = "SELECT 1;\nSELECT 'it\\'s'";
        assert_eq!(faults(sql, "STRICT_TRANS_TABLES"), Vec::<String>::new());
        for mode in ["NO_BACKSLASH_ESCAPES", "STRICT_TRANS_TABLES,ANSI_QUOTES"] {
            assert!(faults(sql, mode)[0].starts_with("1_a.sql line 2: there is a backslash"), "{mode}");
        }
        assert_eq!(faults("SELECT 1", "ANSI_QUOTES"), Vec::<String>::new());
        assert_eq!(faults(&format!("SET sql_mode = 'ansi_quotes'; {sql}"), "").len(), 1);
    }

    #[test]
    fn a_statement_that_the_server_does_not_take_at_once_is_refused() {
        assert_eq!(
            faults(&format!("SELECT 1;\nSELECT '{}'", "x".repeat(4096)), ""),
            ["1_a.sql line 2: the statement has 0.0 MiB, and the server takes 0.0 MiB at once (max_allowed_packet)"]
        );
    }
}
