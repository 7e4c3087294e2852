//! Messages to other agents.
//!
//! A message becomes a run in the receiver's queue under a name made of the sender's run and call, so it arrives once,
//! however often the call is carried out.

use std::time::Duration;

use engram_core::ports::{AgentMessage, AskError, ToolContext, ToolOutcome, Write};
use engram_domain::{AgentId, Json, JsonMap, RequestKey, RunId, RunType};
use futures::{StreamExt, stream};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{BuiltinRunner, Failure};

/// Agents that one broadcast asks at the same time.
const AT_ONCE: usize = 32;
/// Whoever has less than this left to answer in is not asked.
const LEAST: Duration = Duration::from_secs(1);
/// Agents that one broadcast reaches at most.
const MOST: i64 = 1_000;

/// `send_message_to_agent_async`: the message goes out with the commit that holds the result.
pub(super) async fn send(tools: &BuiltinRunner, context: &ToolContext, args: &JsonMap) -> Result<ToolOutcome, Failure> {
    let to = receiver(args)?;
    if !tools.store.has_agent(context.agent.id, to).await? {
        return Err(Failure(AskError::NotFound(to).to_string()));
    }
    let mut message = message(tools, context, to, text(args)?)?;
    count(tools, &message)?;
    // Nobody waits for it.
    message.chain = Vec::new();
    message.run_type = RunType::AgentMessageAsync;
    let mut run = message.into_run(RunId(tools.ids.uuid()), tools.clock.now());
    // The commit has no way to refuse it.
    run.max_queue = i64::MAX;
    let mut outcome = ToolOutcome::ok("Successfully sent message");
    outcome.writes.push(Write::Send(Box::new(run)));
    Ok(outcome)
}

/// `send_message_to_agent_and_wait_for_reply`.
pub(super) async fn ask(
    tools: &BuiltinRunner,
    context: &ToolContext,
    args: &JsonMap,
    cancel: &CancellationToken,
) -> Result<ToolOutcome, Failure> {
    let to = receiver(args)?;
    let agents = tools.agents()?;
    if !tools.store.has_agent(context.agent.id, to).await? {
        return Err(Failure(AskError::NotFound(to).to_string()));
    }
    let message = message(tools, context, to, text(args)?)?;
    count(tools, &message)?;
    match agents.ask(message, agents.patience(), cancel.clone()).await {
        Ok(said) => Ok(ToolOutcome::ok(answer(to, Ok(said)).to_string())),
        Err(error) => Err(Failure(error.to_string())),
    }
}

/// `send_message_to_agents_matching_tags`: a list of answers, and of what went wrong with those that gave none.
pub(super) async fn broadcast(
    tools: &BuiltinRunner,
    context: &ToolContext,
    args: &JsonMap,
    cancel: &CancellationToken,
) -> Result<ToolOutcome, Failure> {
    let text = text(args)?;
    let (all, some) = (list(args, "match_all"), list(args, "match_some"));
    if all.is_empty() && some.is_empty() {
        return Err(Failure("match_all and match_some are both empty: name at least one tag".into()));
    }
    let mut receivers = tools.store.agents_by_tags(context.agent.id, &all, &some, MOST).await?;
    receivers.retain(|id| *id != context.agent.id);
    if receivers.is_empty() {
        return Err(Failure("no other agent has these tags".into()));
    }
    let answers = ask_all(tools, context, &receivers, text, cancel).await?;
    Ok(ToolOutcome::ok(Json::Array(answers).to_string()))
}

/// `send_message_to_all_agents_in_group`: as a broadcast, to the members of the groups that the agent supervises.
pub(super) async fn to_group(
    tools: &BuiltinRunner,
    context: &ToolContext,
    args: &JsonMap,
    cancel: &CancellationToken,
) -> Result<ToolOutcome, Failure> {
    let text = text(args)?;
    let members = tools.store.supervised_by(context.agent.id).await?;
    if members.is_empty() {
        return Err(Failure("you supervise no group with other agents in it".into()));
    }
    let answers = ask_all(tools, context, &members, text, cancel).await?;
    Ok(ToolOutcome::ok(Json::Array(answers).to_string()))
}

/// Asks several agents side by side. The answers are in the order of the receivers. All of them together have the
/// patience of one: what came by then is the answer, and who is late is named. Whose turn does not come by then is not
/// asked: a message that nobody waits for any more would only be work.
pub(super) async fn ask_all(
    tools: &BuiltinRunner,
    context: &ToolContext,
    receivers: &[AgentId],
    text: &str,
    cancel: &CancellationToken,
) -> Result<Vec<Json>, Failure> {
    let agents = tools.agents()?;
    let messages = receivers
        .iter()
        .map(|to| message(tools, context, *to, text))
        .collect::<Result<Vec<AgentMessage>, Failure>>()?;
    let whole = agents.patience();
    let deadline = Instant::now() + whole;
    let asked = stream::iter(messages).map(|message| {
        let (agents, to, cancel) = (agents.clone(), message.to, cancel.clone());
        async move {
            let patience = deadline.saturating_duration_since(Instant::now());
            if patience < LEAST {
                let why = format!("it was not asked: the others took all of the {} seconds", whole.as_secs());
                return json!({ "agent_id": to, "error": why });
            }
            if let Err(Failure(why)) = count(tools, &message) {
                return json!({ "agent_id": to, "error": why });
            }
            answer(to, agents.ask(message, patience, cancel).await)
        }
    });
    Ok(asked.buffered(AT_ONCE).collect().await)
}

fn answer(from: AgentId, said: Result<Vec<String>, AskError>) -> Json {
    match said {
        Ok(said) if said.is_empty() => json!({ "agent_id": from, "response": ["<no response>"] }),
        Ok(said) => json!({ "agent_id": from, "response": said }),
        Err(error) => json!({ "agent_id": from, "error": error.to_string() }),
    }
}

/// The message, unless too many have led to it.
fn message(tools: &BuiltinRunner, context: &ToolContext, to: AgentId, text: &str) -> Result<AgentMessage, Failure> {
    let hops = context.hops.saturating_add(1);
    tools.messages.check_hops(hops)?;
    let mut chain = context.chain.clone();
    chain.push(context.agent.id);
    Ok(AgentMessage {
        from: context.agent.clone(),
        to,
        text: text.to_owned(),
        key: RequestKey::tool_call(context.run_id, &context.call_id, to),
        chain,
        hops,
        run_type: RunType::AgentMessage,
    })
}

/// Counts it as sent, unless its sender has sent too many to its receiver.
fn count(tools: &BuiltinRunner, message: &AgentMessage) -> Result<(), Failure> {
    Ok(tools.messages.count(message.from.id, message.to, tools.clock.monotonic_ns())?)
}

fn text(args: &JsonMap) -> Result<&str, Failure> {
    let text = args.get("message").and_then(Json::as_str).unwrap_or_default();
    if text.trim().is_empty() { Err(Failure("message is empty, so there is nothing to send".into())) } else { Ok(text) }
}

fn receiver(args: &JsonMap) -> Result<AgentId, Failure> {
    let id = args.get("other_agent_id").and_then(Json::as_str).unwrap_or_default().trim();
    id.parse().map_err(|error: engram_domain::BadId| Failure(format!("other_agent_id: {error}")))
}

fn list(args: &JsonMap, name: &str) -> Vec<String> {
    args.get(name).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}
