//! FIDO2 and CTAPHID bytes and the values they stand for: what the key and its driver both speak.
//!
//! Nothing here holds state across messages, does input or output, or allocates. Section numbers are those of
//! *Client to Authenticator Protocol (CTAP)* 2.3, Proposed Standard of 2026-02-26, unless a comment names
//! another text.
//!
//! | room | what is in it |
//! |---|---|
//! | [`cbor`] | the strict reader of CTAP2 canonical CBOR and the encoder |
//! | [`cose`] | public keys as COSE_Key maps |
//! | [`auth_data`] | authenticator data |
//! | [`ctap2`] | commands, their requests, their names and numbers |
//! | [`ctaphid`] | packets of 64 bytes, messages, and the way from one to the other |
//! | [`status`] | status codes |
//! | [`time`] | milliseconds |
//! | [`u2f`] | APDUs, requests, responses and status words of U2F |
#![no_std]

#[cfg(test)]
extern crate std;

pub mod auth_data;
pub mod cbor;
pub mod cose;
pub mod ctap2;
pub mod ctaphid;
pub mod status;
pub mod time;
pub mod u2f;
