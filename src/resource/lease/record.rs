//! What a lease says.

use serde::{Deserialize, Serialize};

use super::holder::Holder;
use crate::error::{Error, Result};

/// What the store takes. Source: SSM API Reference, PutParameter: a standard parameter holds 4 KB.
pub const LONGEST: usize = 4096;

/// Whether somebody has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Held,
    Free,
}

/// The JSON of a lease. It is flat: Parameter Store takes no value with double braces in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub state: State,
    /// Who has it, or had it last.
    #[serde(flatten)]
    pub holder: Holder,
    /// When it was taken, by the service's clock.
    pub since: String,
    /// From which client tokens are derived. A run that ended cleanly leaves none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// What may have been created without anybody having heard of it, as `KIND/NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intents: Vec<String>,
}

impl Record {
    pub fn is_held(&self) -> bool {
        self.state == State::Held
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Error::failed(format!("the lease cannot be read: {error}"))
                .note(text.chars().take(200).collect::<String>())
                .hint("a newer iacsh may have written it; without one, delete the parameter by hand")
        })
    }

    /// How many of these labels fit in, beside what the record says already.
    pub fn fitting(&self, labels: &[String]) -> usize {
        let mut length = self.text().len() + r#","intents":[]"#.len();
        labels
            .iter()
            .take_while(|label| {
                length += serde_json::to_string(label).map_or(LONGEST, |text| text.len()) + 1;
                length <= LONGEST
            })
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            state: State::Held,
            holder: Holder::here("anna", "run-1"),
            since: "2026-01-31T12:00:00Z".into(),
            seed: Some("0a1b".into()),
            intents: vec!["vpc/main".into(), "subnet/a".into()],
        }
    }

    #[test]
    fn a_record_is_read_back_and_has_no_double_braces() {
        let record = record();
        let text = record.text();
        assert_eq!(Record::read(&text).unwrap(), record);
        assert!(!text.contains("{{") && !text.contains("}}"), "{text}");
        let error = Record::read("nonsense").unwrap_err();
        assert!(error.message().contains("cannot be read"), "{error}");
    }

    #[test]
    fn what_fits_is_no_longer_than_the_store_takes() {
        let mut record = record();
        record.intents.clear();
        let labels: Vec<_> = (0..500).map(|number| format!("subnet/a-long-name-{number}")).collect();
        let count = record.fitting(&labels);
        assert!((50..500).contains(&count), "{count}");
        record.intents = labels[..count].to_vec();
        assert!(record.text().len() <= LONGEST);
        record.intents = labels[..=count].to_vec();
        assert!(record.text().len() > LONGEST);
    }
}
