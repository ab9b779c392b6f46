//! What is configured, for people to read.
//!
//! Settings stand in columns: key, value, and where it was said.

use crate::render::words::{self, count, name};
use serde_json::Value;
use tidelock_engine::api::{Checked, ConfigPath, Shown};

/// A value, much as it is written.
fn shown_value(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(shown_value).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let one = |(key, value): (&String, &Value)| format!("{} = {}", name(key), shown_value(value));
            format!("{{ {} }}", entries.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        other => words::shown(&other.to_string()),
    }
}

/// The sections.
fn shown_sections(what: &Shown) -> Vec<String> {
    let mut lines = Vec::new();
    for section in &what.sections {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(format!("[{}]", name(&section.name)));
        let rows: Vec<(&str, String, String)> = section
            .settings
            .iter()
            .map(|setting| (setting.key.as_str(), shown_value(&setting.value), setting.origin.to_string()))
            .collect();
        let width = |of: &dyn Fn(&(&str, String, String)) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let keys = width(&|row| row.0.chars().count());
        // One long value must not push all origins off the screen.
        let values = width(&|row| row.1.chars().count()).min(48);
        for (key, value, origin) in &rows {
            lines.push(format!("{key:keys$} = {value:values$}  # {}", words::shown(origin)));
        }
    }
    lines
}

/// All of it, after the file's name.
pub fn shown(what: &Shown) -> Vec<String> {
    let file = match &what.file {
        Some(file) => format!("# {}", name(file)),
        None => "# there is no configuration yet; `tidelock init` writes one to start from".to_owned(),
    };
    std::iter::once(file).chain(shown_sections(what)).collect()
}

/// What was found of it.
pub fn checked(checked: &Checked) -> Vec<String> {
    let what = |number: usize, one: &str, many: &str| count(u64::try_from(number).unwrap_or(u64::MAX), one, many);
    vec![match (&checked.file, checked.problems.len()) {
        (Some(file), 0) => format!(
            "{}: good; {}, {}",
            name(file),
            what(checked.profiles, "profile", "profiles"),
            what(checked.pairs, "pair", "pairs")
        ),
        (None, 0) => "there is no configuration yet; `tidelock init` writes one to start from".to_owned(),
        (_, problems) => what(problems, "thing is wrong", "things are wrong"),
    }]
}

/// Where it is, or the text of one.
pub fn path(path: &ConfigPath) -> Vec<String> {
    let line = match path.written {
        _ if path.text.is_some() => return path.text.iter().flat_map(|text| text.lines()).map(str::to_owned).collect(),
        true => format!("written: {}; remove the comment signs before what you want", words::shown(&path.file)),
        // Alone, so that `$(tidelock config path)` works.
        false => words::shown(&path.file),
    };
    vec![line]
}

/// The schema, to be redirected into a file.
pub fn schema(schema: &Value) -> Vec<String> {
    let text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
