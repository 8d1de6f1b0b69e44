//! Answers as AWS's Query protocol writes them.

use std::borrow::Cow;

use crate::refusal::{Code, Refusal};

/// An XML element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    name: Cow<'static, str>,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(String),
    Children(Vec<Element>),
}

impl Element {
    /// An element with text in it.
    pub(crate) fn text(name: &'static str, text: impl ToString) -> Self {
        Self { name: name.into(), content: Content::Text(text.to_string()) }
    }

    /// An element with others in it.
    pub(crate) fn of(name: impl Into<Cow<'static, str>>, children: impl Into<Vec<Self>>) -> Self {
        Self { name: name.into(), content: Content::Children(children.into()) }
    }

    /// A list: each entry is a `member`.
    pub(crate) fn list(name: &'static str, entries: impl IntoIterator<Item = Vec<Self>>) -> Self {
        Self::of(name, entries.into_iter().map(|entry| Self::of("member", entry)).collect::<Vec<_>>())
    }

    fn write(&self, out: &mut String) {
        out.extend(["<", &self.name, ">"]);
        self.write_content(out);
        out.extend(["</", &self.name, ">"]);
    }

    fn write_content(&self, out: &mut String) {
        match &self.content {
            Content::Text(text) => escape(text, out),
            Content::Children(children) => children.iter().for_each(|child| child.write(out)),
        }
    }
}

/// The document of an action that went well; `None` where AWS answers nothing but the request's id.
pub(crate) fn response(
    action: &str,
    namespace: &str,
    result: Option<Vec<Element>>,
    request_id: &str,
) -> String {
    let result = result.map(|members| Element::of(format!("{action}Result"), members));
    let metadata = Element::of("ResponseMetadata", [Element::text("RequestId", request_id)]);
    let children: Vec<_> = result.into_iter().chain([metadata]).collect();
    document(&format!("{action}Response"), namespace, children)
}

/// The document of a refusal.
pub(crate) fn error(refusal: &Refusal, namespace: &str, request_id: &str) -> String {
    let fault = if refusal.code == Code::ServiceFailure { "Receiver" } else { "Sender" };
    let error = [
        Element::text("Type", fault),
        Element::text("Code", refusal.code),
        Element::text("Message", &refusal.message),
    ];
    let children = vec![Element::of("Error", error), Element::text("RequestId", request_id)];
    document("ErrorResponse", namespace, children)
}

fn document(name: &str, namespace: &str, children: Vec<Element>) -> String {
    let mut out = format!("<{name} xmlns=\"{namespace}\">");
    Element::of("", children).write_content(&mut out);
    out.extend(["</", name, ">\n"]);
    out
}

/// XML knows no control characters, however they are written: each becomes U+FFFD.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_awss_shape() {
        let found = response("GetUser", "urn:x", Some(vec![Element::text("Path", "/")]), "1-2");
        let expected = "<GetUserResponse xmlns=\"urn:x\"><GetUserResult><Path>/</Path></GetUserResult>\
                        <ResponseMetadata><RequestId>1-2</RequestId></ResponseMetadata></GetUserResponse>\n";
        assert_eq!(found, expected);
    }

    #[test]
    fn an_error_has_awss_shape_and_cannot_break_out_of_it() {
        let found = error(&Refusal::invalid("</Message><a b=\"c\">&\u{1}\u{ffff}\r"), "urn:x", "1-2");
        let expected = "<ErrorResponse xmlns=\"urn:x\"><Error><Type>Sender</Type><Code>InvalidInput</Code><Message>\
                        &lt;/Message&gt;&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}\u{fffd}&#xD;</Message></Error>\
                        <RequestId>1-2</RequestId></ErrorResponse>\n";
        assert_eq!(found, expected);
        roxmltree::Document::parse(&found).unwrap();
    }
}
