//! What a turn costs in the step function by the length of its context: `cargo bench -p engram-core`.
//!
//! A turn as the engine drives one: the state is cloned before each of its two events, the request is
//! built between them, and the model's answer is one sentence. Nothing is committed or sent.

use std::{sync::Arc, time::Instant};

use engram_core::{
    ports::ChatReply,
    step::{Effect, Env, Event, State},
};
use engram_domain::{AgentType, Content, Message, MessageId, Role, RunInput, Time, Usage};
use engram_testkit::{Counter, World, call, calls, input, message, returned, says};

const TURNS: u32 = 200;

/// A world whose agent has this many messages in context, one in ten of them a tool's result.
fn world(messages: i64) -> World {
    let mut world = World::new(AgentType::LettaV1Agent, 1_000_000);
    for i in 0..messages {
        let seq = world.conversation.next_seq;
        let text = format!("This is message number {i}, and like most of them it has a sentence or two to say.");
        let (role, content) = match i % 10 {
            8 => (Role::Assistant, calls([call(&format!("c{i}"), "look_up", "{}")])),
            9 => (Role::Tool, Content::ToolReturn(returned(&format!("c{}", i - 1), "look_up", &text))),
            n if n % 2 == 0 => (Role::User, Content::text(text)),
            _ => (Role::Assistant, says(&text)),
        };
        let message = Message {
            id: MessageId(engram_core::ports::Ids::uuid(&world.ids)),
            conversation_id: world.conversation.id,
            agent_id: world.conversation.agent_id,
            seq,
            tokens: engram_core::tokens::message(&content),
            ..message(role, content)
        };
        world.conversation.next_seq += 1;
        world.messages.insert(seq, Arc::new(message));
    }
    world
}

#[expect(clippy::expect_used, reason = "a benchmark that cannot run is none")]
fn turn(state: &mut State, world: &mut World, env: &Env<'_>) {
    let id = world.accept_input(RunInput { max_steps: 50, ..input("And now, what do you make of all of it?") });
    let run = world.runs.remove(&id).expect("it was just accepted");
    let before = state.clone();
    let effects = state.step(Event::Start(Box::new(run)), env);
    drop(before);
    let attempt = effects
        .iter()
        .find_map(|e| match e {
            Effect::CallLlm { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .expect("the model is called");
    let request = state.request(env);
    let usage = Usage { prompt_tokens: 10, completion_tokens: 5, ..Usage::default() };
    let reply =
        ChatReply { text: Some("All of it together makes one sentence.".into()), usage, ..ChatReply::default() };
    let before = state.clone();
    let done = Event::LlmDone { attempt, reply: Box::new(reply), took_ns: 1, first_token_ns: None };
    let effects = state.step(done, env);
    assert!(effects.iter().any(|e| matches!(e, Effect::Ended(_))), "the turn ends");
    drop((before, request));
}

#[expect(clippy::expect_used, reason = "a benchmark that cannot run is none")]
fn main() {
    engram_core::tokens::warm_up();
    println!("{:>20} {:>15} {:>15}", "messages in context", "µs a turn", "first turn, µs");
    for messages in [10, 100, 1_000, 5_000] {
        let mut world = world(messages);
        let mut state = State::new(world.loaded()).expect("it has a system message");
        let ids = Counter::default();
        let env = Env { now: Time::UNIX_EPOCH, mono_ns: 0, ids: &ids };
        let started = Instant::now();
        turn(&mut state, &mut world, &env);
        let first = started.elapsed();
        let started = Instant::now();
        for _ in 0..TURNS {
            turn(&mut state, &mut world, &env);
        }
        let each = started.elapsed() / TURNS;
        println!("{messages:>20} {:>15.1} {:>15.0}", each.as_secs_f64() * 1e6, first.as_secs_f64() * 1e6);
    }
}
