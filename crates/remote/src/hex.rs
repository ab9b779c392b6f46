//! Bytes as people and servers write them down: two digits each, in lower case.
//!
//! One spelling for signatures, entity tags and digests. It knows nothing of what
//! the bytes mean.

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = |byte: u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(|byte| digits(*byte)).collect()
}
