//! From wishes to running bots.
//!
//! [`plan::plan_changes`] compares what is wished with what is observed and says what to do; it is pure and tested as
//! data. [`local::Local`] has hands that cannot choose: it starts, observes and removes processes on this machine.
//! What a person sees is a pure function too: [`status::status`]. Nothing here knows templates, orders or users.

pub mod local;
pub mod plan;
pub mod status;

pub use local::{Local, LocalConfig, LocalError};
pub use plan::{Change, DesiredBot, Instance, InstanceState, RestartPolicy, Wish, plan_changes};
pub use status::{BotStatus, StatusInput, StatusLimits, status};
