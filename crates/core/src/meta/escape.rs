//! Bytes as ASCII: percent encoding and base64.
//!
//! What is written survives as the value of a header: printable, no spaces at the
//! ends. Reading is strict; what was not written this way is `None`.

/// Percent-encodes everything but printable ASCII, the percent sign and spaces.
pub(super) fn to_percent(text: &str) -> String {
    encode(text, |b| b.is_ascii_graphic() && b != b'%')
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub(super) fn to_percent_strict(text: &str) -> String {
    encode(text, |b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

fn encode(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if plain(b) {
            out.push(char::from(b));
        } else {
            out.push('%');
            out.extend([b >> 4, b & 15].map(|half| char::from(HEX.get(usize::from(half)).copied().unwrap_or(b'0'))));
        }
    }
    out
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Takes percent encoding back.
pub(super) fn from_percent(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(if b == b'%' { hex(bytes.next()?)? << 4 | hex(bytes.next()?)? } else { b });
    }
    Some(out)
}

/// Reads hexadecimal digits, two for each byte.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().map(hex).collect::<Option<Vec<u8>>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

const SIXTY_FOUR: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64, padded.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4_usize {
            let index = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            let digit = SIXTY_FOUR.get(index).copied().unwrap_or(b'A');
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// Takes base64 back, padded or not.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for b in text.bytes() {
        let value = SIXTY_FOUR.iter().position(|&digit| digit == b).and_then(|at| u32::try_from(at).ok())?;
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 255).ok()?);
        }
    }
    // A single leftover digit, or bits that no byte needs, come from no encoder.
    (count < 6 && bits & ((1 << count) - 1) == 0).then_some(out)
}
