//! Just enough of Rust's grammar to tell code from comments and strings.
//!
//! Yields words and punctuation with their lines; a string of any kind is the one
//! word `""`. Nothing is understood beyond that.

/// A word, `::`, or one character of punctuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

pub fn lex(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut lexer = Lexer { chars: &chars, at: 0, line: 1, tokens: Vec::new() };
    while lexer.at < chars.len() {
        lexer.step();
    }
    lexer.tokens
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.line += usize::from(self.peek(0) == '\n');
            self.at += 1;
        }
    }

    fn push(&mut self, text: &str) {
        self.tokens.push(Token { text: text.into(), line: self.line });
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.skip_while(|c| c != '\n'),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.quote(),
            (':', ':') => {
                self.push("::");
                self.skip(2);
            }
            (c, _) if c.is_alphanumeric() || c == '_' => self.word(),
            (c, _) => {
                if !c.is_whitespace() {
                    self.push(&c.to_string());
                }
                self.skip(1);
            }
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.at < self.chars.len() && wanted(self.peek(0)) {
            self.skip(1);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.skip(1);
                    continue;
                }
            }
            self.skip(2);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.push("\"\"");
        self.skip(1);
        while self.at < self.chars.len() && self.peek(0) != '"' {
            self.skip(if self.peek(0) == '\\' { 2 } else { 1 });
        }
        self.skip(1);
    }

    fn raw_string(&mut self, hashes: usize) {
        self.push("\"\"");
        self.skip(hashes + 1);
        let ends = |lexer: &Self| lexer.peek(0) == '"' && (1..=hashes).all(|ahead| lexer.peek(ahead) == '#');
        while self.at < self.chars.len() && !ends(self) {
            self.skip(1);
        }
        self.skip(hashes + 1);
    }

    /// A character, or a lifetime, which is left to be a word.
    fn quote(&mut self) {
        if self.peek(1) == '\\' {
            self.skip(3);
            self.skip_while(|c| c != '\'');
            self.skip(1);
        } else if self.peek(2) == '\'' {
            self.skip(3);
        } else {
            self.skip(1);
        }
    }

    fn word(&mut self) {
        let start = self.at;
        let length = self.chars[start..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
        let word: String = self.chars[start..start + length].iter().collect();
        let hashes = self.chars[start + length..].iter().take_while(|&&c| c == '#').count();
        let quoted = self.peek(length + hashes) == '"';
        match word.as_str() {
            "r" | "br" | "cr" if quoted => {
                self.skip(length);
                self.raw_string(hashes);
            }
            "b" | "c" if quoted && hashes == 0 => {
                self.skip(length);
                self.string();
            }
            "b" if self.peek(length) == '\'' => {
                self.skip(length);
                self.quote();
            }
            _ => {
                self.push(&word);
                self.skip(length);
            }
        }
    }
}

/// Every path in the code, `use` groups taken apart, with its line. A name alone is
/// a path of one segment.
pub fn paths(tokens: &[Token]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = path(tokens, at, &[], &mut found).max(at + 1);
    }
    found
}

fn is_word(token: &Token) -> bool {
    token.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads the path at `at`, if there is one, and returns what comes after.
fn path(tokens: &[Token], at: usize, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut at = at;
    let mut segments = prefix.to_vec();
    while let Some(token) = tokens.get(at).filter(|token| is_word(token)) {
        segments.push(token.text.clone());
        at += 1;
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            found.push((token.line, segments));
            return at;
        }
        at += 1;
        if tokens.get(at).is_some_and(|token| token.text == "{") {
            return group(tokens, at + 1, &segments, found);
        }
        if tokens.get(at).is_none_or(|token| !is_word(token)) {
            found.push((token.line, segments));
            return at;
        }
    }
    at
}

/// Reads `a, b::c, d as e}`.
fn group(tokens: &[Token], at: usize, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) -> usize {
    let mut at = at;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "}" => return at + 1,
            "as" => at += 2,
            _ => at = path(tokens, at, prefix, found).max(at + 1),
        }
    }
    at
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let source = r##"a /* b /* c */ d */ "e \" f" // g
        r#"h " i"# b"j" 'k' '\'' b'l' &'m n::o '\u{41}' 'p: q"##;
    let text: Vec<String> = lex(source).into_iter().map(|token| token.text).collect();
    assert_eq!(text.join(" "), r#"a "" "" "" & m n :: o p : q"#);
    assert_eq!(lex("a\n\"\n\"\nb").last().map(|token| token.line), Some(4));
}

#[test]
fn groups_are_taken_apart() {
    let tokens = lex("use a::{b, c::{self, d as e}, f::*};\nlet x = g::h::<i>(); Y { z }");
    let found: Vec<String> =
        paths(&tokens).into_iter().map(|(line, path)| format!("{line}:{}", path.join("::"))).collect();
    for wanted in ["1:a::b", "1:a::c::self", "1:a::c::d", "1:a::f", "2:g::h", "2:Y", "2:z"] {
        assert!(found.iter().any(|path| path == wanted), "{wanted} in {found:?}");
    }
    assert!(!found.iter().any(|path| path.contains("f::g")), "{found:?}");
}
