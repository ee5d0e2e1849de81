//! The command line as the journal keeps it: without what may be a secret.

/// Names behind which a value is not kept.
const SECRET: [&str; 7] = ["password", "passwd", "secret", "token", "credential", "key", "pin"];

fn is_secret(name: &str) -> bool {
    // `--purge-secrets` has no value.
    if super::is_option(name) {
        return false;
    }
    let name = name.to_lowercase();
    let mut parts = name.split(['-', '_', '.']);
    parts.any(|part| SECRET.contains(&part) || SECRET.contains(&part.trim_end_matches('s')))
}

/// `iacsh scripts/recreate.rhai --env staging`. The value of a parameter whose name speaks of a secret is masked, and so
/// are texts in an expression that does; values that are known to be secret are masked by the journal.
pub(super) fn kept(args: &[String]) -> String {
    let mut words = vec!["iacsh".to_owned()];
    // What the last option was, when its value is still to come.
    let mut before = String::new();
    for arg in args {
        let last = std::mem::take(&mut before);
        let word = match arg.strip_prefix("--") {
            _ if last == "-c" => expression(arg),
            Some(option) => match option.split_once('=') {
                Some((name, _)) if is_secret(name) => format!("--{name}=********"),
                Some(_) => arg.clone(),
                None => {
                    before = option.to_owned();
                    arg.clone()
                }
            },
            None if is_secret(&last) => "********".to_owned(),
            None => {
                // Also at the end of `-vc`.
                if arg.starts_with('-') && arg.ends_with('c') {
                    before = "-c".to_owned();
                }
                arg.clone()
            }
        };
        words.push(quoted(&word));
    }
    words.join(" ")
}

/// An expression that speaks of a secret, without its texts.
fn expression(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let speaks = words.flat_map(|word| word.split('_')).any(is_secret);
    if !speaks {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match quote {
            None => {
                kept.push(c);
                if matches!(c, '"' | '`' | '\'') {
                    kept.push_str("********");
                    quote = Some(c);
                }
            }
            Some(open) if c == open => {
                kept.push(c);
                quote = None;
            }
            Some(_) => {
                if c == '\\' {
                    chars.next();
                }
            }
        }
    }
    kept
}

/// As a shell would take it again.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+*".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_kept_without_secrets() {
        for (line, expected) in [
            (
                &["scripts/recreate.rhai", "--env", "staging"][..],
                "iacsh scripts/recreate.rhai --env staging",
            ),
            (
                &["x.rhai", "--db-password", "swordfish", "--count", "3"],
                "iacsh x.rhai --db-password ******** --count 3",
            ),
            (&["x.rhai", "--token=abc"], "iacsh x.rhai --token=********"),
            (&["x.rhai", "--api-keys", "a b"], "iacsh x.rhai --api-keys ********"),
            (&["-c", "ecs::scale(\"web\", 3)"], "iacsh -c 'ecs::scale(\"web\", 3)'"),
            (
                &[
                    "-c",
                    "secrets::ensure_secret(#{ name: \"a\\\"b\", value: `sword${x}fish` })",
                ],
                "iacsh -c 'secrets::ensure_secret(#{ name: \"********\", value: `********` })'",
            ),
            (&["-c", "monkey(\"turkey\")"], "iacsh -c 'monkey(\"turkey\")'"),
            (&["-vc", "secret(\"x\")"], "iacsh -vc 'secret(\"********\")'"),
            (&["--purge-secrets", "destroy"], "iacsh --purge-secrets destroy"),
            (&[], "iacsh"),
        ] {
            let args: Vec<_> = line.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(kept(&args), expected);
        }
    }
}
