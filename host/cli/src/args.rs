//! The command line's shape.

#[cfg(all(feature = "iam", unix))]
pub(crate) mod aws;
#[cfg(all(feature = "iam", unix))]
pub(crate) mod iam;
#[cfg(all(feature = "iam", unix))]
pub(crate) mod login;
#[cfg(all(feature = "totp", unix))]
pub(crate) mod totp;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use keywright_host::transport::DeviceAddress;

use crate::credential_file::CredentialId;
use crate::doctor::Purpose;

/// A FIDO2 security key in software, and the driver for any vendor's key.
#[derive(Debug, Parser)]
#[command(name = "keywright", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Print one JSON value on standard output instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the security keys that are plugged in.
    List,
    /// Show what a key is and can do.
    Info(Device),
    /// Make a credential on a key, verify it, and keep its public part in a file.
    Register(Register),
    /// Have a credential prove itself, and verify the proof.
    Authenticate(Authenticate),
    /// Set or change the PIN, or ask how many tries are left.
    #[command(subcommand)]
    Pin(Pin),
    /// Look at and change the discoverable credentials of a key.
    #[command(subcommand)]
    Credentials(Credentials),
    /// Wipe a key: every credential and the PIN are gone for good.
    Reset(Reset),
    /// Ask the user to touch one of several keys, and say which.
    Select(Select),
    /// Have a key show itself.
    Wink(Device),
    /// Say what this machine lacks for keys, virtual ones too, and how to mend it.
    Doctor(Doctor),
    /// Run a virtual key.
    #[cfg(all(feature = "emulator", unix))]
    Emulate(Emulate),
    /// An authenticator app: accounts that show codes.
    #[cfg(all(feature = "totp", unix))]
    #[command(subcommand)]
    Totp(totp::Totp),
    /// The local IAM, and MFA devices at any IAM.
    #[cfg(all(feature = "iam", unix))]
    #[command(subcommand)]
    Iam(Iam),
    /// Register a virtual key in a local IAM and sign in with it, from nothing.
    #[cfg(all(feature = "emulator", feature = "iam", unix))]
    Demo(Demo),
}

/// Which key.
#[derive(Clone, Debug, Args)]
pub(crate) struct Device {
    /// The key: hid:PATH, udp:ADDRESS:PORT or tcp:ADDRESS:PORT; without it, the only one plugged in, or the one touched.
    #[arg(long, value_name = "WHERE")]
    pub(crate) device: Option<DeviceAddress>,
}

/// Where the PIN comes from; without either it is asked for, hidden.
#[derive(Clone, Debug, Args)]
pub(crate) struct PinSource {
    /// Read the PIN from this file descriptor: its next line.
    #[arg(long, value_name = "FD", conflicts_with = "pin_env")]
    pub(crate) pin_fd: Option<u32>,
    /// Take the PIN from this environment variable.
    #[arg(long, value_name = "NAME")]
    pub(crate) pin_env: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    #[command(flatten)]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) pin: PinSource,
    /// The relying party's id, such as example.org.
    #[arg(long, value_name = "ID")]
    pub(crate) rp: String,
    /// The account's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: String,
    /// Make a discoverable credential, which the key can offer by itself.
    #[arg(long)]
    pub(crate) resident: bool,
    /// Require the PIN.
    #[arg(long)]
    pub(crate) uv: bool,
    /// The algorithm; given more than once, the first that the key has.
    #[arg(long, value_enum, default_values = ["es256", "eddsa"])]
    pub(crate) alg: Vec<AlgorithmName>,
    /// Where to keep the public part of the credential.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Take the place of a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AlgorithmName {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    Eddsa,
}

#[derive(Debug, Args)]
pub(crate) struct Authenticate {
    #[command(flatten)]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) pin: PinSource,
    /// The file that `register` wrote; its counter is brought up to date.
    #[arg(value_name = "FILE")]
    pub(crate) credential: PathBuf,
    /// Require the PIN.
    #[arg(long)]
    pub(crate) uv: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Pin {
    /// Set the first PIN of a key.
    Set {
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        new: NewPin,
    },
    /// Change the PIN of a key.
    Change {
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        pin: PinSource,
        #[command(flatten)]
        new: NewPin,
    },
    /// Show how many wrong PINs the key still takes.
    Retries(Device),
}

/// Where the new PIN comes from; without either it is asked for twice, hidden.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewPin {
    /// Read the new PIN from this file descriptor: its next line, if it is also that of --pin-fd.
    #[arg(long, value_name = "FD", conflicts_with = "new_pin_env")]
    pub(crate) new_pin_fd: Option<u32>,
    /// Take the new PIN from this environment variable.
    #[arg(long, value_name = "NAME")]
    pub(crate) new_pin_env: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Credentials {
    /// List the discoverable credentials.
    List {
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        pin: PinSource,
        /// Only those of this relying party.
        #[arg(long, value_name = "ID")]
        rp: Option<String>,
    },
    /// Delete a credential.
    Delete {
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        pin: PinSource,
        /// The credential's id, base64url as `list` shows it.
        #[arg(value_name = "ID", allow_hyphen_values = true)]
        id: CredentialId,
        /// Do not ask first.
        #[arg(long)]
        yes: bool,
    },
    /// Give the account of a credential another name.
    #[command(group(clap::ArgGroup::new("names").args(["name", "display_name"]).required(true).multiple(true)))]
    Rename {
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        pin: PinSource,
        /// The credential's id, base64url as `list` shows it.
        #[arg(value_name = "ID", allow_hyphen_values = true)]
        id: CredentialId,
        /// The account's new name.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The person's new name.
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    pub(crate) device: Device,
    /// Do not ask first.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// What the machine is wanted for; without any, everything.
    #[arg(value_name = "PURPOSE", value_enum)]
    pub(crate) purposes: Vec<Purpose>,
    /// Install the udev rule with which the person at the machine may run and use a virtual key without root.
    #[arg(long, conflicts_with = "purposes")]
    pub(crate) install_udev_rule: bool,
    /// Take the place of a rule of that name that was changed.
    #[arg(long, requires = "install_udev_rule")]
    pub(crate) replace: bool,
    /// Look at, or change, the image of a machine in this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Select {
    /// One of the keys to choose among; without it, all that are plugged in.
    #[arg(long, value_name = "WHERE")]
    pub(crate) device: Vec<DeviceAddress>,
}

/// A virtual key.
#[cfg(all(feature = "emulator", unix))]
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("memory").required(true)))]
#[command(group(clap::ArgGroup::new("ways").args(["udp", "tcp", "uhid", "usbip", "control"]).required(true).multiple(true)))]
pub(crate) struct Emulate {
    /// Serve 64-byte datagrams on this address, such as 127.0.0.1:8111; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) udp: Option<std::net::SocketAddr>,
    /// Serve 64-byte frames on this address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) tcp: Option<std::net::SocketAddr>,
    /// Be a HID device of this machine (/dev/uhid), for browsers and whatever else looks for keys; Linux only.
    #[arg(long)]
    pub(crate) uhid: bool,
    /// Be a USB device that a VM or another system attaches over USB/IP, from this address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) usbip: Option<std::net::SocketAddr>,
    /// Run so many independent keys; the names of their files get .1, .2, … as endings if there are several.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) keys: u32,
    /// Keep the key's memory in this file; it holds the key's secret.
    #[arg(long, value_name = "FILE", group = "memory")]
    pub(crate) state: Option<PathBuf>,
    /// Keep nothing: the key is gone when the command ends.
    #[arg(long, group = "memory")]
    pub(crate) ephemeral: bool,
    /// Who touches the key when it asks: prompt (you, at this terminal), manual (the control socket alone), auto (the key itself,
    /// at once), after=MILLISECONDS (itself, later), or deny (nobody: every request is declined).
    #[arg(long, value_name = "WHO", default_value = "prompt")]
    pub(crate) touch: String,
    /// How new credentials are attested.
    #[arg(long, value_enum, default_value = "self")]
    pub(crate) attestation: AttestationName,
    /// Take control commands, JSON lines, on a Unix socket at this path.
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
    /// Let addresses be bound that other machines can reach. Whoever reaches them can use the key.
    #[arg(long)]
    pub(crate) allow_remote: bool,
}

#[cfg(all(feature = "emulator", unix))]
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AttestationName {
    /// Signed with the credential's own key.
    #[value(name = "self")]
    PackedSelf,
    /// Signed with the batch key of the virtual key, whose private part is public.
    Basic,
    /// None.
    None,
}

#[cfg(all(feature = "iam", unix))]
#[derive(Debug, Subcommand)]
pub(crate) enum Iam {
    /// Serve the console and its endpoints.
    #[command(group(clap::ArgGroup::new("memory").required(true)))]
    Serve {
        /// Listen on this address; port 0 takes a free one.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
        listen: std::net::SocketAddr,
        /// Keep users and devices in this folder.
        #[arg(long, value_name = "DIR", group = "memory")]
        data: Option<PathBuf>,
        /// Keep nothing: everything is gone when the command ends.
        #[arg(long, group = "memory")]
        ephemeral: bool,
        #[command(flatten)]
        tls: iam::Tls,
        #[command(flatten)]
        policy: iam::Policy,
    },
    /// Hardware TOTP tokens of a data folder, whether or not it is being served.
    #[command(subcommand)]
    Tokens(iam::Tokens),
    /// Copy the database of a data folder, whether or not it is being served.
    Backup(iam::Backup),
    /// Sign in with a touch of the key, and print temporary credentials as AWS's `credential_process` has them.
    Login(login::Login),
    /// Forget the login that is kept.
    Logout(login::Whom),
    /// Enrol an MFA device: a security key at the local IAM, or an authenticator app at any IAM, AWS's too.
    Enrol(Box<aws::Enrol>),
    /// Look at and change the MFA devices at any IAM, AWS's too.
    #[command(subcommand)]
    Devices(aws::Devices),
    /// Turn a code of an MFA device into temporary credentials, at any STS, AWS's too.
    Session(aws::Session),
}

/// The demonstration.
#[cfg(all(feature = "emulator", feature = "iam", unix))]
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the console open at the end, and print its address.
    #[arg(long)]
    pub(crate) serve: bool,
    /// Tell it with this key in the place of a virtual one: hid:PATH, udp:ADDRESS:PORT or tcp:ADDRESS:PORT. A credential is
    /// left on it.
    #[arg(long, value_name = "WHERE")]
    pub(crate) device: Option<DeviceAddress>,
}
