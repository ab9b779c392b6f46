//! A page of a listing as nearly every server writes it, read in one pass.
//!
//! A million objects are 200 MB of XML, and a general reader costs more than all else
//! that is done about an object that did not change. This one knows plain elements,
//! one below the other, and gives up at anything else (attributes, comments, prefixes,
//! deeper elements): then `xml.rs` reads the page. What it does read means the same.

use super::{Draft, Said};
use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// Reads the page; `None` where it is not of the plain form.
pub(super) fn read(body: &[u8]) -> Option<Said> {
    let mut rest = Rest(std::str::from_utf8(body).ok()?.trim_ascii_end());
    rest.declaration()?;
    rest.root()?;
    let mut page = Said { drafts: Vec::with_capacity(1000), ..Said::default() };
    loop {
        match rest.tag()? {
            Tag::Open("Contents") => page.drafts.push(rest.entry()?),
            Tag::Open(name) => page.take(name, &rest.text(name)?),
            Tag::Empty(name) => page.take(name, ""),
            Tag::Close("ListBucketResult") if rest.0.is_empty() => return Some(page),
            Tag::Close(_) => return None,
        }
    }
}

enum Tag<'a> {
    Open(&'a str),
    Close(&'a str),
    Empty(&'a str),
}

/// What of the document is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn declaration(&mut self) -> Option<()> {
        if let Some(declaration) = self.0.strip_prefix("<?xml ") {
            self.0 = &declaration[declaration.find("?>")? + 2..];
        }
        Some(())
    }

    /// The root alone may bear a name space, which says nothing.
    fn root(&mut self) -> Option<()> {
        let inside = self.0.trim_ascii_start().strip_prefix("<ListBucketResult")?;
        let end = inside.find('>')?;
        let attributes = &inside[..end];
        let named = attributes.strip_prefix(" xmlns=").is_some_and(|value| {
            let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''));
            quote.is_some_and(|quote| value.len() > 1 && value[1..].find(quote) == Some(value.len() - 2))
                && !value.contains(['<', '&'])
        });
        self.0 = &inside[end + 1..];
        (attributes.is_empty() || named).then_some(())
    }

    fn tag(&mut self) -> Option<Tag<'a>> {
        let inside = self.0.trim_ascii_start().strip_prefix('<')?;
        let end = memchr(b'>', inside.as_bytes())?;
        self.0 = &inside[end + 1..];
        let name = &inside[..end];
        let (tag, name): (fn(&'a str) -> Tag<'a>, _) = match (name.strip_prefix('/'), name.strip_suffix('/')) {
            (Some(name), _) => (Tag::Close, name),
            (None, Some(name)) => (Tag::Empty, name),
            (None, None) => (Tag::Open, name),
        };
        let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_plain.then(|| tag(name))
    }

    /// The text of an element that holds nothing else, up to and with its end.
    fn text(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let (text, rest) = self.0.split_at(memchr(b'<', self.0.as_bytes())?);
        self.0 = rest.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?;
        unescaped(text)
    }

    fn entry(&mut self) -> Option<Draft> {
        let mut draft = Draft::default();
        loop {
            match self.tag()? {
                Tag::Open(name) => draft.take(name, &self.text(name)?),
                Tag::Empty(name) => draft.take(name, ""),
                Tag::Close("Contents") => return Some(draft),
                Tag::Close(_) => return None,
            }
        }
    }
}

/// Text without its entities, of which only the common ones are known here.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    let Some(first) = memchr2(b'&', b'\r', text.as_bytes()) else { return Some(text.into()) };
    if memchr(b'\r', text.as_bytes()).is_some() {
        return None;
    }
    let (plain, mut rest) = text.split_at(first);
    let mut whole = String::with_capacity(text.len());
    whole.push_str(plain);
    while let Some(entity) = rest.strip_prefix('&') {
        let (name, after) = entity.split_once(';')?;
        whole.push(match name {
            "quot" | "#34" => '"',
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "apos" | "#39" => '\'',
            _ => return None,
        });
        let (plain, left) = after.split_at(after.find('&').unwrap_or(after.len()));
        whole.push_str(plain);
        rest = left;
    }
    Some(whole.into())
}

#[cfg(test)]
mod tests {
    use super::super::slow;
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/\
        2006-03-01/\"><Name>b</Name><Prefix/><EncodingType>url</EncodingType>\n  <Contents><Key>a%20b</Key><LastModified>\
        2024-02-29T00:00:01.000Z</LastModified><ETag>&quot;e-1&quot;</ETag><Size>7</Size><StorageClass>STANDARD\
        </StorageClass></Contents><Contents><Key>c&amp;d</Key><Size>0</Size></Contents>\
        <IsTruncated>true</IsTruncated><NextContinuationToken>t==</NextContinuationToken></ListBucketResult>\n";

    #[test]
    fn a_plain_page_means_what_a_general_reader_makes_of_it() {
        let quick = read(PAGE.as_bytes()).expect("plain");
        assert_eq!(Ok(&quick), slow(PAGE.as_bytes()).as_ref());
        assert_eq!(quick.drafts.len(), 2);
        assert_eq!(quick.drafts[0].etag, "\"e-1\"");
        assert_eq!(quick.drafts[1].key, "c&d");
    }

    #[test]
    fn what_is_not_plain_is_left_to_a_general_reader() {
        for (plain, odd) in [
            ("<Name>b</Name>", "<Name a='1'>b</Name>"),
            ("<Name>b</Name>", "<Name><!-- c -->b</Name>"),
            ("<Name>b</Name>", "<Name><![CDATA[b]]></Name>"),
            ("<Name>b</Name>", "<x:Name>b</x:Name>"),
            ("<Name>b</Name>", "<Owner><ID>b</ID></Owner>"),
            ("<Name>b</Name>", "<Name>&#x62;</Name>"),
            ("<Name>b</Name>", "<Name>b</Nam>"),
            ("<Name>b</Name>", "<!DOCTYPE x>"),
            ("<Prefix/>", "text"),
            ("</ListBucketResult>", ""),
            ("</ListBucketResult>", "</ListBucketResult><More/>"),
            ("<ListBucketResult ", "<Other "),
        ] {
            assert!(PAGE.contains(plain));
            assert_eq!(read(PAGE.replace(plain, odd).as_bytes()), None, "{odd}");
        }
    }

    proptest! {
        /// Whatever is cut out of a page or put into it: what is read quickly is read the
        /// same way by the general reader.
        #[test]
        fn never_another_meaning(at in 0..PAGE.len(), cut in 0..12_usize, put in "[<>/&;a-z=\" \r\n]{0,6}") {
            let end = (at + cut).min(PAGE.len());
            let page = format!("{}{put}{}", &PAGE[..at], &PAGE[end..]);
            if let Some(quick) = read(page.as_bytes()) {
                prop_assert_eq!(Ok(quick), slow(page.as_bytes()), "{}", page);
            }
        }
    }
}
