use std::collections::HashSet;

use engram_domain::JsonMap;
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::*;
use crate::ports::store::BlockWrite;

/// Pieces that the tools look for, so that random texts hit their branches.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "human", "persona", "policy", "/memories/human", "work", "Name: Ada", "City: Ulm", "Ada", "\n", "@@\n", "@@ -2,1 @@\n",
            "-City: Ulm\n", "+x\n", " Pet: cat\n", "-", "+", " ", "*** Add Block: w\n", "*** Update Block: human\n",
            "*** Delete Block: persona\n", "*** Move to: m\n", "Line 1: ", "1→", "ä", "create", "str_replace", "insert",
            "rename", "delete", "view", "",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,40}",
    ];
    vec(piece, 0..6).prop_map(|p| p.concat())
}

fn any_value() -> impl Strategy<Value = Json> {
    prop_oneof![
        8 => text().prop_map(Json::from),
        2 => any::<i64>().prop_map(Json::from),
        2 => (-2i64..6).prop_map(Json::from),
        1 => any::<f64>().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
        1 => vec(text(), 0..3).prop_map(|v| json!(v)),
        1 => text().prop_map(|t| json!({"x": t})),
    ]
}

/// A call of any memory tool with most of its arguments, mostly of their types.
fn call() -> impl Strategy<Value = (&'static str, JsonMap)> {
    let edits_memory = builtin::all().iter().filter(|t| t.effect == engram_domain::ToolEffect::Memory);
    let tools: Vec<&'static str> = edits_memory.map(|t| t.name).collect();
    (prop::sample::select(tools), vec((any_value(), prop::bool::weighted(0.85)), 10), "human|persona|policy|nope")
        .prop_map(|(tool, values, label)| {
            let schema = builtin::find(tool).map(builtin::BuiltinTool::parameters).unwrap_or_default();
            let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
            let mut args: JsonMap =
                names.zip(values).filter(|(_, (_, there))| *there).map(|(n, (v, _))| (n, v)).collect();
            if let Some(slot) = args.get_mut("label") {
                *slot = label.into();
            }
            (tool, args)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any calls one after the other: nothing panics, and after each the blocks are sound.
    #[test]
    fn any_input_leaves_memory_sound(calls in vec(call(), 1..8)) {
        let mut now = blocks();
        for (tool, args) in calls {
            let Ok(edit) = edit_of(tool, Json::Object(args), &now) else { continue };
            for block in &edit.blocks {
                prop_assert!(block.chars() <= usize::try_from(block.limit).unwrap());
            }
            let labels: HashSet<&str> = edit.blocks.iter().map(|b| b.label.as_str()).collect();
            prop_assert_eq!(labels.len(), edit.blocks.len(), "labels are unique");
            let policy = blocks().remove(2);
            prop_assert!(edit.blocks.contains(&policy), "a read-only block stays as it is");
            prop_assert_eq!(replay(&now, &edit.writes), edit.blocks.clone(), "the writes lead to the blocks");
            now = edit.blocks;
        }
    }
}

/// What a store does with the writes.
fn replay(before: &[Arc<Block>], writes: &[BlockWrite]) -> Vec<Arc<Block>> {
    let mut blocks: Vec<Arc<Block>> = before.to_vec();
    for write in writes {
        match write.clone() {
            BlockWrite::Detach(id) => blocks.retain(|b| b.id != id),
            BlockWrite::Create(block) => blocks.push(Arc::new(*block)),
            BlockWrite::Set { id, version, value, label, description } => {
                let block = Arc::make_mut(blocks.iter_mut().find(|b| b.id == id).expect("a known block"));
                assert_eq!(block.version, version);
                block.value = value;
                block.version += 1;
                block.label = label.unwrap_or(block.label.clone());
                block.description = description.or(block.description.clone());
                block.updated_at = Time::UNIX_EPOCH + chrono::TimeDelta::days(1);
            }
        }
        // What the database checks after every single write.
        let labels: HashSet<&str> = blocks.iter().map(|b| b.label.as_str()).collect();
        assert_eq!(labels.len(), blocks.len(), "a write takes a label that is in use: {write:?}");
    }
    blocks
}
