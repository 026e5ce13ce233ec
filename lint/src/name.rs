//! Names of database objects, compared as PostgreSQL compares them. What MySQL does otherwise: [`crate::mysql::table`].

use std::fmt;

use squawk_syntax::ast::AstNode;

/// `orders`, `shop.orders` or `"Orders"`, folded: what stands outside quotes is in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// As written in SQL.
    pub fn new(written: &str) -> Self {
        let (mut folded, mut quoted) = (String::with_capacity(written.len()), false);
        for char in written.trim().chars() {
            quoted ^= char == '"';
            match char {
                _ if quoted => folded.push(char),
                _ if char.is_whitespace() => {}
                _ => folded.extend(char.to_lowercase()),
            }
        }
        Self(folded)
    }

    /// As [`crate::mysql`] folds it.
    pub(crate) fn folded(name: String) -> Self {
        Self(name)
    }

    pub(crate) fn of(node: &impl AstNode) -> Self {
        Self::new(&node.syntax().text().to_string())
    }

    /// As text that `to_regclass` takes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both may mean the same object: a name without a schema is found in any.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let ((schema, name), (other_schema, other_name)) = (self.parts(), other.parts());
        name == other_name && (schema.is_none() || other_schema.is_none() || schema == other_schema)
    }

    /// The schema, or in MySQL the database, that it names.
    pub fn schema(&self) -> Option<&str> {
        self.parts().0.map(bare)
    }

    /// Its name alone, which two names of the same object share.
    pub fn alone(&self) -> &str {
        self.parts().1
    }

    /// Schema and name. A dot in quotes ends nothing.
    fn parts(&self) -> (Option<&str>, &str) {
        let mut quoted = None;
        let dot = self.0.char_indices().filter(|(_, char)| {
            match quoted {
                Some(quote) if quote == *char => quoted = None,
                None if matches!(*char, '"' | '`') => quoted = Some(*char),
                _ => {}
            }
            *char == '.' && quoted.is_none()
        });
        match dot.last() {
            Some((dot, _)) => (Some(&self.0[..dot]), bare(&self.0[dot + 1..])),
            None => (None, bare(&self.0)),
        }
    }
}

/// `"orders"` is `orders`, and so it is in backticks.
fn bare(name: &str) -> &str {
    let without = |quote| name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote));
    without('"').or_else(|| without('`')).unwrap_or(name)
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_folded_and_compared_as_postgresql_does() {
        let same = |one: &str, other: &str| Name::new(one).matches(&Name::new(other));
        assert!(same("Orders", "orders"));
        assert!(same("shop . Orders", "orders"));
        assert!(same("\"orders\"", "ORDERS"));
        assert!(!same("\"Orders\"", "orders"));
        assert!(!same("shop.orders", "stock.orders"));
        assert!(same("shop.\"a.b\"", "\"a.b\""));
    }
}
