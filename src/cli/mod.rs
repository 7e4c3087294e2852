//! The command line.
//!
//! To add a command: a variant of [`Command`] and a file of its own.

mod nodes;
mod server;
mod shutdown;
mod tree;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// A self-hosted server for stateful LLM agents.
#[derive(Debug, Parser)]
#[command(name = "engram", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the REST API.
    Server(ServerArgs),
    /// List the processes that share the database of LETTA_PG_URI.
    Nodes(NodesArgs),
    /// Show the live agents of a running server: what they do, how many runs wait, their groups and schedules.
    Tree(TreeArgs),
}

/// Flags of `engram nodes`.
#[derive(Debug, Clone, Default, Args)]
pub struct NodesArgs {
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Flags of `engram tree`. The password is read from LETTA_SERVER_PASSWORD.
#[derive(Debug, Clone, Args)]
pub struct TreeArgs {
    /// Address of a node; it asks the others
    #[arg(long, default_value = "http://127.0.0.1:8283")]
    pub url: String,
    /// Live conversations to show at most; the busy come first
    #[arg(long, default_value_t = 500)]
    pub limit: u32,
    /// JSON instead of a picture
    #[arg(long)]
    pub json: bool,
}

/// Flags of `engram server`. Each one can also be set in the environment or in `.env`; a flag wins.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerArgs {
    /// Address to listen on (HOST, LETTA_SERVER_HOST; default: 127.0.0.1)
    #[arg(long)]
    pub host: Option<String>,
    /// Port to listen on, 0 for a free one (PORT, LETTA_SERVER_PORT; default: 8283)
    #[arg(long)]
    pub port: Option<u16>,
    /// Where the embedded database and other files live (ENGRAM_DATA_DIR; default: ~/.engram)
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Make a password and print it, where LETTA_SERVER_PASSWORD sets none (SECURE)
    #[arg(long)]
    pub secure: bool,
    /// Let other machines use the server without a password (ENGRAM_NO_AUTH)
    #[arg(long)]
    pub no_auth: bool,
    /// Write log lines as JSON (ENGRAM_LOG_JSON)
    #[arg(long)]
    pub log_json: bool,
    /// More log lines (LETTA_DEBUG)
    #[arg(long)]
    pub debug: bool,
}

/// Runs the program.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Server(args) => server::run(&args),
        Command::Nodes(args) => nodes::run(&args),
        Command::Tree(args) => tree::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn unknown_flags_are_refused() {
        assert!(Cli::try_parse_from(["engram", "server", "--nonsense"]).is_err());
        let command = Cli::try_parse_from(["engram", "server", "--port", "0", "--secure"]).expect("it parses").command;
        assert!(matches!(command, Command::Server(ServerArgs { port: Some(0), secure: true, .. })));
        let command = Cli::try_parse_from(["engram", "nodes", "--json"]).expect("it parses").command;
        assert!(matches!(command, Command::Nodes(NodesArgs { json: true })));
        let command = Cli::try_parse_from(["engram", "tree"]).expect("it parses").command;
        assert!(matches!(command, Command::Tree(TreeArgs { json: false, limit: 500, .. })));
    }
}
