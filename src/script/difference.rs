//! Two values side by side: whether they are the same, and where they differ.

use crate::value::{Part, Text, Value};

/// How many lines that are the same are shown around those that differ.
const AROUND: usize = 2;

/// The most lines that are compared one by one: the comparison takes the product of both.
const MOST_LINES: usize = 2000;

/// Whether two values, in which nothing is unknown, are the same. Secrets are compared by what they are, whole numbers and
/// others by their size, and maps without the order of their keys.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => exposed(left) == exposed(right),
        (Value::Int(left), Value::Float(right)) | (Value::Float(right), Value::Int(left)) => *left as f64 == *right,
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        (Value::Object(left), Value::Object(right)) => match (left.promise(), right.promise()) {
            (Some(left), Some(right)) => left.same(right) || left.resource() == right.resource(),
            _ => left.show().to_json() == right.show().to_json(),
        },
        _ => left.type_name() == right.type_name() && left.to_json() == right.to_json(),
    }
}

/// The characters, a secret's too: for comparing only.
pub fn exposed(text: &Text) -> String {
    let mut found = String::new();
    for part in &text.0 {
        match part {
            Part::Plain(plain) => found.push_str(plain),
            Part::Secret(secret) => found.push_str(secret.expose()),
            // Nothing is unknown in what is compared.
            unknown => found.push_str(&Text(vec![unknown.clone()]).to_string()),
        }
    }
    found
}

/// A value on one line, text in quotes, secrets masked.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "()".into(),
        other => other.to_json().to_string(),
    }
}

/// Both sides, for people: values of one line one below the other, larger ones as lines with `-` for what only the left
/// side has and `+` for what only the right one has.
pub fn tell(left: &Value, right: &Value) -> Vec<String> {
    let (one, other) = (shown(left), shown(right));
    if one == other {
        return vec![
            format!("both: {one}"),
            "they differ in a secret, which is not shown, or in their types".into(),
        ];
    }
    let is_large = |value: &Value| match value {
        Value::List(list) => !list.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Text(text) => text.to_string().contains('\n'),
        _ => false,
    };
    if !is_large(left) || !is_large(right) {
        return vec![format!("left:  {one}"), format!("right: {other}")];
    }
    vec![format!("- left, + right\n{}", lines(left, right))]
}

fn lines(left: &Value, right: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Text(text) => text.to_string(),
        // A document always has a text.
        other => serde_json::to_string_pretty(&sorted(other.to_json())).unwrap_or_default(),
    };
    let (left, right) = (text(left), text(right));
    let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
    let marked = marked(&left, &right);
    let is_near = |at: usize| {
        let range = at.saturating_sub(AROUND)..(at + AROUND + 1).min(marked.len());
        marked[range].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut told = Vec::new();
    let mut left_out = false;
    for (at, (mark, line)) in marked.iter().enumerate() {
        match is_near(at) {
            true => told.push(format!("{mark} {line}")),
            false if !left_out => told.push("  ...".into()),
            false => {}
        }
        left_out = !is_near(at);
    }
    told.join("\n")
}

/// Keys in order: which one was written first is no difference.
fn sorted(json: serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            serde_json::Value::Object(entries.into_iter().collect())
        }
        serde_json::Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// The lines of both, each marked with where it is from. What both have is found by the longest common subsequence.
fn marked<'a>(left: &[&'a str], right: &[&'a str]) -> Vec<(char, &'a str)> {
    if left.len() > MOST_LINES || right.len() > MOST_LINES {
        let from = |mark: char, lines: &[&'a str]| lines.iter().map(|line| (mark, *line)).collect::<Vec<_>>();
        return [from('-', left), from('+', right)].concat();
    }
    // `common[i][j]`: how many lines the rests from i and j on have in common.
    let mut common = vec![vec![0_u16; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = match left[i] == right[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut marked = Vec::with_capacity(left.len().max(right.len()));
    while i < left.len() || j < right.len() {
        let next = match (left.get(i), right.get(j)) {
            (Some(one), Some(other)) if one == other => {
                (i, j) = (i + 1, j + 1);
                (' ', *one)
            }
            (Some(one), other) if other.is_none() || common[i + 1][j] >= common[i][j + 1] => {
                i += 1;
                ('-', *one)
            }
            (_, Some(other)) => {
                j += 1;
                ('+', *other)
            }
            _ => break,
        };
        marked.push(next);
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::secret::Secret;

    #[test]
    fn the_same_is_the_same_whatever_its_order_and_a_secret_is_looked_into() {
        let one = Value::Map(map! { "a" => 1_i64, "b" => Secret::new("swordfish") });
        let other = Value::Map(map! { "b" => Secret::new("swordfish"), "a" => 1.0 });
        assert!(same(&one, &other));
        let strange = Value::Map(map! { "a" => 1_i64, "b" => Secret::new("halibut1") });
        assert!(!same(&one, &strange));
        let told = tell(&one, &strange).join("\n");
        assert!(
            told.contains("********") && told.contains("which is not shown"),
            "{told}"
        );
        assert!(!same(&Value::text("1"), &Value::Int(1)));
    }

    #[test]
    fn small_values_stand_below_each_other_and_large_ones_show_what_differs() {
        assert_eq!(tell(&Value::text("a"), &Value::Int(3)), ["left:  \"a\"", "right: 3"]);
        let row =
            |size: i64| Value::Map(map! { "a" => 1_i64, "b" => 2_i64, "c" => 3_i64, "d" => 4_i64, "size" => size });
        assert_eq!(
            tell(&row(5), &row(6)),
            [
                "- left, + right\n  ...\n  \"c\": 3,\n    \"d\": 4,\n-   \"size\": 5\n+   \"size\": 6\n  }"
                    .replace("  \"c\": 3", "    \"c\": 3")
            ]
        );
    }

    #[test]
    fn what_is_added_and_what_is_gone_is_marked() {
        assert_eq!(
            marked(&["a", "b", "c"], &["a", "c", "d"]),
            [(' ', "a"), ('-', "b"), (' ', "c"), ('+', "d")]
        );
    }
}
