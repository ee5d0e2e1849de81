//! A plan as people read it: in a terminal, and as Markdown in a pull request.

use anstyle::{AnsiColor, Style};
use indexmap::IndexMap;
use unicode_width::UnicodeWidthStr;

use super::{paint, plain, style};
use crate::resource::plan::{Action, PlanDocument, PlannedAction, PlannedChange};

const CHANGED: Style = AnsiColor::Yellow.on_default();
const GONE: Style = AnsiColor::Red.on_default();

/// For a terminal of `width` columns, with colour codes. It ends with a line end, and is empty when there is nothing to
/// tell.
pub fn text(plan: &PlanDocument, width: usize) -> String {
    let mut text = String::new();
    let mut line = |indent: usize, sign: &str, style: Style, words: &str| {
        for (number, part) in wrapped(&plain(words), width.saturating_sub(indent + 2))
            .into_iter()
            .enumerate()
        {
            let shown = match (sign, number) {
                ("", _) => part,
                (sign, 0) => format!("{sign} {part}"),
                _ => format!("  {part}"),
            };
            let shown = if style == Style::new() {
                shown
            } else {
                paint(style, &shown)
            };
            text.push_str(&format!("{:indent$}{shown}\n", ""));
        }
    };
    for (section, actions) in sections(plan) {
        line(0, "", style::STRONG, &section);
        for planned in actions {
            let (sign, color) = sign(planned.action);
            line(0, sign, color, &heading(planned));
            for change in &planned.changes {
                line(4, "", Style::new(), &changed(change));
            }
            for detail in &planned.lines {
                line(4, "", style::FAINT, detail);
            }
            for remark in &planned.remarks {
                line(4, "!", style::WARNING, remark);
            }
        }
    }
    if let Some(horizon) = &plan.horizon {
        line(0, "", style::WARNING, "The plan ends before the script does");
        line(0, "?", Style::new(), &horizon.because);
        if let Some(at) = &horizon.at {
            line(2, "", style::PLACE, &format!("at {at}"));
        }
    }
    if !plan.unseen.is_empty() {
        line(0, "", style::WARNING, "The plan could not see");
        for unseen in &plan.unseen {
            line(0, "?", Style::new(), unseen);
        }
    }
    text
}

/// For a comment on a pull request. A fence of the language `diff` shows lines that begin with `+`, `-` and `!` in colour.
pub fn markdown(plan: &PlanDocument) -> String {
    let mut text = format!("### Plan for {} {}: {}\n", plan.project, plan.environment, plan.summary);
    let mut body = String::new();
    for (section, actions) in sections(plan) {
        body.push_str(&format!("# {section}\n"));
        for planned in actions {
            let sign = match planned.action {
                Action::Create | Action::Run => "+",
                Action::Delete | Action::Replace | Action::Failed => "-",
                Action::Change => "!",
                Action::Keep | Action::Nothing => " ",
            };
            body.push_str(&format!("{sign} {}\n", heading(planned)));
            for change in &planned.changes {
                body.push_str(&format!("      {}\n", changed(change)));
            }
            for detail in &planned.lines {
                body.push_str(&format!("      {detail}\n"));
            }
            for remark in &planned.remarks {
                body.push_str(&format!("!     {remark}\n"));
            }
        }
    }
    if !body.is_empty() {
        // A fence that is longer than any run of back quotes in it.
        let fence = "`".repeat(3.max(longest_run(&body) + 1));
        text.push_str(&format!("\n{fence}diff\n{}{fence}\n", plain(&body)));
    }
    if let Some(horizon) = &plan.horizon {
        let at = horizon.at.as_ref().map(|at| format!(" at `{at}`")).unwrap_or_default();
        text.push_str(&format!(
            "\n**The plan ends before the script does**{at}: {}\n",
            horizon.because
        ));
    }
    for unseen in &plan.unseen {
        text.push_str(&format!("\n**The plan could not see** {unseen}\n"));
    }
    text.push_str(&format!("\nMade at {}. Nothing was written.\n", plan.made_at));
    text
}

/// What is to be done, by the part of the scripts that asks for it. What stays as it is is only counted.
fn sections(plan: &PlanDocument) -> IndexMap<String, Vec<&PlannedAction>> {
    let mut sections: IndexMap<String, Vec<&PlannedAction>> = IndexMap::new();
    let told = |planned: &&PlannedAction| planned.action != Action::Nothing || !planned.remarks.is_empty();
    for planned in plan.actions.iter().filter(told) {
        let section = match planned.section.as_str() {
            "" => "environment",
            section => section,
        };
        sections.entry(section.to_owned()).or_default().push(planned);
    }
    sections
}

fn sign(action: Action) -> (&'static str, Style) {
    match action {
        Action::Create => ("+", style::GOOD),
        Action::Change => ("~", CHANGED),
        Action::Replace => ("-/+", GONE),
        Action::Delete => ("-", GONE),
        Action::Run => (">", style::GOOD),
        Action::Keep => ("=", style::FAINT),
        Action::Nothing => ("", Style::new()),
        Action::Failed => ("x", style::ERROR),
    }
}

fn heading(planned: &PlannedAction) -> String {
    let words = match planned.action {
        Action::Create => "create",
        Action::Change => "change",
        Action::Replace => "delete, and create anew",
        Action::Delete => "delete",
        Action::Keep => "keep",
        Action::Run => "run",
        Action::Nothing => "nothing to change",
        Action::Failed => "cannot be foreseen",
    };
    let id = match planned.id.as_str() {
        "" => String::new(),
        id => format!(
            "  ({})",
            id.strip_prefix("arn:")
                .map_or(id, |rest| rest.splitn(5, ':').last().unwrap_or(rest))
        ),
    };
    format!("{words} {}{id}", planned.label())
}

/// `ingress: tcp 80 -> tcp 443`. Of what is only added, or only taken away, the one side.
fn changed(change: &PlannedChange) -> String {
    let PlannedChange { field, from, to, class } = change;
    let what = match (from.as_str(), to.as_str()) {
        ("", to) => format!("+ {to}"),
        (from, "") => format!("- {from}"),
        (from, to) => format!("{from} -> {to}"),
    };
    match class.words() {
        Some(words) => format!("{field}: {what}  ({words})"),
        None => format!("{field}: {what}"),
    }
}

/// Lines of at most `width` columns, broken at blanks where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(20);
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while rest.width() > width {
            let mut end = 0;
            let mut columns = 0;
            for (at, char) in rest.char_indices() {
                columns += char.to_string().width();
                if columns > width {
                    break;
                }
                end = at + char.len_utf8();
            }
            let at = rest[..end].rfind(' ').filter(|at| *at > width / 2).unwrap_or(end);
            lines.push(rest[..at].trim_end().to_owned());
            rest = rest[at..].trim_start();
        }
        lines.push(rest.to_owned());
    }
    lines
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_and_keep_everything() {
        let text = "a policy document with many words in it that does not fit";
        let lines = wrapped(text, 24);
        assert!(lines.iter().all(|line| line.width() <= 24), "{lines:?}");
        assert_eq!(lines.join(" "), text);
        assert_eq!(wrapped(&"x".repeat(50), 24).concat(), "x".repeat(50));
    }
}
