//! The whole security key without its board.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod ctaphid;
