//! An error as a person reads it: what, where, what the service said, and what to do next.

use std::any::Any;

use unicode_width::UnicodeWidthStr;

use super::{paint, plain, style};
use crate::error::{Error, Location};
use crate::secret::mask;

/// Where a line is cut, when there is no room for anything.
const NARROWEST: usize = 20;

/// The error with colour codes, with all others that the same run met. It ends without a line end.
pub fn render(error: &Error, width: usize) -> String {
    let mut blocks = vec![one(error, width)];
    let mut rest: Vec<_> = error.others().iter().collect();
    rest.reverse();
    while let Some(error) = rest.pop() {
        blocks.push(one(error, width));
        rest.extend(error.others().iter().rev());
    }
    let count = blocks.len();
    if count > 1 {
        blocks.push(paint(style::STRONG, format!("{count} errors")));
    }
    blocks.join("\n\n")
}

/// What a panic becomes: it is a mistake of iacsh, told like any other error.
pub fn of_panic(panic: &(dyn Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it did not say why");
    Error::failed(format!("a mistake in iacsh itself: {said}")).hint("please report it")
}

/// The error for a program that reads JSON.
pub fn to_json(error: &Error) -> serde_json::Value {
    let place = |location: &Location| serde_json::json!({ "file": location.file, "line": location.line, "column": location.column });
    let text = |text: &str| serde_json::Value::from(mask(text).into_owned());
    let mut json = serde_json::json!({ "error": text(error.message()), "exit": error.exit() as u8 });
    if let Some(location) = error.location() {
        json["at"] = place(location);
    }
    if !error.calls().is_empty() {
        let calls = error.calls().iter();
        json["calls"] = calls
            .map(|(function, from)| serde_json::json!({ "function": function, "from": place(from) }))
            .collect();
    }
    if let Some(service) = error.service_error() {
        json["service"] = serde_json::json!({
            "call": service.call,
            "code": service.code,
            "message": text(&service.message),
            "request_id": service.request_id,
        });
    }
    if !error.notes().is_empty() {
        json["notes"] = error.notes().iter().map(|note| text(note)).collect();
    }
    if let Some(help) = error.help() {
        json["help"] = text(help);
    }
    if !error.others().is_empty() {
        json["others"] = error.others().iter().map(to_json).collect();
    }
    json
}

fn one(error: &Error, width: usize) -> String {
    let mut lines = vec![format!(
        "{} {}",
        paint(style::ERROR, "error:"),
        paint(style::STRONG, plain(error.message()))
    )];
    // The gutter is as wide as the line's number.
    let gutter = error.location().map_or(1, |at| at.line.to_string().len());
    let margin = " ".repeat(gutter);
    if let Some(at) = error.location() {
        lines.push(format!(
            "{margin}{} {}",
            paint(style::PLACE, "-->"),
            plain(&at.to_string())
        ));
        lines.extend(source(at, gutter, width));
    }
    let mut fact = |name: &str, text: &str| {
        let mut parts = text.lines();
        let first = parts.next().unwrap_or_default();
        lines.push(format!("{margin} {} {name}{first}", paint(style::PLACE, "=")));
        lines.extend(parts.map(|line| format!("{margin}   {line}")));
    };
    for (function, from) in error.calls() {
        fact("", &plain(&format!("in `{function}`, called from {from}")));
    }
    if let Some(service) = error.service_error() {
        let said = match error.message().contains(&service.message) {
            true => format!("{} answered {}", service.call, service.code),
            false => format!("{} answered {}: {}", service.call, service.code, service.message),
        };
        fact("", &plain(&said));
        if let Some(id) = &service.request_id {
            fact("request id: ", &plain(id));
        }
    }
    for note in error.notes() {
        fact("note: ", &plain(note));
    }
    if let Some(help) = error.help() {
        lines.push(format!("{} {}", paint(style::HELP, "help:"), plain(help)));
    }
    lines.join("\n")
}

/// The line of the file with a caret below the column, cut so that the caret is seen in a narrow terminal.
fn source(at: &Location, gutter: usize, width: usize) -> Vec<String> {
    let Some(text) = &at.text else { return Vec::new() };
    let bar = paint(style::PLACE, "|");
    let margin = " ".repeat(gutter);
    let number = paint(style::PLACE, at.line);
    let room = width.saturating_sub(gutter + 4).max(NARROWEST);
    let chars: Vec<char> = plain(text)
        .chars()
        .map(|char| if char == '\t' { ' ' } else { char })
        .collect();
    let caret = at.column.saturating_sub(1).min(chars.len());
    let text: String = chars.iter().collect();
    let (shown, before) = if text.width() <= room {
        (text, chars.iter().take(caret).collect::<String>())
    } else {
        // A window around the caret. Every character counts as two columns: none is wider.
        let half = (room.saturating_sub(6) / 2).max(1);
        let start = caret.saturating_sub(half / 2);
        let left = if start > 0 { "..." } else { "" };
        let window: String = chars.iter().skip(start).take(half).collect();
        let right = if start + half < chars.len() { "..." } else { "" };
        let before: String = chars.iter().skip(start).take(caret - start).collect();
        (format!("{left}{window}{right}"), format!("{left}{before}"))
    };
    let mut lines = vec![format!("{margin} {bar}"), format!("{number} {bar} {shown}")];
    if at.column > 0 {
        let indent = " ".repeat(before.width());
        lines.push(format!("{margin} {bar} {indent}{}", paint(style::ERROR, "^")));
    }
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ServiceError;
    use proptest::prelude::*;

    fn seen(error: &Error, width: usize) -> String {
        anstream::adapter::strip_str(&render(error, width)).to_string()
    }

    fn place(file: &str, line: usize, column: usize, text: Option<&str>) -> Location {
        Location {
            file: file.into(),
            line,
            column,
            text: text.map(str::to_owned),
        }
    }

    #[test]
    fn an_error_says_what_where_why_and_what_next() {
        let error = Error::failed("vpc/main: cannot be created")
            .at(place(
                "stdlib/network.rhai",
                12,
                15,
                Some("    let vpc = ec2::ensure_vpc(#{ name: \"main\" });"),
            ))
            .called("ensure", place("scripts/recreate.rhai", 9, 1, None))
            .service(ServiceError {
                call: "ec2:CreateVpc".into(),
                code: "VpcLimitExceeded".into(),
                message: "The maximum number of VPCs has been reached.".into(),
                request_id: Some("4f9e".into()),
            })
            .note("there are 5 VPCs in eu-central-1")
            .hint("delete one, or ask AWS for more");
        assert_eq!(
            seen(&error, 80),
            "\
error: vpc/main: cannot be created
  --> stdlib/network.rhai:12:15
   |
12 |     let vpc = ec2::ensure_vpc(#{ name: \"main\" });
   |               ^
   = in `ensure`, called from scripts/recreate.rhai:9:1
   = ec2:CreateVpc answered VpcLimitExceeded: The maximum number of VPCs has been reached.
   = request id: 4f9e
   = note: there are 5 VPCs in eu-central-1
help: delete one, or ask AWS for more"
        );
    }

    #[test]
    fn a_file_of_the_users_shows_its_line() {
        let text = "project = \"shop\"\n[aws]\nregin = \"eu-central-1\"\n[ecs]\nimage = \"shop:1\"\n";
        let document = crate::environment::Document::parse("environments/x.toml", text).unwrap();
        let root = std::path::Path::new("/");
        let error = crate::environment::Environment::from_document(&document, root, "x").unwrap_err();
        assert_eq!(
            seen(&error, 80),
            "\
error: `region` is missing
 --> environments/x.toml:2:2
  |
2 | [aws]
  |  ^
help: `region`: The region, as `eu-central-1`.

error: unknown key `regin`
 --> environments/x.toml:3:1
  |
3 | regin = \"eu-central-1\"
  | ^
help: did you mean `region`?

2 errors"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("{}here{}", "x".repeat(200), "y".repeat(200));
        let error = Error::failed("x").at(place("a", 1, 201, Some(&line)));
        let text = seen(&error, 40);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[3].width() <= 40, "{text}");
        let caret = lines[4].find('^').unwrap();
        assert_eq!(&lines[3][caret..caret + 4], "here", "{text}");
    }

    #[test]
    fn control_characters_of_a_service_do_not_reach_the_terminal() {
        let error = Error::failed("a\x1b[2Jb\r\x07c");
        assert_eq!(seen(&error, 80), "error: abc");
        assert!(!render(&error, 80).contains("\x1b[2J"));
    }

    #[test]
    fn as_json_it_has_the_same_facts() {
        let error = Error::invalid("x").at(place("a", 1, 2, None)).hint("y");
        assert_eq!(
            to_json(&error).to_string(),
            r#"{"error":"x","exit":65,"at":{"file":"a","line":1,"column":2},"help":"y"}"#
        );
    }

    proptest! {
        #[test]
        fn the_line_of_a_file_fits_and_never_panics(text in "\\PC{0,300}", column in 0_usize..400, width in 30_usize..90) {
            let error = Error::failed("x").at(place("a", 7, column, Some(&text)));
            for line in seen(&error, width).lines().skip(2) {
                prop_assert!(line.width() <= width + 1, "{line}");
            }
        }
    }
}
