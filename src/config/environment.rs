//! The environment, read once, as a map: so that tests need no real one.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// Why a setting could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The variable's value is not what it should be. The value is not repeated: it may be a secret.
    #[error("the environment variable {name} should be {expected}")]
    Invalid {
        /// The variable.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
    /// There is no place for data.
    #[error("no home directory is known: set --data-dir or ENGRAM_DATA_DIR")]
    NoHome,
    /// Other machines reach the server, and nothing keeps them out.
    #[error(
        "listening on {address} without a password would let everybody who reaches it read and change everything: set \
         LETTA_SERVER_PASSWORD, or use --secure to have a password made, or --no-auth (ENGRAM_NO_AUTH=true) if that is meant"
    )]
    Open {
        /// Where it would listen.
        address: std::net::SocketAddr,
    },
    /// A password is set, and told not to be used.
    #[error(
        "--no-auth (ENGRAM_NO_AUTH) and a password (LETTA_SERVER_PASSWORD, --secure) contradict each other: choose one"
    )]
    NoAuthWithPassword,
}

/// Variables by name; an empty value counts as unset.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}

impl Environment {
    /// The process environment over the `.env` file of the working directory or one above it.
    pub fn read() -> Self {
        let file = dotenvy::dotenv_iter().into_iter().flatten().filter_map(Result::ok);
        Self::layered(
            file,
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// `over` wins.
    pub fn layered(
        under: impl IntoIterator<Item = (String, String)>,
        over: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        under.into_iter().chain(over).collect()
    }

    /// Names that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, v)| !v.trim().is_empty()).map(|(k, _)| k.as_str())
    }

    /// Every variable that is set, for the parts that read their own family of names.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.trim())).filter(|(_, v)| !v.is_empty())
    }

    /// The first of these that is set.
    pub fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|n| self.0.get(*n)).map(|v| v.trim()).filter(|v| !v.is_empty()).map(str::to_owned)
    }

    /// The first of these that is set, as a boolean.
    pub fn flag(&self, names: &[&str]) -> Result<Option<bool>, ConfigError> {
        let Some(text) = self.text(names) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(Some(true)),
            "0" | "false" | "no" | "off" => Ok(Some(false)),
            _ => Err(self.invalid(names, "`true` or `false`")),
        }
    }

    /// The first of these that is set, as a number.
    pub fn number<T: FromStr>(&self, names: &[&str], expected: &'static str) -> Result<Option<T>, ConfigError> {
        self.text(names).map(|t| t.parse().map_err(|_| self.invalid(names, expected))).transpose()
    }

    fn invalid(&self, names: &[&str], expected: &'static str) -> ConfigError {
        let name = names.iter().find(|n| self.text(&[n]).is_some()).copied().unwrap_or_default();
        ConfigError::Invalid { name: name.to_owned(), expected }
    }
}
