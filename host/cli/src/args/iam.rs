//! What the local IAM is started with, and what is done to its data.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// How other machines reach the console.
#[derive(Debug, Args)]
pub(crate) struct Tls {
    /// Serve TLS with this certificate and those up to its root (PEM); other addresses than 127.0.0.1 need it.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM), in a file that nobody else can read.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How browsers name the console, such as `https://iam.example.org`: security keys belong to that name.
    #[arg(long, value_name = "URL", requires = "tls_cert")]
    pub(crate) origin: Option<String>,
}

/// What is allowed to whom.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    /// Deny users who are no administrators what they call without MFA, as AWS's policy for that does.
    #[arg(long)]
    pub(crate) guard: bool,
    /// With --guard: MFA that was proven longer ago than so many seconds is none.
    #[arg(long, value_name = "SECONDS", requires = "guard")]
    pub(crate) mfa_within: Option<u32>,
    /// Who takes MFA devices out of use: an administrator, whom users ask, or their owner too.
    #[arg(long, value_name = "WHO", default_value = "administrator")]
    pub(crate) removal: RemovalBy,
    /// Know the makers of security keys from this file, in the shape of FIDO's metadata (MDS3); may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata: Vec<PathBuf>,
    /// Register only security keys with this level of iam:FIDO-certification, such as L1; repeated: one of these.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) fido_certification: Vec<String>,
    /// The same for iam:FIDO-FIPS-140-2-certification.
    #[arg(long = "fips-140-2-certification", value_name = "LEVEL")]
    pub(crate) fips_140_2: Vec<String>,
    /// The same for iam:FIDO-FIPS-140-3-certification.
    #[arg(long = "fips-140-3-certification", value_name = "LEVEL")]
    pub(crate) fips_140_3: Vec<String>,
    /// Register no security key (iam:RegisterSecurityKey).
    #[arg(long)]
    pub(crate) refuse_security_keys: bool,
    /// What is asked of security keys about their owner.
    #[arg(long, value_name = "WHAT", default_value = "preferred")]
    pub(crate) user_verification: UserVerification,
    /// What is asked of security keys about their maker.
    #[arg(long, value_name = "WHAT", default_value = "direct")]
    pub(crate) attestation: Attestation,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RemovalBy {
    Administrator,
    Owner,
}

/// WebAuthn's words.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum UserVerification {
    Required,
    Preferred,
    Discouraged,
}

/// WebAuthn's words.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Attestation {
    None,
    Indirect,
    Direct,
}

/// The data directory of a local IAM, whether or not it is being served.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The folder that `iam serve` keeps its data in.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Import serial numbers and seeds, all of the file or nothing.
    Import {
        /// CSV (serial,seed_hex or serial,seed_base32) or PSKC with plain seeds.
        file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// List the tokens, and who has them.
    List(Data),
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The copy: a new file.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) data: Data,
}
