//! The actions, and the members of each with the constraints of AWS's service model. One table.

use super::{
    Call, Element,
    members::{Member, Members, Shape, Text},
    mfa, sts, users,
};
use crate::refusal::{Code, Refusal};

/// An action that a client may name.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) service: Service,
    pub(super) members: &'static [Member],
    pub(super) run: Run,
}

impl Action {
    /// As policies and refusals name it: `iam:GetUser`.
    pub(super) fn full_name(&self) -> String {
        format!("{}:{}", self.service.name(), self.name)
    }
}

/// Carries a call out; `None` where AWS answers nothing but the request's id.
type Run = fn(&Call<'_>) -> Result<Option<Vec<Element>>, Refusal>;

/// One of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Iam,
    Sts,
}

impl Service {
    /// The service of an API version.
    pub(super) fn of_version(version: &str) -> Option<Self> {
        [Self::Iam, Self::Sts].into_iter().find(|service| service.version() == version)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
        }
    }
}

/// The action that a request names, of the version that it names.
pub(super) fn find(members: &Members) -> Result<&'static Action, Refusal> {
    let Some(name) = members.get("Action") else {
        let text =
            "The request must contain the parameter Action, in a form (application/x-www-form-urlencoded).";
        return Err(Refusal::new(Code::MissingAction, text));
    };
    let version = members.get("Version").unwrap_or_default();
    let service = Service::of_version(version);
    let found = ACTIONS.iter().find(|action| action.name == name && Some(action.service) == service);
    found.ok_or_else(|| {
        let text = format!("Could not find operation {name} for version {version}");
        Refusal::new(Code::InvalidAction, text)
    })
}

const ACTIONS: &[Action] = &[
    iam(
        "CreateVirtualMFADevice",
        &[PATH, need("VirtualMFADeviceName", DEVICE_NAME), may("Tags", Shape::Tags)],
        mfa::create,
    ),
    iam("EnableMFADevice", TWO_CODES, mfa::enable),
    iam("ResyncMFADevice", TWO_CODES, mfa::resync),
    iam("DeactivateMFADevice", &[USER, SERIAL], mfa::deactivate),
    iam("DeleteVirtualMFADevice", &[SERIAL], mfa::delete),
    iam("ListMFADevices", &[USER, MARKER, MAX_ITEMS], mfa::list),
    iam(
        "ListVirtualMFADevices",
        &[may("AssignmentStatus", ASSIGNMENT), MARKER, MAX_ITEMS],
        mfa::list_virtual,
    ),
    iam("GetMFADevice", &[SERIAL, may("UserName", NEW_USER_NAME)], mfa::get),
    iam("TagMFADevice", &[SERIAL, need("Tags", Shape::Tags)], mfa::tag),
    iam("UntagMFADevice", &[SERIAL, need("TagKeys", Shape::TagKeys)], mfa::untag),
    iam("ListMFADeviceTags", &[SERIAL, MARKER, MAX_ITEMS], mfa::list_tags),
    iam(
        "CreateUser",
        &[
            PATH,
            need("UserName", NEW_USER_NAME),
            may("PermissionsBoundary", Shape::Unsupported),
            may("Tags", Shape::Unsupported),
        ],
        users::create,
    ),
    iam("GetUser", &[USER], users::get),
    iam("ListUsers", &[may("PathPrefix", PATH_PREFIX), MARKER, MAX_ITEMS], users::list),
    iam("DeleteUser", &[need("UserName", USER_NAME)], users::delete),
    iam(
        "CreateLoginProfile",
        &[
            may("UserName", NEW_USER_NAME),
            need("Password", PASSWORD),
            may("PasswordResetRequired", Shape::OneOf(&["false"])),
        ],
        users::create_login_profile,
    ),
    iam("DeleteLoginProfile", &[may("UserName", NEW_USER_NAME)], users::delete_login_profile),
    iam("CreateAccessKey", &[USER], users::create_access_key),
    iam("ListAccessKeys", &[USER, MARKER, MAX_ITEMS], users::list_access_keys),
    iam("DeleteAccessKey", &[USER, need("AccessKeyId", ACCESS_KEY_ID)], users::delete_access_key),
    sts("GetCallerIdentity", &[], sts::get_caller_identity),
    sts("GetSessionToken", &[duration(129_600), STS_SERIAL, TOKEN_CODE, TOKEN_SIZE], sts::get_session_token),
    sts(
        "AssumeRole",
        &[
            need("RoleArn", ARN),
            need("RoleSessionName", SESSION_NAME),
            may("PolicyArns", Shape::Unsupported),
            may("Policy", Shape::Unsupported),
            duration(43_200),
            may("Tags", Shape::Unsupported),
            may("TransitiveTagKeys", Shape::Unsupported),
            may("ExternalId", Shape::Unsupported),
            STS_SERIAL,
            TOKEN_CODE,
            may("SourceIdentity", Shape::Unsupported),
            may("ProvidedContexts", Shape::Unsupported),
            TOKEN_SIZE,
        ],
        sts::assume_role,
    ),
];

const TWO_CODES: &[Member] = &[
    need("UserName", USER_NAME),
    SERIAL,
    need("AuthenticationCode1", CODE),
    need("AuthenticationCode2", CODE),
];

const fn iam(name: &'static str, members: &'static [Member], run: Run) -> Action {
    Action { name, service: Service::Iam, members, run }
}

const fn sts(name: &'static str, members: &'static [Member], run: Run) -> Action {
    Action { name, service: Service::Sts, members, run }
}

const fn need(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, shape }
}

const fn may(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, shape }
}

const fn duration(max: u32) -> Member {
    may("DurationSeconds", Shape::Integer { min: 900, max })
}

const fn text(min: usize, max: usize, pattern: &'static str, fits: fn(&str) -> bool) -> Text {
    Text { min, max, pattern, fits }
}

const USER: Member = may("UserName", USER_NAME);
const PATH: Member =
    may("Path", Shape::Text(text(1, 512, r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", is_path)));
const SERIAL: Member = need("SerialNumber", Shape::Text(text(9, 256, r"[\w+=/:,.@-]+", is_serial)));
const STS_SERIAL: Member = may("SerialNumber", Shape::Text(text(9, 256, r"[\w+=/:,.@-]*", is_serial)));
const TOKEN_CODE: Member = may("TokenCode", Shape::Secret(text(6, 6, r"[\d]*", is_digits)));
const TOKEN_SIZE: Member = may("MinimumSessionTokenSize", Shape::Unsupported);
const MARKER: Member = may("Marker", Shape::Text(text(1, 320, r"[\u0020-\u00FF]+", is_latin)));
const MAX_ITEMS: Member = may("MaxItems", Shape::Integer { min: 1, max: 1000 });

const USER_NAME: Shape = Shape::Text(text(1, 128, r"[\w+=,.@-]+", is_name));
const NEW_USER_NAME: Shape = Shape::Text(text(1, 64, r"[\w+=,.@-]+", is_name));
const SESSION_NAME: Shape = Shape::Text(text(2, 64, r"[\w+=,.@-]*", is_name));
/// The model has no maximum; the serial number's leaves 226 for the name.
const DEVICE_NAME: Shape = Shape::Text(text(1, 226, r"[\w+=,.@-]+", is_name));
const CODE: Shape = Shape::Secret(text(6, 6, r"[\d]+", is_digits));
const PATH_PREFIX: Shape = Shape::Text(text(1, 512, r"\u002F[\u0021-\u007F]*", is_path_prefix));
const PASSWORD: Shape = Shape::Secret(text(1, 128, r"[\u0009\u000A\u000D\u0020-\u00FF]+", is_password));
const ACCESS_KEY_ID: Shape = Shape::Text(text(16, 128, r"[\w]+", is_word));
const ARN: Shape = Shape::Text(text(
    20,
    2048,
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD]+",
    is_arn,
));
const ASSIGNMENT: Shape = Shape::OneOf(&["Assigned", "Unassigned", "Any"]);

fn is_path(text: &str) -> bool {
    let inside = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    text == "/"
        || inside.is_some_and(|inside| !inside.is_empty() && inside.bytes().all(|b| b.is_ascii_graphic()))
}

fn is_path_prefix(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|rest| rest.bytes().all(|byte| (0x21..=0x7f).contains(&byte)))
}

/// `\w` is ASCII's alone: real clients send patterns unchecked, and AWS's are Java's.
fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

fn is_serial(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=/:,.@-".contains(&byte))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_latin(text: &str) -> bool {
    text.chars().all(|c| ('\u{20}'..='\u{ff}').contains(&c))
}

fn is_password(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
}

fn is_arn(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{85}') || !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> Code {
        find(&Members::parse(body.as_bytes()).unwrap()).err().unwrap().code
    }

    #[test]
    fn an_action_is_found_in_its_own_version_alone() {
        find(&Members::parse(b"Action=GetUser&Version=2010-05-08").unwrap()).ok().unwrap();
        for body in [
            "Action=GetUser&Version=2011-06-15",
            "Action=GetCallerIdentity&Version=2010-05-08",
            "Action=GetUser",
            "Action=getuser&Version=2010-05-08",
            "Action=AttachUserPolicy&Version=2010-05-08",
        ] {
            assert_eq!(code(body), Code::InvalidAction, "{body}");
        }
        assert_eq!(code("Version=2010-05-08"), Code::MissingAction);
    }

    #[test]
    fn no_two_actions_share_a_name() {
        let mut names: Vec<_> = ACTIONS.iter().map(|action| action.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ACTIONS.len());
    }

    #[test]
    fn a_path_begins_and_ends_with_a_slash() {
        assert!(is_path("/") && is_path("/a/") && is_path("/a/b!/"));
        for path in ["", "//", "a", "/a", "a/", "/a b/", "/é/"] {
            assert!(!is_path(path), "{path}");
        }
    }
}
