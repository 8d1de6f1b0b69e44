//! Seeds as CSV: a header line `serial,seed_hex` or `serial,seed_base32`, then a token a line.

use data_encoding::{BASE32_NOPAD, DecodeError, HEXLOWER_PERMISSIVE};
use zeroize::{Zeroize as _, Zeroizing};

use super::Entry;
use crate::refusal::Refusal;

/// The tokens of a file, in order. A seed could be read as hexadecimal and as base32, so the header says which.
pub(super) fn parse(file: &str) -> Result<Vec<Entry>, Refusal> {
    let mut lines = (1..).zip(file.lines()).filter(|(_, line)| !line.trim().is_empty());
    let header = lines.next().map(|(_, line)| line.replace([' ', '"'], "").to_ascii_lowercase());
    let decode: fn(&str) -> Result<Vec<u8>, DecodeError> = match header.as_deref() {
        Some("serial,seed_hex") => hex,
        Some("serial,seed_base32") => base32,
        _ => {
            return Err(Refusal::invalid(
                "The first line of a CSV file of tokens is serial,seed_hex or serial,seed_base32. (A PSKC file begins \
                 with <.)",
            ));
        }
    };
    lines.map(|(number, line)| entry(number, line, decode)).collect()
}

fn entry(
    number: usize,
    line: &str,
    decode: fn(&str) -> Result<Vec<u8>, DecodeError>,
) -> Result<Entry, Refusal> {
    let unquoted = |field: &str| field.trim().trim_matches('"').trim().to_owned();
    let fields: Vec<_> = line.split(',').collect();
    let [serial, seed] = fields.as_slice() else {
        return Err(Refusal::invalid(format!(
            "Line {number}: a line is a serial number, a comma and a seed."
        )));
    };
    let text = Zeroizing::new(unquoted(seed));
    // What is wrong with a seed is not shown: it is a secret.
    let seed =
        decode(&text).map_err(|_| Refusal::invalid(format!("Line {number}: the seed cannot be read.")))?;
    Ok(Entry { serial: unquoted(serial), seed: Zeroizing::new(seed) })
}

fn hex(text: &str) -> Result<Vec<u8>, DecodeError> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes())
}

fn base32(text: &str) -> Result<Vec<u8>, DecodeError> {
    let mut upper = text.trim_end_matches('=').to_ascii_uppercase();
    let decoded = BASE32_NOPAD.decode(upper.as_bytes());
    upper.zeroize();
    decoded
}
