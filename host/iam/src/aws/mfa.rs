//! The actions on MFA devices.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Call, truncation, users, xml::Element};
use crate::{
    devices::{Assignment, Kind},
    qr,
    refusal::{Code, Refusal},
    timestamp,
    totp::TwoCodes,
};

type Outcome = Result<Option<Vec<Element>>, Refusal>;

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let path = call.members.get("Path").unwrap_or("/");
    let name = call.members.required("VirtualMFADeviceName")?;
    let setup = call.iam.create_virtual_device(&call.actor(), path, name, &call.members.tags())?;
    let picture = qr::png(&setup.otpauth_uri)?;
    let device = [
        Element::text("SerialNumber", &setup.serial),
        // A blob of the model: base64 of the text, which is itself base32.
        Element::text("Base32StringSeed", BASE64_STANDARD.encode(setup.seed_base32.as_bytes())),
        Element::text("QRCodePNG", BASE64_STANDARD.encode(picture)),
    ];
    Ok(Some(vec![Element::of("VirtualMFADevice", device)]))
}

pub(super) fn enable(call: &Call<'_>) -> Outcome {
    call.iam.enable_totp(&call.actor(), &call.user()?, &two_codes(call)?, None)?;
    Ok(None)
}

pub(super) fn resync(call: &Call<'_>) -> Outcome {
    call.iam.resync(&call.actor(), &call.user()?, &two_codes(call)?)?;
    Ok(None)
}

pub(super) fn deactivate(call: &Call<'_>) -> Outcome {
    call.iam.deactivate(&call.actor(), &call.user()?, call.members.required("SerialNumber")?)?;
    Ok(None)
}

pub(super) fn delete(call: &Call<'_>) -> Outcome {
    call.iam.delete_virtual_device(&call.actor(), call.members.required("SerialNumber")?)?;
    Ok(None)
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let user = call.user()?;
    let page = call.iam.devices(&call.actor(), &user, call.wanted()?)?;
    let entries = page.items.into_iter().map(|device| {
        vec![
            Element::text("UserName", &user.name),
            Element::text("SerialNumber", device.serial),
            Element::text("EnableDate", timestamp::extended(device.enabled_at)),
        ]
    });
    Ok(Some([vec![Element::list("MFADevices", entries)], truncation(page.marker)].concat()))
}

pub(super) fn list_virtual(call: &Call<'_>) -> Outcome {
    let assignment = match call.members.get("AssignmentStatus") {
        Some("Assigned") => Assignment::Assigned,
        Some("Unassigned") => Assignment::Unassigned,
        _ => Assignment::Any,
    };
    let page = call.iam.virtual_devices(&call.actor(), assignment, call.wanted()?)?;
    let entries = page.items.into_iter().map(|device| {
        let serial = Element::text("SerialNumber", device.serial);
        let Some((user, since)) = device.owner else { return vec![serial] };
        let user = Element::of("User", users::shape(call, &user));
        vec![serial, user, Element::text("EnableDate", timestamp::extended(since))]
    });
    Ok(Some([vec![Element::list("VirtualMFADevices", entries)], truncation(page.marker)].concat()))
}

/// "For this API, we only accept FIDO security key ARNs", AWS writes.
pub(super) fn get(call: &Call<'_>) -> Outcome {
    let user = call.user()?;
    let device = call.iam.device(&call.actor(), &user, call.members.required("SerialNumber")?)?;
    if device.kind != Kind::Webauthn {
        let text = "GetMFADevice knows FIDO security keys only; ListMFADevices shows the other devices.";
        return Err(Refusal::new(Code::NoSuchEntity, text));
    }
    let entry = |(name, level): (&str, String)| {
        Element::of("entry", [Element::text("key", name), Element::text("value", level)])
    };
    let certifications: Vec<_> = call.iam.certifications(&device.serial)?.into_iter().map(entry).collect();
    let known = (!certifications.is_empty()).then(|| Element::of("Certifications", certifications));
    let members = [
        Element::text("UserName", &user.name),
        Element::text("SerialNumber", device.serial),
        Element::text("EnableDate", timestamp::extended(device.enabled_at)),
    ];
    Ok(Some(members.into_iter().chain(known).collect()))
}

pub(super) fn tag(call: &Call<'_>) -> Outcome {
    call.iam.tag(&call.actor(), call.members.required("SerialNumber")?, &call.members.tags())?;
    Ok(None)
}

pub(super) fn untag(call: &Call<'_>) -> Outcome {
    call.iam.untag(&call.actor(), call.members.required("SerialNumber")?, &call.members.tag_keys())?;
    Ok(None)
}

pub(super) fn list_tags(call: &Call<'_>) -> Outcome {
    let page = call.iam.tags_of(&call.actor(), call.members.required("SerialNumber")?, call.wanted()?)?;
    let entries = page
        .items
        .into_iter()
        .map(|tag| vec![Element::text("Key", tag.key), Element::text("Value", tag.value)]);
    Ok(Some([vec![Element::list("Tags", entries)], truncation(page.marker)].concat()))
}

fn two_codes<'a>(call: &Call<'a>) -> Result<TwoCodes<'a>, Refusal> {
    Ok(TwoCodes {
        serial: call.members.required("SerialNumber")?,
        first: call.members.required("AuthenticationCode1")?,
        second: call.members.required("AuthenticationCode2")?,
    })
}
