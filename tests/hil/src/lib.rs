//! Keywright's scenarios against any key that can be reached, one of another vendor included: hardware in the loop.
//!
//! A [`Scenario`] is a row of a table: what it is about, what it needs of the key, whether it wants the key wiped, and a function
//! over a [`Rig`]. A rig is a way to the key and [`Hands`]: whoever touches it and plugs it in again, a person, the
//! emulator's control socket, or a harness around an emulated board. [`run`] asks the key what it offers, plays what was
//! selected, and says why it left out the rest. What keys may do differently from each other is a remark and no failure.
//!
//! | room | what is in it |
//! |---|---|
//! | `rig` | the way to the key, who stands at it, and conversations over it |
//! | `wire` | CTAPHID packet by packet, for what a driver would never send |
//! | `hands` | a person, or a control socket |
//! | `scenarios` | one file a subject |
//! | `run`, `report` | what is played, and what became of it: a table, JUnit's XML |

mod hands;
mod offer;
mod report;
mod rig;
mod run;
mod scenario;
mod scenarios;
mod wire;

pub use hands::Hands;
pub use offer::{Need, Offer};
pub use report::{Played, Report, Verdict};
pub use rig::Rig;
pub use run::{Selection, plan, run};
pub use scenario::{Effect, Play, Scenario, Stop};
pub use scenarios::TABLE;
