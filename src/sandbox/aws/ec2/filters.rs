//! What every listing of EC2 has in common: ids that must exist, filters, and pages.
//!
//! Source: EC2 API reference, "Filter" (values of one filter are joined with OR, filters with AND; `*` and `?` are
//! wildcards), "Pagination".

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::call::{Answer, Call, Fault};
use super::super::page;
use super::super::store::Order;

/// How one kind is listed.
pub struct Listing {
    /// The member of the answer that holds the list.
    pub answer: &'static str,
    /// The member of the request that holds ids.
    pub ids: &'static str,
    /// The member of an item that is its id.
    pub id: &'static str,
    /// The code and text when an id does not exist; `{}` stands for the id.
    pub missing: (&'static str, &'static str),
    /// Names of filters, and the path of what they compare in an item. `tag:KEY` and `tag-key` come by themselves.
    pub filters: &'static [(&'static str, &'static str)],
}

/// Answers a listing from all items of the kind, rendered as the answer has them.
pub fn list(call: &Call<'_>, items: Vec<Value>, listing: &Listing) -> Answer {
    let ids = call.texts(listing.ids);
    let id = |item: &Value| {
        item.get(listing.id)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    if let Some(missing) = ids.iter().find(|wanted| !items.iter().any(|item| id(item) == **wanted)) {
        let (code, text) = listing.missing;
        return Err(Fault::new(code, text.replace("{}", missing)));
    }
    let filters = Filters::read(call, listing)?;
    let mut found: Vec<Value> = items
        .into_iter()
        .filter(|item| (ids.is_empty() || ids.contains(&id(item))) && filters.accept(item))
        .collect();
    let limit = call.int("MaxResults");
    let token = call.text("NextToken");
    let mut answer = Map::new();
    if limit.is_some() || !token.is_empty() {
        if !ids.is_empty() && limit.is_some() {
            return Err(ids_and_pages());
        }
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1000);
        let (page, next) = page::cut(found, limit, token, id).map_err(|_| bad_token(token))?;
        found = page;
        answer.extend(next.map(|next| ("NextToken".to_owned(), Value::String(next))));
    }
    answer.insert(listing.answer.to_owned(), Value::Array(found));
    Ok(Value::Object(answer))
}

/// Answers a listing from the state, without reading more of it than the answer needs: the ids that are asked for, or
/// one page. `shown` gives `None` for what is kept and not listed any more. `parent` is where an item names the parent
/// under which its kind is kept, when it does: a filter by that reads only what is below.
pub fn kept<T: DeserializeOwned>(
    call: &Call<'_>,
    kind: &str,
    parent: &str,
    listing: &Listing,
    shown: impl Fn(&T) -> Result<Option<Value>, Fault>,
) -> Answer {
    let filters = Filters::read(call, listing)?;
    let (ids, limit, token) = (call.texts(listing.ids), call.int("MaxResults"), call.text("NextToken"));
    let mut found = Vec::new();
    let mut answer = Map::new();
    if ids.is_empty() {
        let order = filters.one(parent).map_or(Order::Made, Order::MadeBelow);
        let limit = match (limit, token) {
            (None, "") => usize::MAX,
            (limit, _) => limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1000),
        };
        let keep = |item: &T| {
            let item = shown(item)?.filter(|item| filters.accept(item));
            let taken = item.is_some();
            found.extend(item);
            Ok(taken)
        };
        let (page, next) = page::read_page(call.store, kind, order, (limit, token), keep, || bad_token(token))?;
        // What comes behind the page was looked at too.
        found.truncate(page.len());
        answer.extend(next.map(|next| ("NextToken".to_owned(), Value::String(next))));
    } else {
        if limit.is_some() {
            return Err(ids_and_pages());
        }
        for (place, id) in ids.iter().enumerate() {
            let item = call
                .store
                .get::<T>(kind, id)?
                .map(|item| shown(&item))
                .transpose()?
                .flatten();
            let (code, text) = listing.missing;
            let item = item.ok_or_else(|| Fault::new(code, text.replace("{}", id)))?;
            if filters.accept(&item) && !ids[..place].contains(id) {
                found.push(item);
            }
        }
    }
    answer.insert(listing.answer.to_owned(), Value::Array(found));
    Ok(Value::Object(answer))
}

fn ids_and_pages() -> Fault {
    Fault::new(
        "InvalidParameterCombination",
        "The parameter maxResults cannot be used with a list of ids",
    )
}

fn bad_token(token: &str) -> Fault {
    Fault::new(
        "InvalidParameterValue",
        format!("Invalid value '{token}' for nextToken."),
    )
}

struct Filters(Vec<(Target, Vec<String>)>);

enum Target {
    Tag(String),
    TagKey,
    Path(&'static str),
}

impl Filters {
    fn read(call: &Call<'_>, listing: &Listing) -> Result<Self, Fault> {
        // DescribeNatGateways calls its filters `Filter`.
        let given = call.list("Filters").iter().chain(call.list("Filter"));
        let read = given.enumerate().map(|(index, filter)| {
            let name = filter.get("Name").and_then(Value::as_str).unwrap_or_default();
            let values: Vec<String> = filter
                .get("Values")
                .and_then(Value::as_array)
                .map(|values| values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default();
            if values.is_empty() {
                let text = format!("The request must contain the parameter Filter.{}.Value", index + 1);
                return Err(Fault::new("MissingParameter", text));
            }
            let target = match name.strip_prefix("tag:") {
                Some(key) => Target::Tag(key.to_owned()),
                None if name == "tag-key" => Target::TagKey,
                None => listing
                    .filters
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, path)| Target::Path(path))
                    .ok_or_else(|| Fault::new("InvalidParameterValue", format!("The filter '{name}' is invalid")))?,
            };
            Ok((target, values))
        });
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// The one value that a filter wants at a path, when there is just one without wildcards.
    fn one(&self, path: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|(target, values)| match (target, values.as_slice()) {
                (Target::Path(wanted), [value])
                    if *wanted == path && !path.is_empty() && !value.contains(['*', '?', '\\']) =>
                {
                    Some(value.as_str())
                }
                _ => None,
            })
    }

    fn accept(&self, item: &Value) -> bool {
        self.0.iter().all(|(target, patterns)| {
            let mut values = Vec::new();
            match target {
                Target::Path(path) => at(item, path, &mut values),
                Target::TagKey => at(item, "Tags.Key", &mut values),
                Target::Tag(key) => {
                    let tags = item
                        .get("Tags")
                        .and_then(Value::as_array)
                        .map(Vec::as_slice)
                        .unwrap_or_default();
                    values.extend(
                        tags.iter()
                            .filter(|tag| tag.get("Key").and_then(Value::as_str) == Some(key))
                            .filter_map(|tag| tag.get("Value").and_then(Value::as_str).map(str::to_owned)),
                    );
                }
            }
            values
                .iter()
                .any(|value| patterns.iter().any(|pattern| matches(pattern, value)))
        })
    }
}

/// Collects what stands at a path; lists on the way are walked.
fn at(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| at(item, path, found)),
        Value::Object(members) if !path.is_empty() => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(member) = members.get(first) {
                at(member, rest, found);
            }
        }
        Value::String(text) if path.is_empty() => found.push(text.clone()),
        Value::Bool(_) | Value::Number(_) if path.is_empty() => found.push(value.to_string()),
        _ => {}
    }
}

/// Whether a text matches a pattern with `*` (any characters) and `?` (one character); `\` takes their meaning away.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let (literal, width) = match pattern.get(p) {
            Some('\\') => (pattern.get(p + 1), 2),
            other => (other, 1),
        };
        match literal {
            Some('*') if width == 1 => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some('?') if width == 1 => (p, t) = (p + 1, t + 1),
            Some(c) if Some(c) == text.get(t) => (p, t) = (p + width, t + 1),
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_are_wildcards() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            (r"a\*c", "a*c", true),
            (r"a\*c", "abc", false),
            ("*b*d*", "abcde", true),
            ("", "a", false),
            ("Prod", "prod", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_is_safe_and_a_star_takes_everything(pattern in ".{0,12}", text in ".{0,12}") {
            matches(&pattern, &text);
            proptest::prop_assert!(matches("*", &text));
        }
    }
}
