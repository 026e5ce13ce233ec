//! What must not be quoted in a message.

/// Parts of a key that say its value is secret.
const SECRET_WORDS: [&str; 9] =
    ["password", "passwd", "token", "secret", "authorization", "apikey", "credential", "privatekey", "cookie"];

/// Whether a key with this name usually holds a value nobody must read: `db_password`, `Authorization`, `X-Api-Key`.
pub fn names_a_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| plain.contains(word))
}

/// The line as a message may quote it: cut after the first key that names a secret, or at the password of a URL.
/// `before` is the line above, whose key may be the one this line is the value of.
pub(super) fn quotable(line: &str, before: Option<&str>) -> String {
    let indent = line.len() - line.trim_start().len();
    if before.is_some_and(|above| above.trim_end().ends_with(':') && names_a_secret(above)) {
        return format!("{}…", &line[..indent]);
    }
    let mut end = line.len();
    let mut start = 0;
    for (at, character) in line.char_indices() {
        match character {
            ':' if names_a_secret(&line[start..at]) => {
                end = at + 1;
                break;
            }
            '{' | ',' | '[' => start = at + 1,
            _ => {}
        }
    }
    if let Some(url) = line[..end].find("://").map(|at| at + 3)
        && let Some(at_sign) = line[url..end].find('@')
        && line[url..url + at_sign].contains(':')
    {
        end = url;
    }
    if end == line.len() { line.to_owned() } else { format!("{} …", &line[..end]) }
}

#[cfg(test)]
mod tests {
    use super::{names_a_secret, quotable};

    #[test]
    fn keys_that_name_secrets_are_recognised() {
        for key in ["password", "DB_PASSWORD", "Authorization", "X-Api-Key", "access_token", "Set-Cookie"] {
            assert!(names_a_secret(key), "{key}");
        }
        for key in ["name", "host", "x-version", "content-type", "key"] {
            assert!(!names_a_secret(key), "{key}");
        }
    }

    #[test]
    fn a_line_is_cut_where_its_secret_begins() {
        assert_eq!(quotable("  headers: { Authorization: Bearer abc }", None), "  headers: { Authorization: …");
        assert_eq!(quotable("  url: postgres://a:b@c/d", None), "  url: postgres:// …");
        assert_eq!(quotable("    abc", Some("  token:")), "    …");
        assert_eq!(quotable("  host: orders.example.com", None), "  host: orders.example.com");
    }
}
