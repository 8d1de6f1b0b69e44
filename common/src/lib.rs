//! FIDO2 and CTAPHID bytes and the values they stand for.
#![no_std]
