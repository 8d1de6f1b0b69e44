//! Tests that cross the crates of Keywright.
