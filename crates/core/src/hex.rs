//! Bytes as people and servers write them down: two digits each, in lower case.
//!
//! One spelling for signatures, entity tags and digests. It knows nothing of what
//! the bytes mean.

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_each() {
        assert_eq!(hex(&[0x00, 0x0a, 0x9f, 0xff]), "000a9fff");
        assert_eq!(hex(&[]), "");
    }
}
