//! YAML as a tree.
//!
//! The parser hands out values with the lines they are on; aliases and merge keys
//! are its affair, and so are its limits against documents that unfold without end.

use super::Broken;
use crate::config::tree::{Entry, Node, Value};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;

/// Reads a document; an empty one is an empty table.
pub(super) fn tree(text: &str) -> Result<Node, Broken> {
    // Else `no` would be false, and a folder called `n` too.
    let options = serde_saphyr::options! { strict_booleans: true };
    let read = serde_saphyr::from_str_with_options::<Read>(text, options).map_err(|error| {
        let line = error.location().and_then(|location| u32::try_from(location.line()).ok()).filter(|line| *line > 0);
        (line, format!("this is not YAML: {}", error.without_snippet()))
    })?;
    match read.0 {
        Value::Nothing => Ok(Node::empty()),
        value @ Value::Table(_) => Ok(Node { line: 1, value }),
        _ => Err((Some(1), "the file is no table of keys; write it as in `pair:`".to_owned())),
    }
}

/// A value as it is met.
struct Read(Value);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Read, E> {
        Ok(Read(Value::Nothing))
    }

    fn visit_none<E: Error>(self) -> Result<Read, E> {
        Ok(Read(Value::Nothing))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Read, D::Error> {
        Read::deserialize(from)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Read, E> {
        Ok(Read(Value::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Read, E> {
        Ok(Read(Value::Int(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Read, E> {
        Ok(Read(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Int)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Read, E> {
        Ok(Read(Value::Float(value)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Read, E> {
        Ok(Read(Value::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Read, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Read>>()? {
            list.push(Node { line: line(&item), value: item.value.0 });
        }
        Ok(Read(Value::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Read, A::Error> {
        let mut table = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Spanned<Read>>()?;
            let node = Node { line: line(&value), value: value.value.0 };
            table.push(Entry { line: line(&key), key: key.value, node });
        }
        Ok(Read(Value::Table(table)))
    }
}

fn line<T>(spanned: &Spanned<T>) -> u32 {
    u32::try_from(spanned.referenced.line()).unwrap_or(u32::MAX)
}
