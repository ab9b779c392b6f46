//! One pattern, and what it matches.
//!
//! The syntax is gitignore's: `*`, `?` and `[…]` stay within a segment, `**/`,
//! `/**/` and `/**` cross segments, `\` takes the next character as it is. It works
//! on characters where git works on bytes, so that `?` stands for `é` too. It does
//! not know where a pattern came from nor what follows from a match. Time is bounded
//! by the product of the two lengths, whatever the pattern.

/// Longer patterns are refused: no path is as long.
pub(super) const PATTERN_MAX_BYTES: usize = 4096;

/// A pattern ready to be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Begins with `!`: what it matches is included.
    pub negated: bool,
    /// Ends with `/`: matches folders only.
    dirs_only: bool,
    /// Holds a slash elsewhere: compared with the whole path below its file, not
    /// with the last segment.
    pub anchored: bool,
    matcher: Matcher,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Matcher {
    /// No wildcard at all.
    Literal(Box<str>),
    /// `*` and then no further wildcard, compared with one segment.
    Suffix(Box<str>),
    Tokens(Box<[Token]>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    One,
    Class(Class),
    /// `*`: any number of characters other than `/`.
    Star,
    /// `**` at the end of the pattern, or before an escaped slash: anything.
    Rest,
    /// `**/`: nothing, or anything that ends in `/`. Always followed by `InDirs`.
    Dirs,
    /// The inside of `**/`.
    InDirs,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
    named: Vec<Named>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Alnum,
    Alpha,
    Blank,
    Cntrl,
    Digit,
    Graph,
    Lower,
    Print,
    Punct,
    Space,
    Upper,
    Xdigit,
}

impl Pattern {
    /// Reads a pattern as given in an option: nothing is trimmed, `#` is itself.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > PATTERN_MAX_BYTES {
            return Err("the pattern is longer than any path (4,096 bytes)");
        }
        let (negated, body) = text.strip_prefix('!').map_or((false, text), |body| (true, body));
        let (dirs_only, body) = body.strip_suffix('/').map_or((false, body), |body| (true, body));
        let anchored = body.contains('/');
        let body = body.strip_prefix('/').unwrap_or(body);
        if body.is_empty() {
            return Err("the pattern names nothing");
        }
        Ok(Self { negated, dirs_only, anchored, matcher: Matcher::new(body, anchored)? })
    }

    /// Reads a line of an ignore file, its end already cut off. `None` is a comment
    /// or a blank line.
    pub(super) fn parse_line(line: &str) -> Option<(&str, Result<Self, &'static str>)> {
        let text = trim_unescaped_spaces(line);
        (!text.is_empty() && !line.starts_with('#')).then(|| (text, Self::parse(text)))
    }

    /// Whether it matches. `below` is the path below the folder the pattern is
    /// rooted in; `name` is its last segment.
    pub(super) fn matches(&self, below: &str, name: &str, is_dir: bool) -> bool {
        (is_dir || !self.dirs_only) && self.matcher.matches(if self.anchored { below } else { name })
    }
}

impl Matcher {
    fn new(body: &str, anchored: bool) -> Result<Self, &'static str> {
        let is_plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
        if is_plain(body) {
            return Ok(Self::Literal(body.into()));
        }
        if let Some(suffix) = body.strip_prefix('*')
            && !anchored
            && is_plain(suffix)
        {
            return Ok(Self::Suffix(suffix.into()));
        }
        Ok(Self::Tokens(tokenize(body)?.into()))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *text,
            Self::Suffix(suffix) => text.ends_with(&**suffix),
            Self::Tokens(tokens) => run(tokens, text),
        }
    }
}

/// Cuts trailing spaces unless the first of them is escaped; tabs stay.
fn trim_unescaped_spaces(line: &str) -> &str {
    let mut keep = 0;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if c != ' ' || escaped {
            keep = at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    line.get(..keep).unwrap_or(line)
}

fn tokenize(body: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = body.chars().peekable();
    let mut before = None;
    while let Some(c) = rest.next() {
        let last = before.replace(c);
        match c {
            '\\' => {
                let literal = rest.next().ok_or("a lone `\\` ends the pattern")?;
                tokens.push(Token::Char(literal));
                before = Some(literal);
            }
            '?' => tokens.push(Token::One),
            '[' => tokens.push(Token::Class(Class::parse(&mut rest)?)),
            '*' => {
                let many = take_stars(&mut rest);
                if many && matches!(last, None | Some('/')) {
                    before = fill_segment(&mut tokens, &mut rest);
                } else {
                    tokens.push(Token::Star);
                }
            }
            _ => tokens.push(Token::Char(c)),
        }
    }
    Ok(tokens)
}

/// Takes the stars behind the first. Whether there were any.
fn take_stars(rest: &mut Chars<'_>) -> bool {
    let mut more = false;
    while rest.next_if_eq(&'*').is_some() {
        more = true;
    }
    more
}

/// What `**` stands for at the start of a segment: only if it fills the segment
/// does it cross slashes. Returns the last character taken.
fn fill_segment(tokens: &mut Vec<Token>, rest: &mut Chars<'_>) -> Option<char> {
    let mut ahead = rest.clone();
    match (ahead.next(), ahead.next()) {
        (Some('/'), _) => {
            tokens.extend([Token::Dirs, Token::InDirs]);
            return rest.next();
        }
        // An escaped slash is a slash; git lets it follow here too.
        (None, _) | (Some('\\'), Some('/')) => tokens.push(Token::Rest),
        _ => tokens.push(Token::Star),
    }
    Some('*')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

const UNCLOSED: &str = "a `[` is never closed by `]`";

impl Class {
    /// Reads from behind the `[` to the `]`. A `]` that comes first is itself.
    fn parse(rest: &mut Chars<'_>) -> Result<Self, &'static str> {
        let mut class = Self { negated: rest.next_if(|&c| c == '!' || c == '^').is_some(), ..Self::default() };
        let mut low = None;
        let mut first = true;
        loop {
            let c = rest.next().ok_or(UNCLOSED)?;
            match c {
                ']' if !first => return Ok(class),
                '[' if rest.peek() == Some(&':') => low = class.take_named(rest)?,
                '-' if low.is_some() && rest.peek().is_some_and(|&next| next != ']') => {
                    let high = literal(rest.next(), rest)?;
                    class.ranges.extend(low.take().map(|low| (low, high)));
                }
                _ => {
                    let c = literal(Some(c), rest)?;
                    class.ranges.push((c, c));
                    low = Some(c);
                }
            }
            first = false;
        }
    }

    /// Reads `[:name:]` from the colon on, or, if no `:]` follows, takes the `[` as
    /// itself. Returns what a following `-` would begin its range with.
    fn take_named(&mut self, rest: &mut Chars<'_>) -> Result<Option<char>, &'static str> {
        let ahead: String = rest.clone().skip(1).take_while(|&c| c != ']').collect();
        let Some(name) = ahead.strip_suffix(':') else {
            self.ranges.push(('[', '['));
            return Ok(Some('['));
        };
        self.named.push(Named::parse(name).ok_or("no such `[:class:]`")?);
        // The colon, the name with its colon, and the bracket.
        for _ in 0..ahead.chars().count() + 2 {
            rest.next();
        }
        Ok(None)
    }

    fn matches(&self, c: char) -> bool {
        c != '/'
            && self.negated
                != (self.ranges.iter().any(|&(low, high)| (low..=high).contains(&c))
                    || self.named.iter().any(|named| named.matches(c)))
    }
}

fn literal(c: Option<char>, rest: &mut Chars<'_>) -> Result<char, &'static str> {
    match c {
        Some('\\') => rest.next(),
        c => c,
    }
    .ok_or(UNCLOSED)
}

impl Named {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "alnum" => Self::Alnum,
            "alpha" => Self::Alpha,
            "blank" => Self::Blank,
            "cntrl" => Self::Cntrl,
            "digit" => Self::Digit,
            "graph" => Self::Graph,
            "lower" => Self::Lower,
            "print" => Self::Print,
            "punct" => Self::Punct,
            "space" => Self::Space,
            "upper" => Self::Upper,
            "xdigit" => Self::Xdigit,
            _ => return None,
        })
    }

    fn matches(self, c: char) -> bool {
        match self {
            Self::Alnum => c.is_ascii_alphanumeric(),
            Self::Alpha => c.is_ascii_alphabetic(),
            Self::Blank => c == ' ' || c == '\t',
            Self::Cntrl => c.is_ascii_control(),
            Self::Digit => c.is_ascii_digit(),
            Self::Graph => c.is_ascii_graphic(),
            Self::Lower => c.is_ascii_lowercase(),
            Self::Print => c == ' ' || c.is_ascii_graphic(),
            Self::Punct => c.is_ascii_punctuation(),
            Self::Space => matches!(c, ' ' | '\t'..='\r'),
            Self::Upper => c.is_ascii_uppercase(),
            Self::Xdigit => c.is_ascii_hexdigit(),
        }
    }
}

/// Longer patterns need memory of their own while they are matched.
const FEW: usize = 64;

/// Follows every way through the pattern at once: one flag for each token the
/// match may stand at, and one for the end.
fn run(tokens: &[Token], text: &str) -> bool {
    let places = tokens.len() + 1;
    if places <= FEW {
        let (mut now, mut next) = ([false; FEW], [false; FEW]);
        return match (now.get_mut(..places), next.get_mut(..places)) {
            (Some(now), Some(next)) => run_in(tokens, text, now, next),
            _ => false,
        };
    }
    run_in(tokens, text, &mut vec![false; places], &mut vec![false; places])
}

fn run_in<'a>(tokens: &[Token], text: &str, mut now: &'a mut [bool], mut next: &'a mut [bool]) -> bool {
    stand(tokens, now, 0);
    for c in text.chars() {
        next.fill(false);
        let mut alive = false;
        for (at, (token, _)) in tokens.iter().zip(&*now).enumerate().filter(|(_, (_, here))| **here) {
            let (stays, goes_on) = match token {
                Token::Char(wanted) => (false, *wanted == c),
                Token::One => (false, c != '/'),
                Token::Class(class) => (false, class.matches(c)),
                Token::Star => (c != '/', false),
                Token::Rest => (true, false),
                Token::Dirs => (false, false),
                Token::InDirs => (true, c == '/'),
            };
            if stays {
                stand(tokens, next, at);
            }
            if goes_on {
                stand(tokens, next, at + 1);
            }
            alive |= stays || goes_on;
        }
        if !alive {
            return false;
        }
        std::mem::swap(&mut now, &mut next);
    }
    now.last().copied().unwrap_or(false)
}

/// Marks a place, and those reached from it for free.
fn stand(tokens: &[Token], places: &mut [bool], at: usize) {
    let mut at = at;
    while let Some(place) = places.get_mut(at)
        && !*place
    {
        *place = true;
        match tokens.get(at) {
            Some(Token::Star | Token::Rest) => at += 1,
            Some(Token::Dirs) => {
                if let Some(inside) = places.get_mut(at + 1) {
                    *inside = true;
                }
                at += 2;
            }
            _ => return,
        }
    }
}
