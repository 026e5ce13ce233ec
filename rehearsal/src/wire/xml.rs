//! XML for answers: elements of a tree, escaped.

use jiff::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::context::Output;

/// A document that is being written.
pub(crate) struct Document {
    writer: Writer<Vec<u8>>,
}

impl Document {
    /// With the declaration and nothing else.
    pub(crate) fn new() -> Self {
        let mut document = Self { writer: Writer::new(Vec::new()) };
        document.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        document
    }

    /// An element and what `fill` writes into it.
    pub(crate) fn within(&mut self, name: &str, namespace: Option<&str>, fill: impl FnOnce(&mut Self)) {
        let mut start = BytesStart::new(name);
        if let Some(namespace) = namespace {
            start.push_attribute(("xmlns", namespace));
        }
        self.event(Event::Start(start));
        fill(self);
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// An element with text. What XML has no way to write becomes a character that says so.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        let text = text.replace(|letter| !is_of_xml(letter), "\u{fffd}");
        self.within(name, None, |document| document.event(Event::Text(BytesText::new(&text))));
    }

    /// One element for each member of a structure; `item` names the items of a list by the list's name, and `entry` those
    /// of a map.
    pub(crate) fn members(&mut self, structure: &Output, item: fn(&str) -> &'static str) {
        let Output::Map(entries) = structure else { return };
        for (name, value) in entries {
            if let Some(name) = name.as_text() {
                self.value(name, value, item);
            }
        }
    }

    /// The finished document.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    fn value(&mut self, name: &str, value: &Output, item: fn(&str) -> &'static str) {
        match value {
            Output::Map(entries) if item(name) == "entry" => self.within(name, None, |document| {
                for (key, value) in entries {
                    document.within("entry", None, |document| {
                        document.value("key", key, item);
                        document.value("value", value, item);
                    });
                }
            }),
            Output::Map(_) => self.within(name, None, |document| document.members(value, item)),
            Output::Array(values) => self.within(name, None, |document| {
                for value in values {
                    document.value(item(name), value, item);
                }
            }),
            Output::Text(text) => self.leaf(name, text),
            Output::Bool(value) => self.leaf(name, if *value { "true" } else { "false" }),
            Output::Integer(number) => self.leaf(name, &i128::from(*number).to_string()),
            Output::Float(number) => self.leaf(name, &number.to_string()),
            Output::Tag(_, seconds) => self.leaf(name, &moment(seconds)),
            _ => {}
        }
    }

    fn event(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect("a document is written to memory");
    }
}

/// <https://www.w3.org/TR/xml/#charsets>
fn is_of_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// ISO 8601 with milliseconds.
fn moment(seconds: &Output) -> String {
    let seconds = seconds.as_float().unwrap_or_default();
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_lists_and_times_are_elements() {
        let tree = Output::Map(vec![
            ("At".into(), Output::Tag(1, Box::new(Output::Float(1_795_266_000.25)))),
            ("Names".into(), Output::Array(vec!["a&b".into()])),
            ("Port".into(), Output::Integer(80.into())),
        ]);
        let mut document = Document::new();
        document.within("R", None, |document| document.members(&tree, |_| "member"));
        assert_eq!(
            String::from_utf8_lossy(&document.into_bytes()),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><R><At>2026-11-21T13:00:00.250Z</At>\
             <Names><member>a&amp;b</member></Names><Port>80</Port></R>"
        );
    }
}
