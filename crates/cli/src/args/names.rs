//! What remotes are called by who typed them.
//!
//! A request names buckets and stores; a person may have typed a pair, or a profile's
//! prefix. What is told names the place in the same words, so that a command that is
//! copied from a message leads to the same service.

/// Places by their addresses, each with what it was called.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<Name>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    address: String,
    called: String,
}

impl Names {
    /// A place was called so: by a pair's name, or, ending in a colon, by a profile's.
    pub fn note(&mut self, address: &str, called: &str) {
        let name = Name { address: address.trim_end_matches('/').to_owned(), called: called.to_owned() };
        if !name.address.is_empty() && !self.0.contains(&name) {
            self.0.push(name);
            // The one that says most is tried first.
            self.0.sort_by_key(|name| std::cmp::Reverse(name.address.len()));
        }
    }

    /// The same text in the person's own words.
    pub fn said(&self, text: &str) -> String {
        let Some(first) =
            self.0.iter().filter_map(|name| Some((text.find(&name.address)?, name))).min_by_key(|(at, _)| *at)
        else {
            return text.to_owned();
        };
        let (at, Name { address, called }) = first;
        let (before, rest) = (&text[..at], &text[at + address.len()..]);
        // Another place may begin with the same letters.
        let goes_on = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        let mut next = rest.chars();
        let is_other = match next.next() {
            Some('.') => next.next().is_some_and(goes_on),
            c => c.is_some_and(goes_on),
        };
        if is_other {
            return format!("{before}{address}{}", self.said(rest));
        }
        let rest = if called.ends_with(':') { rest.strip_prefix('/').unwrap_or(rest) } else { rest };
        format!("{before}{called}{}", self.said(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_called_as_they_were_typed() {
        let mut names = Names::default();
        names.note("s3://tide", "work:");
        names.note("s3://tide/photos/", "pics");
        names.note("folder:/srv/store", "docs");
        for (text, said) in [
            ("nothing at s3://tide/a/b; `tidelock ls s3://tide/a`", "nothing at work:a/b; `tidelock ls work:a`"),
            ("s3://tide", "work:"),
            ("s3://tide.", "work:."),
            ("s3://tide/photos/x and s3://tide/photos", "pics/x and pics"),
            ("s3://tide/photos2 s3://tide.org/x s3://tides", "work:photos2 s3://tide.org/x s3://tides"),
            ("folder:/srv/store/x, folder:/srv/store-2", "docs/x, folder:/srv/store-2"),
        ] {
            assert_eq!(names.said(text), said);
        }
        assert_eq!(Names::default().said("s3://tide"), "s3://tide");
    }
}
