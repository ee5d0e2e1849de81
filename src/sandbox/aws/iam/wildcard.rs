//! The wildcards of policies: `*` for any characters, `?` for one.
//!
//! Source: IAM user guide, *IAM JSON policy elements: Resource*, "Using wildcards in resource ARNs".

/// Whether a text matches a pattern. Letters count as they are written.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star does not fit: the star takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(t) => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

/// As [`matches`], whatever the case: for actions.
pub fn matches_any_case(pattern: &str, text: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*", "", true),
            (
                "arn:aws:ssm:*:*:parameter/shop/*",
                "arn:aws:ssm:r:1:parameter/shop/a/b",
                true,
            ),
            ("arn:aws:ssm:*:parameter/shop", "arn:aws:ssm:r:1:parameter/shops", false),
            ("secret:db-??????", "secret:db-AbCdEf", true),
            ("secret:db-??????", "secret:db-AbCdE", false),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(matches_any_case("SSM:Get*", "ssm:GetParameters"));
    }
}
