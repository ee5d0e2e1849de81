//! `--json`: one document on standard output.

use crate::value::Value;

/// The value as indented JSON, secrets masked.
pub fn document(value: &Value) -> String {
    pretty(&value.to_json())
}

/// Any JSON, indented by two spaces.
pub fn pretty(json: &serde_json::Value) -> String {
    // `{:#}` of serde_json's own value cannot fail.
    format!("{json:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map;
    use crate::secret::Secret;

    #[test]
    fn a_document_keeps_the_order_and_hides_secrets() {
        let value = Value::Map(
            map! { "user" => "sa", "password" => Secret::new("swordfish"), "ports" => vec![Value::Int(1433)] },
        );
        assert_eq!(
            document(&value),
            "{\n  \"user\": \"sa\",\n  \"password\": \"********\",\n  \"ports\": [\n    1433\n  ]\n}"
        );
    }
}
