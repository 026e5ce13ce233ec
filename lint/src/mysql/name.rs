//! Names as MySQL compares them: those of tables as they are written, for on Linux their case counts; those of columns in any case.

use crate::name::Name;

/// The name of a table, perhaps with its database: `orders`, `` `shop`.Orders ``.
pub fn table(written: &str) -> Name {
    parts(written, str::to_owned)
}

/// The name of a column, an index or a routine.
pub fn column(written: &str) -> Name {
    parts(written, str::to_lowercase)
}

fn parts(written: &str, fold: fn(&str) -> String) -> Name {
    let (mut folded, mut rest) = (String::new(), written.trim());
    loop {
        let (part, behind) = first(rest);
        let part = fold(&part);
        if part.contains(['.', '`', '"']) || part.chars().any(char::is_whitespace) {
            folded.push_str(&format!("`{}`", part.replace('`', "``")));
        } else {
            folded.push_str(&part);
        }
        match behind.trim_start().strip_prefix('.') {
            Some(behind) => {
                folded.push('.');
                rest = behind.trim_start();
            }
            None => return Name::folded(folded),
        }
    }
}

/// The first part of a name, without its backticks, and what follows it.
fn first(written: &str) -> (String, &str) {
    let Some(quoted) = written.strip_prefix('`') else {
        let end = written.find('.').unwrap_or(written.len());
        return (written[..end].trim().to_owned(), &written[end..]);
    };
    let (mut part, mut chars) = (String::new(), quoted.char_indices().peekable());
    while let Some((at, char)) = chars.next() {
        if char == '`' && chars.next_if(|(_, next)| *next == '`').is_none() {
            return (part, &quoted[at + 1..]);
        }
        part.push(char);
    }
    (part, "")
}

#[cfg(test)]
mod tests {
    use super::{column, table};

    #[test]
    fn the_case_of_a_table_counts_and_that_of_a_column_does_not() {
        assert_eq!(table("`orders`"), table("orders"));
        assert_ne!(table("Orders"), table("orders"));
        assert_eq!(column("`Note`"), column("note"));
    }

    #[test]
    fn a_name_without_its_database_is_found_in_any() {
        assert_eq!(table(" `shop` . `orders`").as_str(), "shop.orders");
        assert!(table("shop.orders").matches(&table("orders")));
        assert!(!table("shop.orders").matches(&table("stock.orders")));
        assert!(!table("`shop.orders`").matches(&table("orders")));
        assert_eq!(table("`a``.b`").as_str(), "`a``.b`");
    }
}
