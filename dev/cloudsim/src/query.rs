//! Owns reading an EC2 Query request. What no parser took is refused by name. Knows nothing of any one action.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::refusal::Refusal;

/// The parameters of a request, or those below one prefix. Reading takes them out; what is left over at the end is refused.
#[derive(Debug, Default)]
pub(crate) struct Params {
    path: String,
    value: Option<String>,
    children: BTreeMap<String, Params>,
}

/// Splits a form-urlencoded body into its names and values.
///
/// # Errors
/// `InvalidParameterValue` when it is not a form.
pub(crate) fn decode(body: &str) -> Result<BTreeMap<String, String>, Refusal> {
    serde_urlencoded::from_str(body).map_err(|error| Refusal::InvalidParameterValue(format!("The body is not a form: {error}")))
}

/// Lets `read` take what it knows out of `flat`, and refuses the rest.
///
/// # Errors
/// Those of `read`, then `UnknownParameter` with the first name that it left.
pub(crate) fn read<T>(flat: &BTreeMap<String, String>, read: impl FnOnce(&mut Params) -> Result<T, Refusal>) -> Result<T, Refusal> {
    let mut params = Params::default();
    for (name, value) in flat {
        params.insert(name, value);
    }
    for protocol in ["Action", "Version"] {
        params.children.remove(protocol);
    }
    params.consume(read)
}

impl Params {
    fn insert(&mut self, name: &str, value: &str) {
        let mut node = self;
        for part in name.split('.') {
            let path = if node.path.is_empty() { part.to_owned() } else { format!("{}.{part}", node.path) };
            node = node.children.entry(part.to_owned()).or_insert_with(|| Self { path, ..Self::default() });
        }
        node.value = Some(value.to_owned());
    }

    fn consume<T>(mut self, read: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let result = read(&mut self)?;
        match self.leftover() {
            Some(name) => Err(Refusal::UnknownParameter(name.to_owned())),
            None => Ok(result),
        }
    }

    fn leftover(&self) -> Option<&str> {
        if self.value.is_some() {
            return Some(&self.path);
        }
        self.children.values().find_map(Self::leftover)
    }

    fn name_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Takes the text called `name`.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.children.get_mut(name)?.value.take()
    }

    /// Takes the text called `name`, which must be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| Refusal::MissingParameter(self.name_of(name)))
    }

    /// Takes the number or boolean called `name`.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let refusal = || {
            let name = self.name_of(name);
            Refusal::InvalidParameterValue(format!("Value ({text}) for parameter {name} is invalid."))
        };
        text.parse().map(Some).map_err(|_| refusal())
    }

    /// Takes a switch that may only be off: `true` is refused by name.
    pub(crate) fn only_off(&mut self, name: &str) -> Result<(), Refusal> {
        match self.parsed::<bool>(name)? {
            Some(true) => Err(Refusal::UnsupportedOperation(format!("{}=true", self.name_of(name)))),
            Some(false) | None => Ok(()),
        }
    }

    /// Reads the structure called `name`, if any of it was given.
    pub(crate) fn structure<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<Option<T>, Refusal> {
        self.children.remove(name).map(|child| child.consume(read)).transpose()
    }

    /// Reads the list of structures called `name`: `name.1.…`, `name.2.…`, in the order of the numbers.
    pub(crate) fn list<T>(&mut self, name: &str, mut read: impl FnMut(&mut Self) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
        let Some(list) = self.children.remove(name) else {
            return Ok(Vec::new());
        };
        if list.value.is_some() {
            return Err(Refusal::UnknownParameter(list.path));
        }
        let mut items = Vec::new();
        for (index, item) in list.children {
            let number: u32 = index.parse().map_err(|_| Refusal::UnknownParameter(item.path.clone()))?;
            items.push((number, item));
        }
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, item)| item.consume(&mut read)).collect()
    }

    /// Reads the list of texts called `name`.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, Refusal> {
        self.list(name, |item| item.value.take().ok_or_else(|| Refusal::MissingParameter(item.path.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(body: &str) -> BTreeMap<String, String> {
        decode(body).unwrap()
    }

    #[test]
    fn lists_come_in_the_order_of_their_numbers() {
        let body: String = (1..=11).map(|n| format!("&Id.{n}=i{n}")).collect();
        let ids = read(&flat(&body[1..]), |params| params.texts("Id")).unwrap();
        assert_eq!(ids, (1..=11).map(|n| format!("i{n}")).collect::<Vec<_>>());
    }

    #[test]
    fn what_nobody_took_is_refused_by_name() {
        let cases = [
            ("A=1&B=2", "B"),
            ("A=1&S.Known=x&S.Odd=y", "S.Odd"),
            ("A=1&L.1.Name=n&L.2.Name=n&L.2.Odd.Deep=y", "L.2.Odd.Deep"),
            ("A=1&L.first.Name=n", "L.first"),
            ("A=1&L=n", "L"),
            ("A.B=1", "A.B"),
        ];
        for (body, odd) in cases {
            let refusal = read(&flat(body), |params| {
                params.text("A");
                params.structure("S", |s| Ok(s.text("Known")))?;
                params.list("L", |item| Ok(item.text("Name")))
            });
            assert_eq!(refusal, Err(Refusal::UnknownParameter(odd.to_owned())), "{body}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_form_is_refused_with_its_name() {
        let refusal = read(&flat("MinCount=few"), |params| params.parsed::<u32>("MinCount")).unwrap_err();
        assert_eq!(refusal.code(), "InvalidParameterValue");
        assert!(refusal.to_string().contains("MinCount"), "{refusal}");
    }
}
