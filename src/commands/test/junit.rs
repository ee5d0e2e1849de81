//! The results as JUnit's XML, which build servers read.
//!
//! There is no standard of it; the elements and attributes are those that Jenkins, GitLab and GitHub's readers have in
//! common. Source: "JUnit XML file format", testmoapp/junitxml on GitHub, and the schema of the Jenkins xUnit plugin
//! (`junit-10.xsd`).

use std::path::Path;
use std::time::Duration;

use quick_xml::escape::escape;

use super::report::{Ran, Report, Verdict};
use crate::error::{Error, Result};
use crate::output::error::render;
use crate::secret::mask;

/// Columns of an error's text, where lines are shown.
const WIDTH: usize = 120;

/// Whether a file can be written there; it is empty afterwards.
pub fn check(path: &Path) -> Result<()> {
    put(path, "")
}

pub fn write(path: &Path, report: &Report) -> Result<()> {
    put(path, &document(report))
}

fn put(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))
}

/// One `testsuite` for each file, in the order of the tests.
fn document(report: &Report) -> String {
    let all: Vec<_> = report.ran.iter().collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str(&format!("<testsuites name=\"iacsh\" {}>\n", counts(&all, report.took)));
    let at = report.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    for suite in all.chunk_by(|one, other| one.file == other.file) {
        let took = suite.iter().map(|ran| ran.took).sum();
        let file = attribute(&suite[0].file);
        xml.push_str(&format!(
            "  <testsuite name=\"{file}\" timestamp=\"{at}\" {}>\n",
            counts(suite, took)
        ));
        suite.iter().for_each(|ran| xml.push_str(&case(ran)));
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// A failed assertion and any other error look the same to a script, so both are failures.
fn counts(ran: &[&Ran], took: Duration) -> String {
    let count = |verdict: fn(&Verdict) -> bool| ran.iter().filter(|ran| verdict(&ran.verdict)).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3}\"",
        ran.len(),
        count(|verdict| matches!(verdict, Verdict::Failed(_))),
        count(|verdict| matches!(verdict, Verdict::NotRun)),
        took.as_secs_f64()
    )
}

fn case(ran: &Ran) -> String {
    let file = attribute(&ran.file);
    let mut xml = format!(
        "    <testcase name=\"{}\" classname=\"{file}\" file=\"{file}\" line=\"{}\" time=\"{:.3}\">\n",
        attribute(&ran.name),
        ran.line,
        ran.took.as_secs_f64()
    );
    match &ran.verdict {
        Verdict::Passed => {}
        Verdict::NotRun => xml.push_str("      <skipped message=\"interrupted\"/>\n"),
        Verdict::Failed(error) => {
            let told = anstream::adapter::strip_str(&render(error, WIDTH)).to_string();
            xml.push_str(&format!(
                "      <failure message=\"{}\" type=\"error\">{}</failure>\n",
                attribute(&error.to_string()),
                text(&told)
            ));
        }
    }
    if !ran.output.is_empty() {
        xml.push_str(&format!("      <system-out>{}</system-out>\n", text(&ran.output)));
    }
    xml.push_str("    </testcase>\n");
    xml
}

/// Text between tags. XML 1.0 has no place for most control characters, not even as references (section 2.2, `Char`).
fn text(raw: &str) -> String {
    let allowed = |char: &char| matches!(char, '\t' | '\n' | '\r') || (!char.is_control() && !is_no_character(*char));
    let clean: String = mask(raw).chars().filter(allowed).collect();
    escape(clean).into_owned()
}

fn is_no_character(char: char) -> bool {
    matches!(char, '\u{FFFE}' | '\u{FFFF}')
}

/// Text in an attribute: line ends would be read as spaces (section 3.3.3).
fn attribute(raw: &str) -> String {
    text(raw)
        .replace('\n', "&#10;")
        .replace('\r', "&#13;")
        .replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn ran(name: &str, verdict: Verdict, output: &str) -> Ran {
        Ran {
            file: "tests/a<b>.rhai".into(),
            name: name.into(),
            line: 7,
            verdict,
            output: output.into(),
            took: Duration::from_millis(1500),
            simulated: Duration::ZERO,
        }
    }

    /// Read again with another reader than the one who wrote it: every text is what it was, but for what XML cannot hold.
    #[test]
    fn whatever_is_in_it_the_document_is_xml() {
        let nasty = "a \"quote\" & <tag> ]]> \u{1}\u{FFFF}é\nnext";
        let report = Report {
            ran: vec![
                ran("test_one", Verdict::Passed, nasty),
                ran("test_two", Verdict::Failed(Error::failed(nasty)), ""),
                ran("test_three", Verdict::NotRun, ""),
            ],
            took: Duration::from_secs(2),
            at: Timestamp::UNIX_EPOCH,
        };
        let xml = document(&report);
        let mut reader = quick_xml::Reader::from_str(&xml);
        let (mut texts, mut messages, mut tags) = (Vec::new(), Vec::new(), Vec::new());
        let mut text = String::new();
        loop {
            use quick_xml::events::Event;
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(tag) | Event::Empty(tag) => {
                    tags.push(tag.name().as_ref().to_owned());
                    for attribute in tag.attributes() {
                        let attribute = attribute.unwrap();
                        if attribute.key.as_ref() == "message" {
                            messages.push(quick_xml::escape::unescape(&attribute.value).unwrap().into_owned());
                        }
                    }
                    text.clear();
                }
                Event::Text(part) => text.push_str(&part),
                Event::GeneralRef(name) => {
                    text.push_str(&quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap());
                }
                Event::End(_) => texts.push(std::mem::take(&mut text)),
                _ => {}
            }
        }
        let kept = "a \"quote\" & <tag> ]]> é\nnext";
        assert!(texts.iter().any(|text| text == kept), "{texts:?}");
        assert_eq!(messages, [kept, "interrupted"]);
        assert_eq!(tags.iter().filter(|tag| *tag == "testcase").count(), 3);
        assert!(
            xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"2.000\""),
            "{xml}"
        );
    }
}
