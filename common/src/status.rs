//! Status codes: the first byte of every CTAP2 response (§8.2).

use core::fmt;

/// A CTAP status code. Open: a code that is not named here survives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u8);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The specification's name without its `CTAP1_ERR_` or `CTAP2_ERR_` prefix; `None` for a code that has none.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    /// The command succeeded.
    OK = 0x00;
    /// The command is not known.
    INVALID_COMMAND = 0x01;
    /// A parameter's value is not acceptable.
    INVALID_PARAMETER = 0x02;
    /// A length is not acceptable.
    INVALID_LENGTH = 0x03;
    /// A sequence number was not the expected one.
    INVALID_SEQ = 0x04;
    /// The rest of a message did not come in time.
    TIMEOUT = 0x05;
    /// Another channel is being served.
    CHANNEL_BUSY = 0x06;
    /// The command needs a channel lock.
    LOCK_REQUIRED = 0x0a;
    /// The channel is not allocated.
    INVALID_CHANNEL = 0x0b;
    /// A value has the wrong CBOR type.
    CBOR_UNEXPECTED_TYPE = 0x11;
    /// The CBOR is malformed or not canonical.
    INVALID_CBOR = 0x12;
    /// A mandatory parameter is missing.
    MISSING_PARAMETER = 0x14;
    /// More of something than the authenticator takes.
    LIMIT_EXCEEDED = 0x15;
    /// The fingerprint database is full.
    FP_DATABASE_FULL = 0x17;
    /// The large blob array is full.
    LARGE_BLOB_STORAGE_FULL = 0x18;
    /// A credential of the exclude list is held by this authenticator.
    CREDENTIAL_EXCLUDED = 0x19;
    /// Lengthy operation in progress.
    PROCESSING = 0x21;
    /// The credential is not valid for this authenticator.
    INVALID_CREDENTIAL = 0x22;
    /// Waiting for the user.
    USER_ACTION_PENDING = 0x23;
    /// An operation is pending.
    OPERATION_PENDING = 0x24;
    /// No operation is pending.
    NO_OPERATIONS = 0x25;
    /// None of the algorithms asked for is supported.
    UNSUPPORTED_ALGORITHM = 0x26;
    /// The user declined, or a permission is lacking.
    OPERATION_DENIED = 0x27;
    /// There is no room for another credential.
    KEY_STORE_FULL = 0x28;
    /// An option is not supported.
    UNSUPPORTED_OPTION = 0x2b;
    /// An option's value is not valid in this command.
    INVALID_OPTION = 0x2c;
    /// The platform cancelled the command.
    KEEPALIVE_CANCEL = 0x2d;
    /// There is no credential for this relying party.
    NO_CREDENTIALS = 0x2e;
    /// The user did not act in time.
    USER_ACTION_TIMEOUT = 0x2f;
    /// Not now, or not without what must come before.
    NOT_ALLOWED = 0x30;
    /// The PIN is wrong.
    PIN_INVALID = 0x31;
    /// No PIN retries are left: only a reset helps.
    PIN_BLOCKED = 0x32;
    /// `pinUvAuthParam` is wrong.
    PIN_AUTH_INVALID = 0x33;
    /// Three wrong PINs since power-up: the key must be plugged in again.
    PIN_AUTH_BLOCKED = 0x34;
    /// No PIN is set.
    PIN_NOT_SET = 0x35;
    /// A `pinUvAuthToken` is required.
    PUAT_REQUIRED = 0x36;
    /// The new PIN is against the policy.
    PIN_POLICY_VIOLATION = 0x37;
    /// The request is larger than the authenticator can take.
    REQUEST_TOO_LARGE = 0x39;
    /// The action timed out.
    ACTION_TIMEOUT = 0x3a;
    /// A touch is required.
    UP_REQUIRED = 0x3b;
    /// Built-in user verification is blocked.
    UV_BLOCKED = 0x3c;
    /// The hash of the large blob array is wrong.
    INTEGRITY_FAILURE = 0x3d;
    /// The subcommand is not known.
    INVALID_SUBCOMMAND = 0x3e;
    /// Built-in user verification failed.
    UV_INVALID = 0x3f;
    /// A permission was asked for that this authenticator does not give.
    UNAUTHORIZED_PERMISSION = 0x40;
    /// Any other failure.
    OTHER = 0x7f;
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:#04x})", self.0),
            None => write!(f, "status {:#04x}", self.0),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
