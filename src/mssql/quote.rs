//! Names and texts as parts of a statement, for the few statements that take no parameter.

/// `[name]`, as `QUOTENAME` makes it.
pub fn name(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// `N'text'`
pub fn text(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mssql::lexer::lex;

    proptest::proptest! {
        #[test]
        fn what_is_quoted_is_one_token_and_comes_back(content in "[^\\u{0}]*") {
            for quoted in [name(&content), text(&content)] {
                let tokens: Vec<_> = lex(&quoted).collect();
                proptest::prop_assert_eq!(tokens.len(), 1);
                proptest::prop_assert_eq!(tokens[0].value(), content.as_str());
            }
        }
    }
}
