//! `engram nodes`: who shares the database.

use std::{fmt::Write as _, process::ExitCode};

use engram_core::ports::Clock as _;
use engram_domain::Time;
use engram_store::{PoolSettings, Store, nodes::NodeRow};

use super::{NodesArgs, ServerArgs};
use crate::{
    ambient::SystemClock,
    config::{Environment, Settings},
    http::dto::nodes::NodeDto,
};

/// Prints the list.
pub fn run(args: &NodesArgs) -> ExitCode {
    match list() {
        Ok(nodes) => {
            let text = if args.json {
                let nodes: Vec<NodeDto> = nodes.iter().map(NodeDto::from).collect();
                serde_json::to_string_pretty(&nodes).unwrap_or_else(|error| error.to_string())
            } else {
                table(&nodes, SystemClock::new().now())
            };
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("engram: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<Vec<NodeRow>, Box<dyn std::error::Error>> {
    let settings = Settings::resolve(&ServerArgs::default(), &Environment::read())?;
    let uri = settings.database.uri.ok_or("set LETTA_PG_URI: the embedded database belongs to one node alone")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let pool = PoolSettings { max_connections: 1, ..PoolSettings::default() };
        let store = Store::connect_existing(uri.expose(), &pool).await?;
        let nodes = store.nodes().await?;
        store.close().await;
        Ok(nodes)
    })
}

/// Columns as wide as they must be.
fn table(nodes: &[NodeRow], now: Time) -> String {
    let head = ["NAME", "URL", "VERSION", "STATE", "LAST SEEN", "AGENTS", "CONVERSATIONS"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head)
        .chain(nodes.iter().map(|row| {
            let node = NodeDto::from(row);
            [
                node.name,
                node.url,
                node.version,
                node.state.as_str().to_owned(),
                ago(row.seen_at, now),
                node.live_agents.to_string(),
                node.conversations.to_string(),
            ]
        }))
        .collect();
    let mut out = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            // Writing into a text does not fail.
            let _ = write!(out, "{cell:<width$}  ");
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

/// A time span as one says it.
fn ago(then: Time, now: Time) -> String {
    match (now - then).num_seconds().max(0) {
        seconds @ 0..=119 => format!("{seconds} s ago"),
        seconds @ 120..=7_199 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use engram_domain::NodeId;

    use super::*;

    #[test]
    fn columns_line_up() {
        let now = Time::default();
        let node = |name: &str, alive, draining, seconds| NodeRow {
            id: NodeId(uuid::Uuid::nil()),
            name: name.into(),
            url: "http://a:8283".into(),
            version: "0.1.0".into(),
            started_at: now,
            seen_at: now - TimeDelta::seconds(seconds),
            live: 12,
            draining,
            retired: false,
            alive,
            conversations: 3,
        };
        let nodes = [
            node("http://a:8283 on alpha", true, false, 0),
            node("b", true, true, 200),
            node("c", false, false, 9_000),
        ];
        insta::assert_snapshot!(table(&nodes, now), @r"
        NAME                    URL            VERSION  STATE     LAST SEEN  AGENTS  CONVERSATIONS
        http://a:8283 on alpha  http://a:8283  0.1.0    alive     0 s ago    12      3
        b                       http://a:8283  0.1.0    draining  3 min ago  12      3
        c                       http://a:8283  0.1.0    gone      2 h ago    0       0
        ");
    }
}
