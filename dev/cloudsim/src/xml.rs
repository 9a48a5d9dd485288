//! Owns writing XML. Knows nothing of EC2's shapes.

use std::fmt::{self, Display, Write};

use quick_xml::escape::escape;

/// XML that grows at its end; closures keep the elements nested rightly.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

/// Escapes what is written to it.
struct Text<'a>(&'a mut String);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(&escape(text));
        Ok(())
    }
}

impl Xml {
    /// An element with a text.
    pub(crate) fn leaf(&mut self, name: &str, value: impl Display) {
        self.open(name);
        self.text(value);
        self.close(name);
    }

    /// An element with a text, or nothing.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.leaf(name, value);
        }
    }

    /// An element with elements.
    pub(crate) fn node(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.open(name);
        fill(self);
        self.close(name);
    }

    /// An element with one `item` per element of `items`, as EC2 writes its sets.
    pub(crate) fn set<T>(&mut self, name: &str, items: impl IntoIterator<Item = T>, fill: impl Fn(&mut Self, T)) {
        self.node(name, |xml| {
            for item in items {
                xml.node("item", |xml| fill(xml, item));
            }
        });
    }

    /// A text between the elements.
    pub(crate) fn text(&mut self, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(Text(&mut self.0), "{value}");
    }

    /// What was written apart.
    pub(crate) fn append(&mut self, other: Self) {
        self.0.push_str(&other.0);
    }

    /// A whole document.
    pub(crate) fn document(root: &str, attributes: &str, fill: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}{attributes}>"));
        fill(&mut xml);
        xml.close(root);
        xml.0
    }

    fn open(&mut self, name: &str) {
        self.0.extend(["<", name, ">"]);
    }

    fn close(&mut self, name: &str) {
        self.0.extend(["</", name, ">"]);
    }
}
