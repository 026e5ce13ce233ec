//! What must not be quoted in a message.

use super::plain_sight::recognise;

/// Parts of a key that say its value is secret.
const SECRET_WORDS: [&str; 9] =
    ["password", "passwd", "token", "secret", "authorization", "apikey", "credential", "privatekey", "cookie"];

/// Whether a key with this name usually holds a value nobody must read: `db_password`, `Authorization`, `X-Api-Key`.
pub fn names_a_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| plain.contains(word))
}

/// The line without what nobody must read: cut after the first key that names a secret, and without the login of a URL.
pub fn without_secrets(line: &str) -> String {
    let ends = line.char_indices().filter(|(_, letter)| matches!(letter, ':' | '='));
    let secret = ends.map(|(at, _)| at).find(|at| names_a_secret(key_before(&line[..*at])));
    match secret {
        Some(at) => format!("{} …", without_logins(&line[..=at])),
        None => without_logins(line),
    }
}

/// The last word of the text, quotes left out: the key before a `:` or `=`.
fn key_before(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'', '\\', ' ']);
    let start = text.rfind(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | '-' | '.'));
    start.map_or(text, |start| text[start..].trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric()))
}

/// `postgres://user:password@host` without user and password.
fn without_logins(text: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after.find(['/', '?', '#', '"', '\'', ' ', ',', ')', '}']).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(login) => {
                clean.push('…');
                &after[login..]
            }
            None => after,
        };
    }
    clean.push_str(rest);
    clean
}

/// The text up to the first thing in it that is a secret by its form.
pub(super) fn without_recognised(text: &str) -> String {
    match recognise(text) {
        Some(found) => format!("{}…", &text[..found.at]),
        None => text.to_owned(),
    }
}

/// The line as a message may quote it. `before` is the line above, whose key may be the one this line is the value of.
pub(super) fn quotable(line: &str, before: Option<&str>) -> String {
    if before.is_some_and(|above| above.trim_end().ends_with(':') && names_a_secret(above)) {
        let indent = line.len() - line.trim_start().len();
        return format!("{}…", &line[..indent]);
    }
    without_recognised(&without_secrets(line))
}

#[cfg(test)]
mod tests {
    use super::{names_a_secret, quotable, without_secrets};

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
        assert_eq!(quotable("  url: postgres://a:b@c/d", None), "  url: postgres://…@c/d");
        assert_eq!(quotable("    abc", Some("  token:")), "    …");
        assert_eq!(quotable("  host: orders.example.com", None), "  host: orders.example.com");
    }

    /// What an application answers in its distress is not written for a report.
    #[test]
    fn secrets_in_the_middle_of_a_line_are_cut_out() {
        let cases = [
            ("bad header authorization: Bearer abc", "bad header authorization: …"),
            ("{\\\"password\\\": \\\"abc\\\"}", "{\\\"password\\\": …"),
            ("cannot reach postgres://a:b@db:5432/x, b", "cannot reach postgres://…@db:5432/x, b"),
            ("postgres://a:p@ss@db/x and http://c:d@e", "postgres://…@db/x and http://…@e"),
            ("at 12:30 the size was: 3", "at 12:30 the size was: 3"),
            ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY= …"),
        ];
        for (line, clean) in cases {
            assert_eq!(without_secrets(line), clean);
        }
    }
}
