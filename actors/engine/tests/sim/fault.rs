//! What goes wrong, and when.

use std::{fmt, str::FromStr};

/// A fault at the effect of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub at: u64,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The process is killed; the effect has not happened.
    KilledBefore,
    /// The process is killed; the effect has happened.
    KilledAfter,
    /// The effect has happened, and the process is told that it has not.
    Lost,
    /// The effect has not happened, and the process is told so.
    Refused,
    /// The process stops for longer or shorter than its lease, and goes on as if nothing had been.
    Frozen,
}

impl Kind {
    /// Those that are no death.
    pub const OTHERS: [Self; 3] = [Self::Lost, Self::Refused, Self::Frozen];
    const ALL: [(Self, &'static str); 5] = [
        (Self::KilledBefore, "killed-before"),
        (Self::KilledAfter, "killed-after"),
        (Self::Lost, "lost"),
        (Self::Refused, "refused"),
        (Self::Frozen, "frozen"),
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Kind::ALL.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, name)| name);
        write!(f, "{}:{name}", self.at)
    }
}

impl FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (at, name) = text.split_once(':').ok_or("no colon")?;
        let kind = Kind::ALL.iter().find(|(_, n)| *n == name).ok_or("no such fault")?.0;
        Ok(Self { at: at.parse().map_err(|_| "no number")?, kind })
    }
}
