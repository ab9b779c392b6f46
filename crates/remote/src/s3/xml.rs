//! The few XML documents S3 speaks, read and written.
//!
//! A document is walked once, and the caller is told of each element's end with
//! the path of local names that leads to it and the text it held. Declarations of
//! document types are refused, sizes are bounded by whoever fetched the bytes.
//! What the elements mean is known only to the callers.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

/// What the visitor is told.
pub(super) enum Step<'a> {
    /// An element begins.
    Open,
    /// An element ends; this was its own text.
    Close(&'a str),
}

/// Walks a document. `visit` gets the path, as in `ListBucketResult/Contents/Key`.
pub(super) fn walk(document: &[u8], mut visit: impl FnMut(&str, Step<'_>)) -> Result<(), String> {
    let text = std::str::from_utf8(document).map_err(|_| "the reply is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut path = String::new();
    let mut value = String::new();
    loop {
        match reader.read_event().map_err(|error| format!("the reply is not well-formed XML: {error}"))? {
            Event::Start(tag) => {
                enter(&mut path, &tag);
                value.clear();
                visit(&path, Step::Open);
            }
            Event::Empty(tag) => {
                enter(&mut path, &tag);
                visit(&path, Step::Open);
                visit(&path, Step::Close(""));
                leave(&mut path);
                value.clear();
            }
            Event::End(_) => {
                visit(&path, Step::Close(&value));
                leave(&mut path);
                value.clear();
            }
            Event::Text(content) => value.push_str(&content.xml10_content()),
            Event::CData(content) => value.push_str(&content.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(found)) => value.push(found),
                _ => match resolve_xml_entity(&reference.xml10_content()) {
                    Some(found) => value.push_str(found),
                    None => return Err("the reply uses an unknown XML entity".to_owned()),
                },
            },
            Event::DocType(_) => return Err("the reply declares a document type, which is refused".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if path.is_empty() => return Ok(()),
            Event::Eof => return Err("the reply's XML ends early".to_owned()),
        }
    }
}

fn enter(path: &mut String, tag: &BytesStart<'_>) {
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(tag.local_name().as_ref());
}

fn leave(path: &mut String) {
    path.truncate(path.rfind('/').unwrap_or(0));
}

/// Appends `text` so that a reader gets exactly it back; `false` if XML 1.0 has no
/// way to say it.
#[must_use]
pub(super) fn escape_into(out: &mut String, text: &str) -> bool {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => return false,
            c => out.push(c),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(document: &str) -> Result<Vec<(String, String)>, String> {
        let mut found = Vec::new();
        walk(document.as_bytes(), |path, step| {
            if let Step::Close(text) = step {
                found.push((path.to_owned(), text.to_owned()));
            }
        })?;
        Ok(found)
    }

    #[test]
    fn paths_texts_entities_and_namespaces() {
        let found =
            pairs("<?xml version=\"1.0\"?><a:R xmlns:a='x'><K>a&amp;b&#x20;&#13;c</K><E/></a:R>").expect("valid");
        let expected = [("R/K", "a&b \rc"), ("R/E", ""), ("R", "")];
        assert_eq!(found, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
    }

    #[test]
    fn document_types_unknown_entities_and_early_ends_are_refused() {
        assert!(pairs("<!DOCTYPE x [<!ENTITY e 'y'>]><x>&e;</x>").is_err());
        assert!(pairs("<x>&e;</x>").is_err());
        assert!(pairs("<x><y></y>").is_err());
        assert!(pairs("<x></y>").is_err());
    }

    #[test]
    fn what_is_escaped_reads_back() {
        let text = "a&<>\"'\t\n\r é]]>";
        let mut document = "<k>".to_owned();
        assert!(escape_into(&mut document, text));
        document.push_str("</k>");
        assert_eq!(pairs(&document), Ok(vec![("k".to_owned(), text.to_owned())]));
        assert!(!escape_into(&mut String::new(), "\u{1}"));
    }
}
