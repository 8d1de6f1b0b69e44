//! Answers good and bad. The client itself is held by the command's own tests, against the local IAM.

use super::*;

fn answer(xml: &str) -> Answer {
    Answer { action: "X", xml: Zeroizing::new(xml.to_owned()) }
}

#[test]
fn texts_and_lists_are_found_whatever_the_namespace() {
    let answer = answer(
        "<R xmlns=\"urn:x\"><Result><MFADevices><member><UserName>a&amp;b</UserName><SerialNumber>1</SerialNumber></member>\
         <member><SerialNumber>2</SerialNumber></member></MFADevices><IsTruncated>false</IsTruncated></Result></R>",
    );
    assert_eq!(answer.text("IsTruncated").as_deref(), Some("false"));
    let devices = answer.list("MFADevices");
    assert_eq!(devices.len(), 2);
    assert_eq!(devices[0]["UserName"], "a&b");
    assert_eq!(devices[1].get("UserName"), None);
    assert!(answer.list("Users").is_empty());
    assert!(answer.required("Seed").is_err());
}

#[test]
fn what_is_no_answer_has_nothing_in_it() {
    for xml in ["", "<", "<a><b></a>", "{}", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"] {
        assert!(answer(xml).required("Code").is_err(), "{xml}");
        assert!(answer(xml).list("Code").is_empty(), "{xml}");
        assert_eq!(refusal(xml), None, "{xml}");
    }
}

#[test]
fn a_refusal_is_known_by_its_code() {
    let xml =
        "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>gone</Message></Error></ErrorResponse>";
    assert_eq!(refusal(xml), Some(("NoSuchEntity".to_owned(), "gone".to_owned())));
    let refused =
        |code: &str| ApiError::Refused { action: "X", code: code.to_owned(), message: String::new() };
    assert!(
        refused("NoSuchEntity").is("NoSuchEntity") && refused("NoSuchEntityException").is("NoSuchEntity")
    );
    assert!(!refused("DeleteConflict").is("NoSuchEntity"));
    assert!(!ApiError::Unknown { action: "X", why: "NoSuchEntity".to_owned() }.is("NoSuchEntity"));
}

#[test]
fn a_form_keeps_what_it_is_given() {
    let members = [("A", "ä&=+ /~"), ("Tags.member.1.Key", "")];
    assert_eq!(form(members.iter()).as_str(), "A=%C3%A4%26%3D%2B%20%2F~&Tags.member.1.Key=");
}
