//! From a tree of values to the types of the configuration.
//!
//! A deserializer of its own, for the sake of its complaints: each knows the key
//! and the line, says what is there and what was wanted, and which known word an
//! unknown one is nearest to. Text of the environment becomes what is asked for.

use super::tree::{Entry, Node, Value, key};
use super::words::{listed, nearest};
use serde::de::{self, Deserialize, DeserializeSeed, Expected, IntoDeserializer, Unexpected, Visitor};
use std::fmt;
use tidelock_remote::url::word;

/// What was wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The keys on the way to it.
    pub(super) path: Vec<String>,
    /// Its line, once known.
    pub(super) line: Option<u32>,
    /// What, and what to write.
    pub(super) what: String,
    /// Whether it is about a key that there is not.
    pub(super) unknown: bool,
    /// The key that ought to be there.
    pub(super) missing: Option<&'static str>,
}

/// Keys under which people put secrets elsewhere.
const SECRETS: [&str; 9] = [
    "secret_access_key",
    "aws_secret_access_key",
    "secret_key",
    "secret",
    "session_token",
    "token",
    "password",
    "passphrase",
    "api_key",
];

/// Makes a value of a tree.
pub(super) fn decode<'a, T: Deserialize<'a>>(node: &'a Node) -> Result<T, Wrong> {
    T::deserialize(At(node))
}

impl Wrong {
    fn new(what: impl Into<String>) -> Self {
        Self { path: Vec::new(), line: None, what: what.into(), unknown: false, missing: None }
    }

    /// The same, seen from outside the key.
    fn under(mut self, key: impl Into<String>, line: u32) -> Self {
        self.path.insert(0, key.into());
        self.line = self.line.or((line > 0).then_some(line));
        self
    }

    /// The key, as people are shown it.
    pub(super) fn key(&self) -> Option<String> {
        Some(key(&self.path)).filter(|key| !key.is_empty())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self::new(what.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Signed(value) => format!("the number {value}"),
            Unexpected::Unsigned(value) => format!("the number {value}"),
            Unexpected::Float(value) => format!("the number {value}"),
            Unexpected::Str(value) => format!("the text {:?}", word(value)),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            Unexpected::Unit => "empty".to_owned(),
            other => other.to_string(),
        };
        let wanted = wanted.to_string();
        let wanted = match wanted.as_str() {
            "a string" => "text in quotes",
            "a boolean" => "true or false",
            "a sequence" => "a list, as in [\"…\", \"…\"]",
            "u32" | "u64" | "usize" | "i64" => "a whole number",
            other if other == "a map" || other.starts_with("struct ") => "a table of keys",
            other if other.contains("enum") => "text in quotes",
            other => other,
        };
        Self::new(format!("it is {found}; write {wanted}"))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        if SECRETS.contains(&field.to_ascii_lowercase().as_str()) {
            let what = "secrets are never in this file; remove it from here, set credentials = \"keyring\" or \
                        \"file\", and give the secret to `tidelock config set-secret PROFILE`";
            return Self { unknown: true, ..Self::new(what) };
        }
        let what = match nearest(field, known.iter().copied()) {
            Some(meant) => format!("there is no such key; did you mean {meant:?}?"),
            None => format!("there is no such key; write one of {}", listed(known.iter().copied())),
        };
        Self { unknown: true, ..Self::new(what) }
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        let all = listed(known.iter().copied());
        let safe = tidelock_remote::url::word(word);
        Self::new(match nearest(word, known.iter().copied()) {
            Some(meant) => format!("{safe:?} is none of its values; did you mean {meant:?}? (it may be {all})"),
            None => format!("{safe:?} is none of its values; write {all}"),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new(format!("it says no {field:?}; add the line `{field} = …`")) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("{field:?} is there twice; remove one"))
    }
}

/// A node, being read.
#[derive(Clone, Copy)]
struct At<'a>(&'a Node);

impl<'a> At<'a> {
    fn visit_list<V: Visitor<'a>>(items: &'a [Node], visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(Items { items: items.iter().enumerate() })
    }

    /// Text of the environment as something else.
    fn parsed<T: std::str::FromStr>(text: &str, wanted: &str) -> Result<T, Wrong> {
        text.trim().parse().map_err(|_| Wrong::new(format!("it is {:?}; write {wanted}", word(text))))
    }
}

/// Numbers: from the tree as they are, from the environment read.
macro_rules! numbers {
    ($($method:ident => $visit:ident as $number:ty),* $(,)?) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Wrong> {
            match &self.0.value {
                Value::Loose(text) => visitor.$visit(Self::parsed::<$number>(text, "a whole number")?),
                Value::Int(number) => match <$number>::try_from(*number) {
                    Ok(number) => visitor.$visit(number),
                    Err(_) if *number < 0 => Err(Wrong::new(format!("{number} is below 0; write a whole number"))),
                    Err(_) => Err(Wrong::new(format!("{number} is too large"))),
                },
                _ => self.deserialize_any(visitor),
            }
        })*
    };
}

impl<'a> de::Deserializer<'a> for At<'a> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Nothing => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) | Value::Loose(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => Self::visit_list(items, visitor),
            Value::Table(entries) => visitor.visit_map(Entries { entries: entries.iter(), next: None }),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Loose(text) => visitor.visit_bool(match text.trim() {
                "true" | "1" | "yes" => true,
                "false" | "0" | "no" => false,
                other => return Err(Wrong::new(format!("it is {:?}; write true or false", word(other)))),
            }),
            _ => self.deserialize_any(visitor),
        }
    }

    numbers! {
        deserialize_u32 => visit_u32 as u32,
        deserialize_u64 => visit_u64 as u64,
        deserialize_i64 => visit_i64 as i64,
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Nothing => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Loose(text) => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                visitor.visit_seq(de::value::SeqDeserializer::new(lines))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Loose(text) => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                let pairs: Option<Vec<(&str, &str)>> = lines.map(|line| line.split_once('=')).collect();
                let pairs = pairs.ok_or_else(|| Wrong::new("write it as NAME=VALUE, one on a line"))?;
                visitor.visit_map(de::value::MapDeserializer::new(pairs.into_iter()))
            }
            // An empty section of YAML.
            Value::Nothing => visitor.visit_map(Entries { entries: [].iter(), next: None }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.0.value {
            // Serde would take its items for the fields.
            Value::List(_) => Err(de::Error::invalid_type(Unexpected::Seq, &"a map")),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Text(text) | Value::Loose(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i8 i16 i32 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct identifier ignored_any
    }
}

struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'a> de::SeqAccess<'a> for Items<'a> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let Some((number, node)) = self.items.next() else { return Ok(None) };
        seed.deserialize(At(node)).map(Some).map_err(|wrong| wrong.under(format!("[{number}]"), node.line))
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, Entry>,
    next: Option<&'a Entry>,
}

impl<'a> de::MapAccess<'a> for Entries<'a> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        self.next = self.entries.next();
        let Some(entry) = self.next else { return Ok(None) };
        let key = de::value::BorrowedStrDeserializer::new(&entry.key);
        seed.deserialize(key).map(Some).map_err(|wrong: Wrong| wrong.under(&entry.key, entry.line))
    }

    fn next_value_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<T::Value, Wrong> {
        let entry = self.next.take().ok_or_else(|| Wrong::new("a value was asked for before its key"))?;
        seed.deserialize(At(&entry.node)).map_err(|wrong| wrong.under(&entry.key, entry.line))
    }
}
