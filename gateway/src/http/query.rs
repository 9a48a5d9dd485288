//! Parameters of a query: what is asked for by name, and what is said of values that are not understood. Pure.

use uuid::Uuid;

use crate::refusal::Refusal;

/// Images in a list whose client asks for no number, and the most that there may be.
const LISTED: usize = 50;
const LISTED_AT_MOST: usize = 200;
/// Ids in one query: twice as many would be too long for a request's head, with what else is in it.
const CHOSEN_AT_MOST: usize = 100;

/// What a list shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// So many of the newest, of those before an id if there is one.
    Newest { limit: usize, before: Option<Uuid> },
    /// These.
    Ids(Vec<Uuid>),
}

/// The value of the first parameter of that name.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let parameters: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    parameters.into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
}

/// What a list is to show.
///
/// # Errors
/// [`Refusal::BadParameter`] for numbers and ids that are none, or too many.
pub(crate) fn wanted(query: &str) -> Result<Wanted, Refusal> {
    if let Some(ids) = parameter(query, "ids") {
        return chosen(&ids);
    }
    let limit = match parameter(query, "limit") {
        None => LISTED,
        Some(value) => match value.parse() {
            Ok(limit) if (1..=LISTED_AT_MOST).contains(&limit) => limit,
            _ => return Err(Refusal::BadParameter { name: "limit", value, want: "a number from 1 to 200, as in ?limit=50" }),
        },
    };
    let before = match parameter(query, "before") {
        None => None,
        Some(value) => match Uuid::parse_str(&value) {
            Ok(id) => Some(id),
            Err(_) => return Err(Refusal::BadParameter { name: "before", value, want: "an image's id, such as the list's own `next`" }),
        },
    };
    Ok(Wanted::Newest { limit, before })
}

/// What is no id is no image's, and is left out as others that nobody has.
fn chosen(ids: &str) -> Result<Wanted, Refusal> {
    let ids: Vec<&str> = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if ids.len() > CHOSEN_AT_MOST {
        let value = format!("{},…", ids[0]);
        return Err(Refusal::BadParameter { name: "ids", value, want: "at most 100 ids, separated by commas, and ask for the rest apart" });
    }
    Ok(Wanted::Ids(ids.into_iter().filter_map(|id| Uuid::parse_str(id).ok()).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lists_are_asked_for_by_number_and_place() {
        let id = Uuid::now_v7();
        let table = [
            (String::new(), Wanted::Newest { limit: 50, before: None }),
            ("limit=1".to_owned(), Wanted::Newest { limit: 1, before: None }),
            (format!("before={id}&limit=200&other=x"), Wanted::Newest { limit: 200, before: Some(id) }),
            (format!("ids={id},nonsense,%20{id}&limit=x"), Wanted::Ids(vec![id, id])),
            ("ids=".to_owned(), Wanted::Ids(Vec::new())),
        ];
        for (query, expected) in table {
            assert_eq!(wanted(&query).unwrap(), expected, "{query}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let many = format!("ids={}", "x,".repeat(101));
        for (query, name) in [("limit=0", "limit"), ("limit=201", "limit"), ("limit=all", "limit"), ("before=7", "before"), (&many, "ids")]
        {
            let refusal = wanted(query).unwrap_err().to_string();
            assert!(refusal.starts_with(&format!("{name}=")), "{refusal}");
        }
    }
}
