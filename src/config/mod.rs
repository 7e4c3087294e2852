//! One typed settings tree: flags > environment > `.env` > defaults.
//!
//! What it does: [`Settings::resolve`] reads every setting once, at the start; nothing else looks at
//! the environment. The environment variables of the old server's documentation keep their names.
//!
//! Invariants: a secret is a [`Secret`](engram_domain::Secret), which never prints; a value that cannot be read is an error
//! that names its variable, not a silent default. To add a setting: a member with its unit in
//! [`settings`], a line that reads it, a line in the documentation.

mod environment;
mod known;
mod limits;
mod settings;
mod traces;

pub use environment::{ConfigError, Environment};
pub use limits::{LimitSettings, ListenSettings, NodeSettings};
pub use settings::{DatabaseSettings, LogSettings, ModelSettings, ServerSettings, Settings};
pub use traces::TraceSettings;
