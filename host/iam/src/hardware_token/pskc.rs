//! Seeds as PSKC (RFC 6030), the XML that vendors deliver: plain seeds of TOTP tokens with SHA-1, 6 digits and 30 s.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use roxmltree::{Document, Node, ParsingOptions};
use zeroize::Zeroizing;

use super::Entry;
use crate::refusal::Refusal;

/// The tokens of a file, in order.
pub(super) fn parse(file: &str) -> Result<Vec<Entry>, Refusal> {
    // Without a document type nothing in the file can grow or refer elsewhere.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(file, options)
        .map_err(|error| Refusal::invalid(format!("The file is not readable XML: {error}.")))?;
    let root = document.root_element();
    if !is(&root, "KeyContainer") {
        return Err(Refusal::invalid("The file is not a PSKC key container (RFC 6030)."));
    }
    if root.descendants().any(|node| is(&node, "EncryptionKey") || is_encrypted(&node)) {
        return Err(Refusal::invalid(
            "The seeds in the file are encrypted. Ask the vendor for plain seeds, or decrypt the file first.",
        ));
    }
    let packages: Vec<_> = root.children().filter(|node| is(node, "KeyPackage")).collect();
    packages.iter().map(entry).collect()
}

fn entry(package: &Node<'_, '_>) -> Result<Entry, Refusal> {
    let key = child(package, "Key").ok_or_else(|| missing("a key package without Key"))?;
    let info = child(package, "DeviceInfo");
    let serial = info.as_ref().and_then(|info| content(info, "SerialNo"));
    let serial = serial.or_else(|| key.attribute("Id")).map(str::trim);
    let serial = serial.ok_or_else(|| missing("a key package without SerialNo"))?.to_owned();
    check_profile(&serial, &key)?;
    let secret = child(&key, "Data").and_then(|data| child(&data, "Secret"));
    let text = secret.as_ref().and_then(|secret| content(secret, "PlainValue"));
    let text = text.ok_or_else(|| missing(&format!("no PlainValue of a Secret for {serial}")))?;
    let packed = Zeroizing::new(text.split_whitespace().collect::<String>());
    let seed = BASE64_STANDARD.decode(packed.as_bytes());
    let seed = seed.map_err(|_| Refusal::invalid(format!("The seed of {serial} is not base64.")))?;
    Ok(Entry { serial, seed: Zeroizing::new(seed) })
}

/// Refuses a token whose codes would not be the ones that are checked.
fn check_profile(serial: &str, key: &Node<'_, '_>) -> Result<(), Refusal> {
    let differs = |what: &str| {
        let text =
            format!("The token {serial} {what}: only TOTP with SHA-1, 6 digits and 30 seconds can be used.");
        Err(Refusal::invalid(text))
    };
    if key.attribute("Algorithm") != Some(TOTP) {
        return differs("is not of the TOTP profile");
    }
    let parameters = child(key, "AlgorithmParameters");
    let parameter = |name| parameters.as_ref().and_then(|parameters| child(parameters, name));
    let suite = parameters.as_ref().and_then(|parameters| content(parameters, "Suite"));
    if suite.is_some_and(|suite| {
        !["HMAC-SHA1", "SHA1", "SHA-1", ""].contains(&suite.trim().to_ascii_uppercase().as_str())
    }) {
        return differs("uses another hash");
    }
    let digits = |format: Node<'_, '_>| {
        format.attribute("Length") == Some("6") && format.attribute("Encoding") == Some("DECIMAL")
    };
    if parameter("ResponseFormat").is_some_and(|format| !digits(format)) {
        return differs("does not show 6 digits");
    }
    let data = child(key, "Data");
    let number = |name: &str| {
        let value = data.as_ref().and_then(|data| child(data, name));
        value.map(|value| content(&value, "PlainValue").unwrap_or_default().trim().to_owned())
    };
    if number("TimeInterval").is_some_and(|seconds| seconds != "30") {
        return differs("has another time step");
    }
    if number("Time").is_some_and(|begin| begin != "0") {
        return differs("counts from another time");
    }
    Ok(())
}

fn child<'a, 'd>(node: &Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| is(child, name))
}

fn content<'a>(node: &Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name)?.text()
}

fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.tag_name().name() == name && node.tag_name().namespace() == Some(NAMESPACE)
}

fn is_encrypted(node: &Node<'_, '_>) -> bool {
    ["EncryptedValue", "EncryptedData"].contains(&node.tag_name().name())
}

fn missing(what: &str) -> Refusal {
    Refusal::invalid(format!("The PSKC file lacks something: {what}."))
}

const NAMESPACE: &str = "urn:ietf:params:xml:ns:keyprov:pskc";
const TOTP: &str = "urn:ietf:params:xml:ns:keyprov:pskc:totp";
/// Ten thousand tokens, each a few dozen nodes.
const MOST_NODES: u32 = 1_000_000;
