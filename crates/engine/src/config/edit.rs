//! Changes to a configuration's text that leave the rest of it as it was.
//!
//! Pure: from TOML to TOML, with every comment, order and blank line of the person who
//! wrote it. Only TOML is edited; what a command would have written into YAML it shows
//! instead. That the result is a good configuration is for `read.rs` and `check.rs`.

use super::Config;
use serde::Serialize;
use toml_edit::{DocumentMut, Item, Table, value};

/// Adds the profiles and pairs of a configuration, each after those that there are.
/// A name that is taken is an error, and nothing is replaced.
pub fn add(text: &str, more: &Config) -> Result<String, String> {
    let mut document = parse(text)?;
    let profiles = more.profile.iter().map(|(name, profile)| (name, table(profile)));
    let pairs = more.pair.iter().map(|(name, pair)| (name, table(pair)));
    for (name, made) in profiles {
        insert(&mut document, "profile", name, made?)?;
    }
    for (name, made) in pairs {
        insert(&mut document, "pair", name, made?)?;
    }
    Ok(document.to_string())
}

/// Takes a profile out, and its name as the default one.
pub fn remove_profile(text: &str, name: &str) -> Result<String, String> {
    let mut document = parse(text)?;
    let profiles = document.get_mut("profile").and_then(Item::as_table_like_mut);
    if profiles.and_then(|profiles| profiles.remove(name)).is_none() {
        return Err(format!("there is no profile {name:?} in it"));
    }
    if document.get("default_profile").and_then(Item::as_str) == Some(name) {
        document.remove("default_profile");
    }
    Ok(document.to_string())
}

/// Makes a profile the default one.
pub fn use_profile(text: &str, name: &str) -> Result<String, String> {
    let mut document = parse(text)?;
    match document.get_mut("default_profile").and_then(Item::as_value_mut) {
        // What stands around it stays.
        Some(there) => {
            let decor = there.decor().clone();
            *there = name.into();
            *there.decor_mut() = decor;
        }
        None => {
            document.insert("default_profile", value(name));
        }
    }
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| format!("this is not TOML: {}", error.message()))
}

/// A table of its own, with lists that hold more than one thing on lines of their own.
fn table(of: &impl Serialize) -> Result<Table, String> {
    let written = toml_edit::ser::to_document(of).map_err(|error| format!("it cannot be written as TOML: {error}"))?;
    let mut table = written.as_table().clone();
    for (_, item) in table.iter_mut() {
        let Some(list) = item.as_array_mut().filter(|list| list.len() > 2) else { continue };
        list.iter_mut().for_each(|entry| entry.decor_mut().set_prefix("\n    "));
        list.set_trailing("\n");
        list.set_trailing_comma(true);
    }
    Ok(table)
}

fn insert(document: &mut DocumentMut, kind: &str, name: &str, mut made: Table) -> Result<(), String> {
    let is_first = document.is_empty();
    let group = document.entry(kind).or_insert_with(|| {
        let mut group = Table::new();
        // `[profile.x]` needs no `[profile]` above it.
        group.set_implicit(true);
        Item::Table(group)
    });
    let Some(group) = group.as_table_like_mut() else { return Err(format!("{kind} is no table in it")) };
    if group.contains_key(name) {
        return Err(format!("{kind}.{name} is there already; rename or remove that one"));
    }
    if !is_first {
        made.decor_mut().set_prefix("\n");
    }
    group.insert(name, Item::Table(made));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Credentials, Pair, Profile};

    const TEXT: &str = "\
# mine
default_profile = \"home\"  # at home

[profile.home]  # the box under the stairs
endpoint = \"http://192.168.1.2:9000\"

# what matters
[pair.photos]
local = \"~/photos\"
remote = \"s3://photos\"
";

    fn more() -> Config {
        let mut more = Config::default();
        let profile = Profile { credentials: Credentials::Keyring, bucket: Some("b".into()), ..Profile::default() };
        more.profile.insert("work".into(), profile);
        let exclude = Some(["*.tmp", "!*.tmp/", "/a b/"].map(str::to_owned).to_vec());
        let pair = Pair { local: "/srv/a \"b\"".into(), remote: "work:".into(), exclude, ..Pair::default() };
        more.pair.insert("a b".into(), pair);
        more
    }

    #[test]
    fn what_is_added_stands_behind_its_like_and_the_rest_stays() {
        let added = add(TEXT, &more()).expect("added");
        let wanted = "\
# mine
default_profile = \"home\"  # at home

[profile.home]  # the box under the stairs
endpoint = \"http://192.168.1.2:9000\"

[profile.work]
bucket = \"b\"
credentials = \"keyring\"

# what matters
[pair.photos]
local = \"~/photos\"
remote = \"s3://photos\"

[pair.\"a b\"]
local = '/srv/a \"b\"'
remote = \"work:\"
exclude = [
    \"*.tmp\",
    \"!*.tmp/\",
    \"/a b/\",
]
";
        assert_eq!(added, wanted);
        assert!(add(&added, &more()).expect_err("taken").contains("profile.work is there already"));
    }

    #[test]
    fn a_new_file_begins_with_its_first_table() {
        let added = add("", &more()).expect("added");
        assert!(added.starts_with("[profile.work]\nbucket"), "{added}");
        assert_eq!(add("", &Config::default()).expect("nothing"), "");
    }

    #[test]
    fn a_profile_goes_with_its_being_the_default() {
        let text = remove_profile(TEXT, "home").expect("removed");
        assert!(!text.contains("home") && text.contains("# what matters"), "{text}");
        assert!(remove_profile(&text, "home").expect_err("gone").contains("no profile"));
    }

    #[test]
    fn another_default_keeps_its_remark() {
        let text = use_profile(TEXT, "work").expect("used");
        assert!(text.contains("default_profile = \"work\"  # at home"), "{text}");
        let text = use_profile("[profile.a]\n", "a").expect("used");
        assert_eq!(text, "default_profile = \"a\"\n[profile.a]\n");
    }
}
