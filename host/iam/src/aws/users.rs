//! The actions on users, login profiles and access keys.

use super::{Call, truncation, xml::Element};
use crate::{
    access_keys::AccessKey,
    names::UserName,
    refusal::Refusal,
    timestamp,
    users::{NewUser, User},
};

type Outcome = Result<Option<Vec<Element>>, Refusal>;

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let name = UserName::parse(call.members.required("UserName")?)?;
    let path = call.members.get("Path").unwrap_or("/");
    let new = NewUser { path, name: &name, password: None, administrator: false };
    let user = call.iam.add_user(&call.actor(), &new)?;
    Ok(Some(vec![Element::of("User", shape(call, &user))]))
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let user = call.user()?;
    call.actor().require_self(&user, "iam:GetUser")?;
    Ok(Some(vec![Element::of("User", shape(call, &user))]))
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let prefix = call.members.get("PathPrefix").unwrap_or("/");
    let page = call.iam.users(&call.actor(), prefix, call.wanted()?)?;
    let entries = page.items.iter().map(|user| shape(call, user));
    Ok(Some([vec![Element::list("Users", entries)], truncation(page.marker)].concat()))
}

pub(super) fn delete(call: &Call<'_>) -> Outcome {
    call.iam.delete_user(&call.actor(), call.members.required("UserName")?)?;
    Ok(None)
}

pub(super) fn create_login_profile(call: &Call<'_>) -> Outcome {
    let (user, password) = (call.user()?, call.members.required("Password")?);
    let (user, at) = call.iam.create_login_profile(&call.actor(), &user.name, password)?;
    let profile = [
        Element::text("UserName", user.name),
        Element::text("CreateDate", timestamp::extended(at)),
        Element::text("PasswordResetRequired", false),
    ];
    Ok(Some(vec![Element::of("LoginProfile", profile)]))
}

pub(super) fn delete_login_profile(call: &Call<'_>) -> Outcome {
    call.iam.delete_login_profile(&call.actor(), &call.user()?.name)?;
    Ok(None)
}

pub(super) fn create_access_key(call: &Call<'_>) -> Outcome {
    let user = call.user()?;
    let made = call.iam.create_access_key(&call.actor(), &user)?;
    let mut key = key_shape(&user, &made.key);
    key.push(Element::text("SecretAccessKey", made.secret.as_str()));
    Ok(Some(vec![Element::of("AccessKey", key)]))
}

pub(super) fn list_access_keys(call: &Call<'_>) -> Outcome {
    let user = call.user()?;
    let page = call.iam.access_keys(&call.actor(), &user, call.wanted()?)?;
    let entries = page.items.iter().map(|key| key_shape(&user, key));
    Ok(Some([vec![Element::list("AccessKeyMetadata", entries)], truncation(page.marker)].concat()))
}

pub(super) fn delete_access_key(call: &Call<'_>) -> Outcome {
    call.iam.delete_access_key(&call.actor(), &call.user()?, call.members.required("AccessKeyId")?)?;
    Ok(None)
}

/// The members of a User.
pub(super) fn shape(call: &Call<'_>, user: &User) -> Vec<Element> {
    vec![
        Element::text("Path", &user.path),
        Element::text("UserName", &user.name),
        Element::text("UserId", &user.user_id),
        Element::text("Arn", user.arn(&call.iam.account)),
        Element::text("CreateDate", timestamp::extended(user.created_at)),
    ]
}

fn key_shape(user: &User, key: &AccessKey) -> Vec<Element> {
    vec![
        Element::text("UserName", &user.name),
        Element::text("AccessKeyId", &key.id),
        Element::text("Status", "Active"),
        Element::text("CreateDate", timestamp::extended(key.created_at)),
    ]
}
