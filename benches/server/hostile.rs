//! Whether one request can keep the server from answering others: health beside requests that ask for as much work as a
//! request may.

use std::time::{Duration, Instant};

use futures::future;
use serde_json::{Value, json};

use crate::{
    Failure,
    cluster::{Database, Node},
    load,
    report::Report,
};

/// Requests of one kind at the same time.
const AT_ONCE: usize = 4;
/// How long one may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Each kind by itself.
pub async fn hostile(report: &mut Report) -> Result<(), Failure> {
    let http = load::client();
    let database = Database::create().await?;
    let node = Node::start(&database, &[]).await?;
    let block = json!([{"label": "human", "value": "a\n".repeat(45_000), "limit": 10_000_000}]);
    let agent = load::create(&http, &node.base, json!({"memory_blocks": block, "agent_type": "memgpt_agent"})).await?;
    let base = &node.base;
    let say = format!("{base}/agents/{agent}/messages");
    let remember = format!("{base}/agents/{agent}/archival-memory");
    let tool = |name: &str| format!("{base}/agents/{agent}/tools/{name}/run");
    let hunks = "@@ -1,1 @@\n-a\n+a \n".repeat(100_000);
    let cases: Vec<(&str, String, Value)> = vec![
        ("a word of 2 MB to remember", remember.clone(), json!({"text": "x".repeat(2_000_000)})),
        ("2 MB of words to remember", remember, json!({"text": "x ".repeat(1_000_000)})),
        ("8 MB of text to say", say.clone(), load::message(&"the same again ".repeat(560_000))),
        ("orders that never close", say.clone(), load::message(&"[[call a x".repeat(400_000))),
        (
            "2,000 messages of 4 kB",
            say,
            json!({"messages": vec![load::message(&"word ".repeat(800))["messages"][0].clone(); 2_000]}),
        ),
        (
            "a replacement that multiplies",
            tool("core_memory_replace"),
            json!({"args": {"label": "human", "old_content": "a", "new_content": "b".repeat(8_000_000)}}),
        ),
        ("a patch of 100,000 hunks", tool("memory_apply_patch"), json!({"args": {"label": "human", "patch": hunks}})),
        ("8 MB of lists", tool("core_memory_append"), json!({"args": {"label": vec![json!([]); 2_600_000]}})),
    ];
    for (name, url, body) in cases {
        let body = body.to_string();
        let request = || async {
            let request = http.post(&url).header("content-type", "application/json").body(body.clone());
            // What the answer is does not matter here, only that it comes.
            let answer = request.timeout(PATIENCE).send().await?;
            let status = answer.status();
            answer.bytes().await?;
            Ok::<_, Failure>(status)
        };
        let started = Instant::now();
        let work = future::try_join_all((0..AT_ONCE).map(|_| request()));
        let (answers, health) = load::with_health(&http, base, work).await?;
        let note = format!("{} at once: {answers:?} after {:.1} s", AT_ONCE, started.elapsed().as_secs_f64());
        report.times(&format!("health beside {name}"), &health, note);
    }
    drop(node);
    database.drop().await
}
