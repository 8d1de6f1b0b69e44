//! The CTAP2 commands: one file each, and the two tables that lead to them.
//!
//! A command that needs presence is two functions. `check` reads the store and decides; it returns a plan and can write
//! nothing. `act` carries the plan out when the user has touched the key. Where `act` takes long there is a third:
//! `prepare` does of it, while the user is waited for, what gives nothing to anybody and changes nothing.

mod client_pin;
mod credential_management;
mod extensions;
mod get_assertion;
mod get_info;
mod get_next_assertion;
mod make_credential;
mod pin_uv_auth_param;
mod reset;

use embedded_storage::nor_flash::NorFlash;
use keywright_common::cbor::Encoder;
use keywright_common::ctap2::Command;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use crate::authenticator::Core;
use crate::decision::Grant;
use crate::state::State;
use crate::store::StoreError;

pub(crate) use credential_management::Enumerations;
pub(crate) use get_next_assertion::Assertions;

/// How a command goes on.
pub(crate) enum Next {
    /// The response has been written.
    Done,
    /// The user must touch the key first.
    Wait(Plan),
    /// There is more to do, when the transport has been served.
    Work(Plan),
}

/// What is left to do when the user has touched the key; wiped when dropped.
pub(crate) enum Plan {
    /// Nothing but this answer, which a platform without the user must not learn.
    Answer(Status),
    MakeCredential(make_credential::Plan),
    GetAssertion(get_assertion::Plan),
    Selection,
    Reset,
}

impl Plan {
    /// Whether it is carried out for a user who touched the key only.
    const fn needs_presence(&self) -> bool {
        match self {
            Self::Answer(_) => false,
            Self::GetAssertion(plan) => plan.needs_presence(),
            Self::MakeCredential(_) | Self::Selection | Self::Reset => true,
        }
    }

    /// What a user who does nothing is reported as.
    pub(crate) const fn timeout_status(&self) -> Status {
        match self {
            // §6.6 and §6.9 tell a time-out from a refusal; §6.1.2 step 14 and §6.2.2 step 9 do not.
            Self::Selection | Self::Reset => Status::USER_ACTION_TIMEOUT,
            _ => Status::OPERATION_DENIED,
        }
    }
}

/// Begins a command: `message` is the command byte and its parameters.
pub(crate) fn start<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    message: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let (&command, parameters) = message.split_first().ok_or(Status::INVALID_LENGTH)?;
    let command = Command(command);
    end_walks(&mut core.state, command);
    match command {
        Command::MAKE_CREDENTIAL => make_credential::start(core, parameters),
        Command::GET_ASSERTION => get_assertion::start(core, parameters, out),
        Command::GET_INFO => get_info::run(core, out),
        Command::CLIENT_PIN => client_pin::run(core, parameters, out),
        Command::RESET => reset::start(&core.state),
        Command::GET_NEXT_ASSERTION => get_next_assertion::run(core, out),
        Command::CREDENTIAL_MANAGEMENT | Command::CREDENTIAL_MANAGEMENT_PREVIEW => {
            credential_management::run(core, parameters, out)
        }
        Command::SELECTION => Ok(Next::Wait(Plan::Selection)),
        _ => Err(Status::INVALID_COMMAND),
    }
}

/// Does what takes long of carrying out a plan, where that can be done ahead.
pub(crate) fn prepare<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: &mut Plan,
    parameters: &[u8],
) -> Result<(), Status> {
    match plan {
        Plan::MakeCredential(plan) => make_credential::prepare(core, plan, parameters),
        Plan::GetAssertion(plan) => get_assertion::prepare(core, plan, parameters),
        Plan::Answer(_) | Plan::Selection | Plan::Reset => Ok(()),
    }
}

/// Carries out what a command has planned; `touched` is granted if the user was there for it.
pub(crate) fn act<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: Plan,
    touched: Grant,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    if plan.needs_presence() {
        touched.require(Status::OPERATION_DENIED)?;
    }
    match plan {
        Plan::Answer(status) => Err(status),
        Plan::MakeCredential(plan) => make_credential::act(core, plan, parameters, out),
        Plan::GetAssertion(plan) => get_assertion::act(core, plan, parameters, out),
        Plan::Selection => Ok(Next::Done),
        Plan::Reset => reset::act(core),
    }
}

/// A walk over credentials ends with any command that does not go on with it (§6).
fn end_walks(state: &mut State, command: Command) {
    if command != Command::GET_NEXT_ASSERTION {
        state.assertions = None;
    }
    if !matches!(command, Command::CREDENTIAL_MANAGEMENT | Command::CREDENTIAL_MANAGEMENT_PREVIEW) {
        state.enumerations = Enumerations::default();
    }
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::KEY_STORE_FULL,
            StoreError::NotFound => Self::NO_CREDENTIALS,
            _ => Self::OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan lies in the key's memory while a touch is awaited, and on the stack of a board when it is moved.
    #[test]
    fn a_plan_stays_within_its_budget() {
        let (plan, state) = (size_of::<Plan>(), size_of::<State>());
        std::println!("Plan: {plan} bytes; State: {state} bytes");
        assert!(plan <= 512, "{plan}");
        assert!(state <= 1024, "{state}");
    }
}
