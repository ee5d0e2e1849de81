//! What the services' answers have in common: pages, times, identifiers, and refusals by name.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::call::{Answer, Call, Fault};
use super::store::Order;

/// The answer without members that are null: AWS leaves out what is not there.
pub fn answer(mut value: Value) -> Answer {
    drop_nulls(&mut value);
    Ok(value)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => (),
    }
}

/// Milliseconds since 1970 as the seconds in which a timestamp is answered.
pub fn seconds(milliseconds: i64) -> Value {
    json!(milliseconds as f64 / 1000.0)
}

/// Random lower-case hexadecimal digits, as in the identifiers of most services.
pub fn hex(digits: usize) -> String {
    let mut text = String::with_capacity(digits + 32);
    while text.len() < digits {
        text.push_str(&uuid::Uuid::new_v4().simple().to_string());
    }
    text.truncate(digits);
    text
}

/// Random characters of an alphabet.
pub fn random(length: usize, alphabet: &[u8]) -> String {
    (0..length)
        .filter_map(|_| alphabet.get(rand::random_range(0..alphabet.len())))
        .map(|byte| char::from(*byte))
        .collect()
}

/// One page of a listing.
///
/// Listings are in the order of `key`; [`super::page`] says what holds when things come and go in between.
pub struct Page<T> {
    pub items: Vec<T>,
    /// The token of the next page. `None`: this is the last one.
    pub next: Option<String>,
}

/// Cuts the page that `token` asks for (the first one when it is empty), of at most `limit` items.
///
/// # Errors
/// `invalid`, when the token is none of ours.
pub fn page<T>(
    mut items: Vec<T>,
    key: impl Fn(&T) -> String,
    token: &str,
    limit: usize,
    invalid: impl FnOnce() -> Fault,
) -> Result<Page<T>, Fault> {
    items.sort_by_cached_key(&key);
    let (items, next) = super::page::cut(items, limit, token, key).map_err(|_| invalid())?;
    Ok(Page { items, next })
}

/// One page of the documents of a kind whose id begins with `prefix` (all of them with the empty one) and that `keep`
/// takes, in the order of their ids. Those of other pages are not read.
///
/// # Errors
/// `invalid`, when the token is none of ours.
pub fn page_of<T: DeserializeOwned>(
    call: &Call<'_>,
    (kind, prefix): (&str, &str),
    keep: impl FnMut(&T) -> Result<bool, Fault>,
    token: &str,
    limit: usize,
    invalid: impl FnOnce() -> Fault,
) -> Result<Page<T>, Fault> {
    let order = Order::Id(prefix);
    let (items, next) = super::page::read_page(call.store, kind, order, (limit, token), keep, invalid)?;
    Ok(Page { items, next })
}

/// The number that a call asks for, else the default, as the length of a page.
pub fn limit(call: &Call<'_>, member: &str, default: usize) -> usize {
    call.int(member)
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| *count > 0)
        .unwrap_or(default)
}

/// Copies the members that are there.
pub fn echo(call: &Call<'_>, members: &[&str]) -> Map<String, Value> {
    members
        .iter()
        .filter_map(|member| Some(((*member).to_owned(), call.input.get(*member)?.clone())))
        .collect()
}

/// Refuses, by name, what the sandbox would otherwise swallow: every member that is not in the list.
pub fn only(call: &Call<'_>, members: &[&str]) -> Result<(), Fault> {
    refuse(call, |name| !members.contains(&name))
}

/// Refuses, by name, every member that is in the list.
pub fn none_of(call: &Call<'_>, members: &[&str]) -> Result<(), Fault> {
    refuse(call, |name| members.contains(&name))
}

fn refuse(call: &Call<'_>, is_refused: impl Fn(&str) -> bool) -> Result<(), Fault> {
    match call
        .input
        .iter()
        .find(|(name, value)| is_refused(name) && !is_empty(value))
    {
        None => Ok(()),
        Some((name, _)) => Err(Fault::new(
            "UnsupportedOperation",
            format!(
                "not in the sandbox: the parameter {name} of {}:{}",
                call.service, call.operation
            ),
        )),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_continues_where_the_last_one_ended_whatever_was_deleted() {
        let of = |items: &[&str], token: &str| {
            let items = items.iter().map(|item| (*item).to_owned()).collect();
            page(items, String::clone, token, 2, || Fault::new("InvalidNextToken", "")).unwrap()
        };
        let first = of(&["c", "a", "b", "d"], "");
        assert_eq!(first.items, ["a", "b"]);
        let second = of(&["a", "c", "d"], &first.next.unwrap());
        assert_eq!(second.items, ["c", "d"]);
        assert_eq!(second.next, None);
    }

    #[test]
    fn a_foreign_token_is_refused() {
        let fault = page(vec!["a".to_owned()], String::clone, "!", 2, || {
            Fault::new("InvalidNextToken", "")
        });
        assert_eq!(fault.err().unwrap().code, "InvalidNextToken");
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        assert_eq!(
            answer(json!({ "a": null, "b": [{ "c": null, "d": 1 }] })).unwrap(),
            json!({ "b": [{ "d": 1 }] })
        );
    }
}
