//! A YAML document as data that remembers where each value stands. Knows nothing of fleets.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// A value, and where it and all within it stand.
#[derive(Debug, Clone)]
pub struct Tree(Spanned<Node>);

#[derive(Debug, Clone)]
enum Node {
    Scalar(Value),
    List(Vec<Tree>),
    Map(Vec<(Spanned<String>, Tree)>),
}

impl Tree {
    /// The value alone.
    #[must_use]
    pub fn value(&self) -> Value {
        match &self.0.value {
            Node::Scalar(value) => value.clone(),
            Node::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Node::Map(entries) => Value::Object(entries.iter().map(|(key, tree)| (key.value.clone(), tree.value())).collect::<Map<_, _>>()),
        }
    }

    /// Where the value at `path` (as in `spec.workers.template.instanceTypes[0]`) stands: its key if it has one. A value that
    /// is missing stands where it would belong.
    #[must_use]
    pub fn place(&self, path: &str) -> Place {
        let parts = path.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty());
        let (mut here, mut place) = (self, self.0.referenced);
        for part in parts {
            let next = match &here.0.value {
                Node::Map(entries) => entries.iter().find(|(key, _)| key.value == part).map(|(key, tree)| (tree, key.referenced)),
                Node::List(items) => part.parse().ok().and_then(|index: usize| items.get(index)).map(|tree| (tree, tree.0.referenced)),
                Node::Scalar(_) => None,
            };
            let Some(found) = next else { break };
            (here, place) = found;
        }
        Place::of(place)
    }

    /// The items of a Kubernetes List, or this document alone.
    #[must_use]
    pub fn items(self) -> Vec<Self> {
        let value = self.value();
        if value["kind"].as_str().is_none_or(|kind| !kind.ends_with("List")) {
            return vec![self];
        }
        let Node::Map(entries) = self.0.value else { return Vec::new() };
        let items = entries.into_iter().find(|(key, _)| key.value == "items").map(|(_, tree)| tree.0.value);
        if let Some(Node::List(items)) = items { items } else { Vec::new() }
    }
}

impl Place {
    /// The place that the parser names.
    #[must_use]
    pub fn of(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Node::Map(map))
    }
}
