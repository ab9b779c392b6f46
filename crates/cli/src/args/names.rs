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
        let found = self.0.iter().filter_map(|name| Some((name.first_in(text)?, name)));
        let Some((at, Name { address, called })) = found.min_by_key(|(at, _)| *at) else { return text.to_owned() };
        let rest = &text[at + address.len()..];
        let rest = if called.ends_with(':') { rest.strip_prefix('/').unwrap_or(rest) } else { rest };
        format!("{}{called}{}", &text[..at], self.said(rest))
    }
}

impl Name {
    /// Where the place is first named in a text. Another one may begin with the same letters.
    fn first_in(&self, text: &str) -> Option<usize> {
        let goes_on = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        let is_whole = |at: &usize| {
            let rest = &text[at + self.address.len()..];
            !rest.strip_prefix('.').unwrap_or(rest).starts_with(goes_on)
        };
        text.match_indices(&self.address).map(|(at, _)| at).find(is_whole)
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
