//! The whole security key without its board.
#![no_std]
