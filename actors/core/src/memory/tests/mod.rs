//! Every tool by example, and what must hold for any input.

mod examples;
mod properties;

use std::sync::Arc;

use engram_domain::{Block, BlockId, Json, Time};
use uuid::Uuid;

use super::{Edit, EditContext, apply};
use crate::builtin::{self, RunBy};

/// A block with an id made of its label's length and first letter: the tests need it only stable.
fn block(label: &str, value: &str) -> Block {
    let id = u128::from(label.bytes().next().unwrap_or(0)) << 8 | label.len() as u128;
    let id = BlockId(Uuid::from_u128(id));
    Block { id, limit: 60, description: Some("d".into()), version: 7, ..engram_testkit::block(label, value) }
}

/// An agent's memory: `human` with three lines, an empty `persona`, and `policy`, which is read-only.
fn blocks() -> Vec<Arc<Block>> {
    let policy = Block { read_only: true, ..block("policy", "be kind") };
    [block("human", "Name: Ada\nCity: Ulm\nPet: cat"), block("persona", ""), policy].map(Arc::new).into()
}

fn edit_of(tool: &str, args: Json, blocks: &[Arc<Block>]) -> Result<Edit, String> {
    let Json::Object(mut args) = args else { panic!("arguments are an object") };
    let tool = builtin::find(tool).expect("a built-in tool");
    let RunBy::InStep(function) = tool.run else { panic!("{} does not run in a step", tool.name) };
    tool.prepare(&mut args)?;
    let mut next = 1000;
    let mut new_block = || {
        next += 1;
        BlockId(Uuid::from_u128(next))
    };
    let now = Time::UNIX_EPOCH + chrono::TimeDelta::days(1);
    apply(function, &args, blocks, &mut EditContext { now, new_block: &mut new_block })
}

fn edit(tool: &str, args: Json) -> Result<Edit, String> {
    edit_of(tool, args, &blocks())
}
