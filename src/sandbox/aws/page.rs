//! Cutting a listing into pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;

use super::call::Fault;
use super::store::{Order, Store};

/// A token that this sandbox did not give. Each service has its own code for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadToken;

/// The items of one page, and the token of the next one when there is more. `token` is empty for the first page. It
/// names the last item of the page before, and its place for the case that it was deleted meanwhile; so what is added
/// or deleted between two pages neither doubles nor skips another item, as far as that is possible.
pub fn cut<T>(
    items: Vec<T>,
    limit: usize,
    token: &str,
    key: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), BadToken> {
    let start = match token {
        "" => 0,
        token => {
            let (place, last) = read(token).ok_or(BadToken)?;
            items
                .iter()
                .position(|item| key(item) == last)
                .map_or(place.saturating_sub(1), |found| found + 1)
        }
    };
    let total = items.len();
    let page: Vec<T> = items.into_iter().skip(start).take(limit.max(1)).collect();
    let end = start.saturating_add(page.len());
    let next = page
        .last()
        .filter(|_| end < total)
        .map(|last| URL_SAFE_NO_PAD.encode(format!("{end}:{}", key(last))));
    Ok((page, next))
}

/// What a token of [`read_page`] begins with; those of [`cut`] begin with a digit.
const BEHIND: char = '>';

/// One page of the documents that `keep` takes, read from the state without those of other pages: a page costs what is
/// on it, and what `keep` leaves out on the way. The token names the last document of the page before in a way that
/// holds also when that one is deleted meanwhile.
///
/// # Errors
/// `invalid`, when the token is none of ours; what `keep` fails with.
pub fn read_page<T: DeserializeOwned>(
    store: &Store<'_>,
    kind: &str,
    order: Order<'_>,
    (limit, token): (usize, &str),
    mut keep: impl FnMut(&T) -> Result<bool, Fault>,
    invalid: impl FnOnce() -> Fault,
) -> Result<(Vec<T>, Option<String>), Fault> {
    let limit = limit.max(1);
    let mut after = match token {
        "" => String::new(),
        token => match behind(token) {
            Some(key) => key,
            None => return Err(invalid()),
        },
    };
    let mut page: Vec<T> = Vec::new();
    let mut last = String::new();
    // One more than asked for, to know whether there is another page.
    let batch = limit.saturating_add(1).min(1000);
    loop {
        let Some(found) = store.next::<T>(kind, order, &after, batch)? else {
            return Err(invalid());
        };
        let end = found.len() < batch;
        for (key, item) in found {
            if keep(&item)? {
                if page.len() == limit {
                    return Ok((page, Some(URL_SAFE_NO_PAD.encode(format!("{BEHIND}{last}")))));
                }
                last.clone_from(&key);
                page.push(item);
            }
            after = key;
        }
        if end {
            return Ok((page, None));
        }
    }
}

fn behind(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix(BEHIND)
        .filter(|key| !key.is_empty())
        .map(str::to_owned)
}

fn read(token: &str) -> Option<(usize, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (place, last) = text.split_once(':')?;
    Some((place.parse().ok()?, last.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(items: &[u32], limit: usize) -> Vec<Vec<u32>> {
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let (page, next) = cut(items.to_vec(), limit, &token, u32::to_string).unwrap();
            pages.push(page);
            match next {
                Some(next) => token = next,
                None => return pages,
            }
        }
    }

    #[test]
    fn pages_follow_each_other_and_end() {
        assert_eq!(pages(&[1, 2, 3, 4, 5], 2), [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(pages(&[1, 2], 2), [vec![1, 2]]);
        assert_eq!(pages(&[], 2), [Vec::<u32>::new()]);
    }

    #[test]
    fn a_deleted_item_skips_no_other() {
        let (_, next) = cut(vec![1, 2, 3, 4], 2, "", u32::to_string).unwrap();
        assert_eq!(cut(vec![1, 3, 4], 2, &next.unwrap(), u32::to_string).unwrap().0, [3, 4]);
    }

    #[test]
    fn a_foreign_token_is_refused() {
        assert_eq!(cut(vec![1], 1, "nonsense", u32::to_string), Err(BadToken));
    }

    proptest::proptest! {
        #[test]
        fn pages_put_together_are_the_list(count in 0_u32..40, limit in 0_usize..9) {
            let items: Vec<u32> = (0..count).collect();
            proptest::prop_assert_eq!(pages(&items, limit).concat(), items);
        }
    }
}
