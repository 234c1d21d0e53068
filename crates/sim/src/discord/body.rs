//! Reads request bodies: JSON, or multipart with `payload_json` and `files[n]`. Also query strings. The body limit bounds everything.

use hyper::body::Bytes;
use serde_json::Value;

/// An uploaded file.
pub(super) struct Upload {
    /// The n of `files[n]`.
    pub(super) index: usize,
    pub(super) filename: String,
    pub(super) content_type: String,
    pub(super) bytes: Bytes,
}

/// A parsed request body.
#[derive(Default)]
pub(super) struct Body {
    /// `Null` when there was none.
    pub(super) json: Value,
    pub(super) files: Vec<Upload>,
}

/// Limit on the parts of a multipart body: ten files, the payload, and some slack.
const MAX_PARTS: usize = 16;

/// Reads a body by its content type. `None` if it doesn't match that type.
pub(super) fn parse(content_type: &str, bytes: &Bytes) -> Option<Body> {
    if bytes.is_empty() {
        return Some(Body::default());
    }
    if let Some(boundary) = boundary(content_type) {
        return multipart(&boundary, bytes);
    }
    serde_json::from_slice(bytes).ok().map(|json| Body { json, files: Vec::new() })
}

fn boundary(content_type: &str) -> Option<String> {
    let rest = content_type.strip_prefix("multipart/form-data")?;
    let value = rest.split(';').find_map(|p| p.trim().strip_prefix("boundary="))?.trim_matches('"');
    (!value.is_empty() && value.len() <= 70).then(|| value.to_owned())
}

fn multipart(boundary: &str, bytes: &Bytes) -> Option<Body> {
    let mut body = Body::default();
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter has no line break before it.
    let mut at = bytes.starts_with(delimiter.as_bytes().get(2..)?).then_some(delimiter.len() - 2)?;
    for _ in 0..MAX_PARTS {
        let rest = bytes.get(at..)?;
        if rest.starts_with(b"--") {
            return Some(body);
        }
        let rest = rest.strip_prefix(b"\r\n")?;
        let start = at + 2;
        let head_len = find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(rest.get(..head_len)?).ok()?;
        let content = start + head_len + 4;
        let len = find(bytes.get(content..)?, delimiter.as_bytes())?;
        take_part(&mut body, head, bytes.slice(content..content + len))?;
        at = content + len + delimiter.len();
    }
    None
}

fn take_part(body: &mut Body, head: &str, content: Bytes) -> Option<()> {
    let header = |name: &str| {
        head.lines().find_map(|line| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned()))
    };
    let disposition = header("content-disposition")?;
    let name = quoted(&disposition, "name")?;
    if name == "payload_json" {
        body.json = serde_json::from_slice(&content).ok()?;
    } else if let Some(index) = name.strip_prefix("files[").and_then(|n| n.strip_suffix(']')).and_then(|n| n.parse().ok()) {
        body.files.push(Upload {
            index,
            filename: quoted(&disposition, "filename").unwrap_or_else(|| "file".to_owned()),
            content_type: header("content-type").unwrap_or_else(|| "application/octet-stream".to_owned()),
            bytes: content,
        });
    }
    Some(())
}

/// The value of `; name="…"` in a Content-Disposition.
fn quoted(disposition: &str, name: &str) -> Option<String> {
    let wanted = format!("{name}=");
    disposition.split(';').find_map(|p| p.trim().strip_prefix(&wanted).map(|v| v.trim_matches('"').to_owned()))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    loop {
        let at = from + haystack.get(from..)?.iter().position(|b| *b == first)?;
        if haystack.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// One value of a query string. Only ids, numbers and booleans are used, so nothing is percent-decoded.
pub(super) fn query<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(n, _)| *n == name).map(|(_, v)| v))
}

/// A path with its `%XX` decoded; returned unchanged if it is malformed or not text.
pub(super) fn percent_decode(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|h| *first == b'%' && h.iter().all(u8::is_ascii_hexdigit)).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipart_gives_the_payload_and_the_files_byte_for_byte() {
        let raw = b"--xyz\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x00\r\n--xy\r\n\xff\r\n--xyz\r\ncontent-disposition: form-data; name=\"payload_json\"\r\n\r\n{\"content\":\"hi\"}\r\n--xyz--\r\n";
        let body = parse("multipart/form-data; boundary=xyz", &Bytes::from_static(raw)).unwrap();
        assert_eq!(body.json["content"], "hi");
        assert_eq!(body.files.len(), 1);
        assert_eq!((body.files[0].filename.as_str(), body.files[0].content_type.as_str()), ("a.png", "image/png"));
        assert_eq!(&body.files[0].bytes[..], b"\x00\r\n--xy\r\n\xff");
    }

    #[test]
    fn a_torn_multipart_body_is_refused() {
        for raw in [&b"--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nno end"[..], b"nothing", b"--xyz", b"--xyz\r\n\r\n"] {
            assert!(parse("multipart/form-data; boundary=xyz", &Bytes::copy_from_slice(raw)).is_none());
        }
    }

    #[test]
    fn percent_signs_are_resolved_where_they_mean_something() {
        assert_eq!(percent_decode("/a/%40original/%4/%zz/%C3%A9"), "/a/@original/%4/%zz/é");
        assert_eq!(percent_decode("/%ff"), "/%ff");
    }

    #[test]
    fn json_that_is_none_is_refused() {
        assert!(parse("application/json", &Bytes::from_static(b"{")).is_none());
        assert!(parse("application/json", &Bytes::new()).unwrap().json.is_null());
    }
}
