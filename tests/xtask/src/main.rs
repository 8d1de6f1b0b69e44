//! `cargo xtask`: checks and set-up.

fn main() {}
