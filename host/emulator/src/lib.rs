//! The Keywright security key on a PC: the firmware with the system's randomness, a flash in a file, and ways for hosts to
//! reach it.
//!
//! [`Emulator::start`] powers a key up. One thread has the key and takes inputs from one channel; each way in is a thread that reads
//! and puts what it reads into that channel. A [`Handle`] does what a hand would do, and so does the control socket
//! (`CONTROL.md`).
//!
//! | room | what is in it |
//! |---|---|
//! | [`flash`] | NOR flash in memory or in a file, made durable a commit at a time |
//! | `random`, `identity`, [`attestation`] | what else a key is made with |
//! | `virtual_key` | the loop |
//! | `touch` | who touches the key |
//! | `routes` | which answers go to whom |
//! | `frontend` | UDP, TCP, uhid, USB/IP, and hosts in the same process |
//! | `control` | the control socket |
//!
//! ```
//! use keywright_emulator::{Emulator, Options};
//!
//! let running = Emulator::start(Options::default())?;
//! let (to_key, from_key) = running.handle().connect()?;
//! let mut init = [0; 64];
//! init[..7].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x86, 0, 8]);
//! to_key.send(init)?;
//! assert_eq!(from_key.recv()?[4..7], [0x86, 0, 17]);
//! running.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod attestation;
mod control;
mod emulator;
mod error;
pub mod flash;
mod frontend;
mod handle;
mod identity;
mod input;
mod random;
mod routes;
mod state;
mod touch;
mod virtual_key;

pub use emulator::{Emulator, Options, Running, Storage};
pub use error::{Error, Stopped};
pub use frontend::{Frontend, UsbIp};
pub use handle::Handle;
pub use identity::Attestation;
pub use random::Random;
pub use state::{Indication, State};
pub use touch::{Answer, Ask, Prompt, TouchPolicy, UnknownPolicy};
