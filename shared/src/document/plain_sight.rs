//! Texts that are secrets by their form, whatever key they stand under.

use super::secrecy::names_a_secret;

/// A secret in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Where it begins, in bytes.
    pub at: usize,
    /// What it looks like, with an article.
    pub what: &'static str,
}

/// Beginnings of tokens whose issuers gave them one so that they are found, and how long such a token is at least.
const TOKENS: [(&str, usize); 14] = [
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("sk_live_", 20),
    ("rk_live_", 20),
    ("npm_", 36),
    ("AIza", 39),
    ("sk-", 40),
];

/// A credential of a request has at least so many characters; `Bearer token` is prose.
const SHORTEST_CREDENTIAL: usize = 16;

/// The first secret in this text, if there is one. What stands for a secret, such as `${password}`, is none.
pub fn recognise(text: &str) -> Option<Recognised> {
    let found = [private_key(text), login(text), credential(text), query(text), token(text)];
    found.into_iter().flatten().min_by_key(|found| found.at)
}

/// Whether a text has the look of a generated password or key: long, of all kinds of characters, and in no order. Names
/// are made of words, hashes and UUIDs of one case.
pub fn looks_random(text: &str) -> bool {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let kinds: Vec<u8> = text.bytes().map(kind).collect();
    let all = (0..3).all(|kind| kinds.contains(&kind));
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let is_one_word = text.is_ascii() && !text.contains(char::is_whitespace) && !text.starts_with("arn:");
    text.len() >= 20 && is_one_word && all && 2 * changes >= text.len()
}

fn private_key(text: &str) -> Option<Recognised> {
    let at = text.find("-----BEGIN ")?;
    let label = text[at..].lines().next().unwrap_or_default();
    label.contains("PRIVATE KEY").then_some(Recognised { at, what: "a private key" })
}

/// `scheme://user:password@host`.
fn login(text: &str) -> Option<Recognised> {
    for (scheme, _) in text.match_indices("://") {
        let at = scheme + 3;
        let rest = &text[at..];
        let end = rest.find(['/', '?', '#', ' ', '"', '\'']).unwrap_or(rest.len());
        let password = rest[..end].rsplit_once('@').and_then(|(login, _)| login.split_once(':'));
        if password.is_some_and(|(_, password)| stands_for_itself(password)) {
            return Some(Recognised { at, what: "a password in a URL" });
        }
    }
    None
}

/// `Bearer …`, `Basic …`.
fn credential(text: &str) -> Option<Recognised> {
    // Lower case letters are as long as upper case ones, in ASCII.
    let lower = text.to_ascii_lowercase();
    for scheme in ["bearer ", "basic "] {
        for (start, _) in lower.match_indices(scheme) {
            let at = start + scheme.len();
            let word = word_at(text, at);
            let is_key = word.len() >= SHORTEST_CREDENTIAL && word.bytes().any(|byte| !byte.is_ascii_lowercase());
            if is_key && starts_a_word(text, start) {
                return Some(Recognised { at, what: "a credential" });
            }
        }
    }
    None
}

/// `?password=…`.
fn query(text: &str) -> Option<Recognised> {
    let start = text.find('?')? + 1;
    let mut at = start;
    for pair in text[start..].split('&') {
        if let Some((key, value)) = pair.split_once('=')
            && names_a_secret(key)
            && !key.contains(char::is_whitespace)
            && stands_for_itself(value)
        {
            return Some(Recognised { at: at + key.len() + 1, what: "a secret in a query" });
        }
        at += pair.len() + 1;
    }
    None
}

/// What is a key or token by its own form.
fn token(text: &str) -> Option<Recognised> {
    let mut at = 0;
    while at < text.len() {
        let word = word_at(text, at);
        if let Some(what) = kind_of_token(word) {
            return Some(Recognised { at, what });
        }
        let skip = text[at + word.len()..].chars().next().map_or(1, char::len_utf8);
        at += word.len() + skip;
    }
    None
}

fn kind_of_token(word: &str) -> Option<&'static str> {
    let is_key =
        |rest: &str| rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if word.strip_prefix("AKIA").or_else(|| word.strip_prefix("ASIA")).is_some_and(is_key) {
        return Some("an AWS access key");
    }
    let parts: Vec<&str> = word.split('.').collect();
    if word.starts_with("eyJ") && parts.len() == 3 && parts.iter().take(2).all(|part| part.len() >= 10) {
        return Some("a JSON Web Token");
    }
    let issued = TOKENS.iter().any(|(prefix, least)| word.starts_with(prefix) && word.len() >= *least);
    // A path or a name may begin like a token; only a token has digits and letters all through.
    (issued && word.bytes().any(|byte| byte.is_ascii_digit())).then_some("an access token")
}

/// The characters that tokens are made of, from here on.
fn word_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !"_-.+/~".contains(letter));
    &rest[..end.unwrap_or(rest.len())]
}

fn starts_a_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|letter: char| letter.is_alphanumeric())
}

/// Whether it is not a variable, and not empty.
fn stands_for_itself(text: &str) -> bool {
    !text.is_empty() && !text.contains("${")
}

#[cfg(test)]
mod tests {
    use super::{looks_random, recognise};

    #[test]
    fn secrets_are_recognised_by_their_form() {
        let cases = [
            ("postgres://orders:hunter2@db.internal/orders", "a password in a URL"),
            ("see https://a:p%40ss@example.com/", "a password in a URL"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "a private key"),
            ("-----BEGIN PRIVATE KEY-----", "a private key"),
            ("AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
            ("key=ASIAIOSFODNN7EXAMPLE", "an AWS access key"),
            ("Bearer 9f86d081884c7d659a2feaa0c55ad015", "a credential"),
            ("basic b3JkZXJzOmh1bnRlcjI=", "a credential"),
            ("/login?user=a&password=hunter2", "a secret in a query"),
            ("https://s3.amazonaws.com/a?X-Amz-Security-Token=abc", "a secret in a query"),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "an access token"),
            ("glpat-xYz12345678901234567", "an access token"),
        ];
        for (text, what) in cases {
            assert_eq!(recognise(text).map(|found| found.what), Some(what), "{text}");
        }
        let token = format!("eyJ{}.eyJ{}.sig", "a".repeat(20), "b".repeat(20));
        assert_eq!(recognise(&format!("x {token}")).map(|found| (found.at, found.what)), Some((2, "a JSON Web Token")));
    }

    /// What plans are full of.
    #[test]
    fn what_is_no_secret_is_left_alone() {
        let innocent = [
            "",
            "orders/migrator",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:orders/migrator-a1B2c3",
            "rds!cluster-1c7a6c3e-2f5e-4a8e-9a57-0d0e6f6b5a11",
            "Bearer ${token}",
            "Bearer",
            "the bearer of this order",
            "Basic subscription with everything",
            "basic configuration",
            "https://orders.example.com/orders?page=2&sort=token",
            "https://user@example.com/",
            "postgres://${user}:${password}@db/orders",
            "/reset?token=${token}",
            "/token?grant_type=client_credentials",
            "/orders/7?token=",
            "what is a password?",
            "sk-learn",
            "$.token",
            "${task_definition_revision}",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "-----BEGIN CERTIFICATE-----",
            "s3://bucket/orders/42/",
            "npm_config_registry",
            "eyJ",
            "Grüße an alle",
        ];
        for text in innocent {
            assert_eq!(recognise(text), None, "{text}");
        }
    }

    #[test]
    fn generated_keys_look_random_and_names_do_not() {
        for text in ["wJ4lrXUtn3FEm/K7MdENg/bPxRfiC9yQ2LsT0aZe", "x9Kp2LmQ7vRt4WzB8nYc", "aB3$dE6&gH9*jK2@mN5!"] {
            assert!(looks_random(text), "{text}");
        }
        let names = [
            "orders/migrator-a1B2c3",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:X9kP2-a1B2c3",
            "Orders-Production-Migrator-2024",
            "rds!cluster-1c7a6c3e-2f5e-4a8e-9a57-0d0e6f6b5a11",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "The quick brown Fox jumps over 13 dogs",
            "hunter2",
        ];
        for text in names {
            assert!(!looks_random(text), "{text}");
        }
    }

    /// Whatever is thrown at it, it neither panics nor points outside.
    #[test]
    fn any_text_is_borne() {
        let pieces = [
            "://",
            "ü",
            ":",
            "@",
            "?",
            "=",
            "&",
            "password",
            "Bearer ",
            "AKIA",
            "eyJ",
            ".",
            "-----BEGIN ",
            " ",
            "${",
            "}",
            "€",
        ];
        let mut seed = 7_u64;
        for _ in 0..5000 {
            let mut text = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[usize::try_from(seed >> 33).unwrap() % pieces.len()]);
            }
            if let Some(found) = recognise(&text) {
                assert!(text.is_char_boundary(found.at), "{text}");
            }
            looks_random(&text);
        }
    }
}
