//! Bytes of a file as text. Files are UTF-8; of what else spreadsheets on Chinese desktops write, it is told how to convert it.

/// Fewer double bytes than that in a row of a file prove nothing.
const TELLING: usize = 2;

/// `name` is for the message.
pub fn decode(name: &str, bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(format!("{name} is UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`, or save it as \"CSV UTF-8\""));
    }
    String::from_utf8(bytes).map_err(|error| {
        let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let line = bytes[..at].split(|b| *b == b'\n').count();
        if is_gb18030(bytes) {
            format!(
                "{name} is not UTF-8 but most likely GB18030 (GBK), from line {line} on: convert it with `iconv -f GB18030 -t UTF-8`, or save it as \"CSV UTF-8\""
            )
        } else {
            format!("{name} is not UTF-8: byte {} in line {line} (hexadecimal {:02x}) begins no character", at + 1, bytes[at])
        }
    })
}

/// Every byte has its place in GB18030: ASCII, pairs, and groups of four.
fn is_gb18030(bytes: &[u8]) -> bool {
    let (mut rest, mut pairs) = (bytes, 0);
    loop {
        rest = match rest {
            [] => return pairs >= TELLING,
            [0..=0x7f, rest @ ..] | [0x81..=0xfe, 0x30..=0x39, 0x81..=0xfe, 0x30..=0x39, rest @ ..] => rest,
            [0x81..=0xfe, 0x40..=0x7e | 0x80..=0xfe, rest @ ..] => {
                pairs += 1;
                rest
            }
            _ => return false,
        };
    }
}
