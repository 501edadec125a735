//! Reads a string out of a JSON document: all that this provider wants of its requests, in a
//! page of safe code, so that the crate needs nothing from elsewhere. A provider that wants
//! more takes serde_json. The documents come from the core and hold no secrets.
//!
//! It reads as far as it has to and does not judge the rest. It does not recurse, so a
//! deeply nested document costs no stack, and it does not panic on nonsense.
#![forbid(unsafe_code)]

/// The string that the names in `path` lead to, the outermost first; `None` if there is
/// nothing, or something else.
pub fn string(document: &[u8], path: &[&str]) -> Option<String> {
    let mut reader = Reader { text: document, at: 0 };
    for name in path {
        reader.enter(name)?;
    }
    reader.string()
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next byte that is no white space, left where it is.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// From the start of an object to the start of the value of its member `name`.
    fn enter(&mut self, name: &str) -> Option<()> {
        self.expect(b'{')?;
        loop {
            let found = self.string()? == name;
            self.expect(b':')?;
            if found {
                return Some(());
            }
            self.skip()?;
            self.expect(b',')?;
        }
    }

    /// Past one value. Brackets are only counted, so nesting needs no memory.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                _ => self.word()?,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(
            self.text.get(self.at),
            Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.')
        ) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let mut out = Vec::new();
        loop {
            match self.next()? {
                b'"' => return String::from_utf8(out).ok(),
                b'\\' => {
                    let mut utf8 = [0; 4];
                    out.extend_from_slice(self.escape()?.encode_utf8(&mut utf8).as_bytes());
                }
                control if control < 0x20 => return None,
                byte => out.push(byte),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            other if br#""\/"#.contains(&other) => char::from(other),
            _ => return None,
        })
    }

    /// What stands behind `\u`: a character, or the first half of one. A half alone is U+FFFD.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.text.get(self.at..)?.starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            self.at = back;
        }
        Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |n, _| Some(n << 4 | char::from(self.next()?).to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use super::string;

    fn get(document: &str, path: &[&str]) -> Option<String> {
        string(document.as_bytes(), path)
    }

    #[test]
    fn finds_what_the_path_leads_to() {
        let open = r#" {"store": {"generation": 1, "x": [{"key": "no"}, null, -1.5e3, "]"]}, "a" : true,
                      "spec" : { "greeting" : "Hi" } , "key":"k"} "#;
        assert_eq!(get(open, &["spec", "greeting"]).as_deref(), Some("Hi"));
        assert_eq!(get(open, &["key"]).as_deref(), Some("k"));
        assert_eq!(get(r#"{"key":""}"#, &["key"]).as_deref(), Some(""));
        assert_eq!(get(r#""whole""#, &[]).as_deref(), Some("whole"));
    }

    #[test]
    fn takes_escapes_apart() {
        let text = r#"{"key":"\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00 \ud83d \ude00 \ud83d\u0041 é€😀"}"#;
        let want = "\"\\/\u{8}\u{c}\n\r\té€😀 \u{fffd} \u{fffd} \u{fffd}A é€😀";
        assert_eq!(get(text, &["key"]).as_deref(), Some(want));
        assert_eq!(get(r#"{"\u006bey":"k"}"#, &["key"]).as_deref(), Some("k"));
    }

    #[test]
    fn finds_nothing_where_there_is_no_such_string() {
        for other in
            [r#"{}"#, r#"{"key":1}"#, r#"{"key":null}"#, r#"{"key":["a"]}"#, r#"{"keys":"a"}"#, r#"["key"]"#]
        {
            assert_eq!(get(other, &["key"]), None, "{other}");
        }
    }

    /// Each beginning of a document that lacks a quote or more, and each with one byte replaced.
    #[test]
    fn survives_nonsense() {
        let text = br#"{"a":[1,{"b":"\u00e9\\"}],"spec":{"greeting":"Hi"}}"#;
        for end in 0..text.len() - 2 {
            assert_eq!(string(&text[..end], &["spec", "greeting"]), None);
        }
        for at in 0..text.len() {
            for byte in [0, b'"', b'\\', b'}', b']', b',', b':', b'u', 0xff] {
                let mut wrong = text.to_vec();
                wrong[at] = byte;
                let _ = string(&wrong, &["spec", "greeting"]);
            }
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!(r#"{{"a":{}{},"key":"k"}}"#, "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert_eq!(get(&deep, &["key"]).as_deref(), Some("k"));
        assert_eq!(get(&"{\"a\":[".repeat(1 << 20), &["key"]), None);
    }
}
