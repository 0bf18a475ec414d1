//! What a file is, by its first bytes. The list holds what people attach to faults; whatever else there is are bytes. A text is a plain
//! text, also when it is HTML, SVG or a script: nothing here is ever handed out as something that a browser would run.

const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// Where the mark lies, the mark, and what it marks.
const MARKS: &[(usize, &[u8], &str)] = &[
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (257, b"ustar", "application/x-tar"),
    // Packets as tcpdump and Wireshark write them.
    (0, b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (0, b"\xa1\xb2\xc3\xd4", "application/vnd.tcpdump.pcap"),
    (0, b"\x4d\x3c\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (0, b"\xa1\xb2\x3c\x4d", "application/vnd.tcpdump.pcap"),
    (0, b"\x0a\x0d\x0d\x0a", "application/x-pcapng"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
];

pub fn media_type(head: &[u8]) -> &'static str {
    let marked = MARKS.iter().find(|(at, mark, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(mark)));
    match marked {
        // Four letters in the middle of a text are no mark of a film or a picture.
        Some((at, _, _)) if *at > 0 && is_text(head) => TEXT,
        Some((_, _, name)) => name,
        None if is_text(head) => TEXT,
        None => BYTES,
    }
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end in the middle of a letter.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    // Terminal transcripts carry escapes.
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\x0c' | '\x1b' | '\x08' | '\x07'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_says_what_it_is() {
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        let webp = b"RIFF\0\0\0\0WEBPVP8 ";
        for (head, expected) in [
            (&b"\x89PNG\r\n\x1a\n\0\0"[..], "image/png"),
            (b"%PDF-1.7", "application/pdf"),
            (&tar, "application/x-tar"),
            (webp, "image/webp"),
            (b"<svg onload=alert(1)>", TEXT),
            (b"<!doctype html><script>", TEXT),
            ("风扇停转\r\n".as_bytes(), TEXT),
            (&"风".as_bytes()[..2], BYTES),
            (&[b"ab".as_slice(), &"风".as_bytes()[..2]].concat(), TEXT),
            (b"soloftyping", TEXT),
            (b"a\0b", BYTES),
            (b"", BYTES),
        ] {
            assert_eq!(media_type(head), expected, "{head:?}");
        }
    }
}
