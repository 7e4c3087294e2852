use serde_json::json;

use super::*;
use crate::ports::store::BlockWrite;

/// Runs the tool and returns the value of a block afterwards, having checked that the tool returned it.
fn value_after(tool: &str, args: Json) -> String {
    let label = args["label"].as_str().unwrap().to_owned();
    let edit = edit(tool, args).unwrap();
    let value = edit.blocks.iter().find(|b| b.label == label).unwrap().value.clone();
    assert_eq!(edit.text, value);
    value
}

#[test]
fn core_memory_tools() {
    let append = |label: &str| value_after("core_memory_append", json!({"label": label, "content": "x"}));
    assert_eq!(append("human"), "Name: Ada\nCity: Ulm\nPet: cat\nx");
    assert_eq!(append("persona"), "\nx");
    let replace = |old: &str, new: &str| {
        value_after("core_memory_replace", json!({"label": "human", "old_content": old, "new_content": new}))
    };
    assert_eq!(replace(": ", "="), "Name=Ada\nCity=Ulm\nPet=cat");
    assert_eq!(replace("\nPet: cat", ""), "Name: Ada\nCity: Ulm");
}

#[test]
fn line_tools() {
    let insert = |label: &str, line: Option<i64>| {
        value_after("memory_insert", json!({"label": label, "new_string": "x\ny", "insert_line": line}))
    };
    assert_eq!(insert("human", None), "Name: Ada\nCity: Ulm\nPet: cat\nx\ny");
    assert_eq!(insert("human", Some(-1)), "Name: Ada\nCity: Ulm\nPet: cat\nx\ny");
    assert_eq!(insert("human", Some(0)), "x\ny\nName: Ada\nCity: Ulm\nPet: cat");
    assert_eq!(insert("human", Some(3)), "Name: Ada\nCity: Ulm\nPet: cat\nx\ny");
    assert_eq!(insert("human", Some(1)), "Name: Ada\nx\ny\nCity: Ulm\nPet: cat");
    assert_eq!(insert("persona", Some(0)), "x\ny");
    assert_eq!(insert("persona", Some(1)), "x\ny");
    let new = json!({"label": "human", "old_string": "Ulm", "new_string": "Bern"});
    assert_eq!(value_after("memory_replace", new), "Name: Ada\nCity: Bern\nPet: cat");
    let old = json!({"label": "human", "old_str": "Ada", "new_str": "Eve"});
    assert_eq!(value_after("memory_replace", old), "Name: Eve\nCity: Ulm\nPet: cat");
    let deletes = json!({"label": "human", "old_str": "\nCity: Ulm"});
    assert_eq!(value_after("memory_replace", deletes), "Name: Ada\nPet: cat");
    assert_eq!(value_after("memory_rethink", json!({"label": "persona", "new_memory": "I am Sam."})), "I am Sam.");
}

#[test]
fn tools_that_return_nothing() {
    for tool in ["memory_finish_edits", "finish_rethinking_memory"] {
        let done = edit(tool, json!({})).unwrap();
        assert_eq!((done.text.as_str(), done.writes.len()), ("None", 0));
        assert_eq!(done.blocks, blocks());
    }
    let done = edit("rethink_user_memory", json!({"new_memory": "new"})).unwrap();
    assert_eq!((done.text.as_str(), done.blocks[0].value.as_str()), ("None", "new"));
}

#[test]
fn a_write_carries_the_version_that_was_read_and_leaves_the_next_one() {
    let first = edit("core_memory_append", json!({"label": "human", "content": "x"})).unwrap();
    let id = blocks()[0].id;
    let set =
        |version, value: &str| BlockWrite::Set { id, version, value: value.into(), label: None, description: None };
    assert_eq!(first.writes, [set(7, "Name: Ada\nCity: Ulm\nPet: cat\nx")]);
    assert_eq!(first.blocks[0].version, 8);
    assert_ne!(first.blocks[0].updated_at, blocks()[0].updated_at);
    let second = edit_of("memory_rethink", json!({"label": "human", "new_memory": "y"}), &first.blocks).unwrap();
    assert_eq!(second.writes, [set(8, "y")]);
    let same = edit("memory_rethink", json!({"label": "policy", "new_memory": "be kind"}));
    assert!(same.is_err(), "also an edit that would change nothing is refused on a read-only block");
    let same = edit("memory_replace", json!({"label": "human", "old_string": "Ada", "new_string": "Ada"})).unwrap();
    assert_eq!((same.writes.len(), same.blocks), (0, blocks()));
}

#[test]
fn commands_of_the_tool_memory() {
    let run = |args: Json| edit("memory", args).unwrap();
    let made = run(json!({"command": "create", "path": "/memories/work", "description": "jobs", "file_text": "none"}));
    assert_eq!(made.text, "Created memory block 'work'.");
    let block = made.blocks.last().unwrap();
    assert_eq!((block.label.as_str(), block.value.as_str(), block.limit), ("work", "none", 100_000));
    assert_eq!(made.writes, [BlockWrite::Create(Box::new(block.as_ref().clone()))]);

    let done =
        run(json!({"command": "str_replace", "path": "memories/human", "old_string": "Ulm", "new_string": "Bern"}));
    assert_eq!(done.text, "Name: Ada\nCity: Bern\nPet: cat");
    let done = run(json!({"command": "insert", "path": "/human", "insert_text": "x", "insert_line": 0}));
    assert_eq!(done.text, "x\nName: Ada\nCity: Ulm\nPet: cat");
    let done = run(json!({"command": "delete", "path": "/memories/persona"}));
    assert_eq!(done.writes, [BlockWrite::Detach(blocks()[1].id)]);
    assert_eq!(done.blocks.len(), 2);
    let done = run(json!({"command": "rename", "old_path": "/memories/human", "new_path": "/memories/user"}));
    assert_eq!(done.text, "Renamed memory block 'human' to 'user'.");
    assert!(matches!(&done.writes[..], [BlockWrite::Set { label: Some(l), description: None, .. }] if l == "user"));
    let done = run(json!({"command": "rename", "path": "human", "description": "the user"}));
    assert!(matches!(&done.writes[..], [BlockWrite::Set { label: None, description: Some(d), .. }] if d == "the user"));
    assert_eq!(run(json!({"command": "view"})).text, "/memories/human\n/memories/persona\n/memories/policy");
    assert_eq!(run(json!({"command": "view", "path": "/memories/policy"})).text, "be kind");
}

#[test]
fn patches() {
    let patch = |patch: &str| edit("memory_apply_patch", json!({"label": "human", "patch": patch}));
    let text = |p: &str| patch(p).unwrap().text;
    assert_eq!(
        text("@@\n Name: Ada\n-City: Ulm\n+City: Bern\n+Street: Aar\n"),
        "Name: Ada\nCity: Bern\nStreet: Aar\nPet: cat"
    );
    assert_eq!(text("--- a\n+++ b\n@@ -1,1 +1,1 @@\n-Name: Ada\n+Name: Eve\n@@\n-Pet: cat"), "Name: Eve\nCity: Ulm");
    assert_eq!(text("+at the end"), "Name: Ada\nCity: Ulm\nPet: cat\nat the end");
    assert_eq!(text("@@ -1,0 +2 @@\n+second"), "Name: Ada\nsecond\nCity: Ulm\nPet: cat");

    let many = patch(
        "*** Begin Patch\n*** Add Block: work\n+a\n+b\n\n*** Update Block: human\n*** Move to: user\n@@\n-Pet: cat\n\n\
         *** Delete Block: persona\n*** End Patch\n",
    )
    .unwrap();
    insta::assert_snapshot!(many.text, @r"
    Added memory block 'work'.
    Renamed memory block 'human' to 'user'.
    Deleted memory block 'persona'.
    ");
    let shown: Vec<(&str, &str)> = many.blocks.iter().map(|b| (b.label.as_str(), b.value.as_str())).collect();
    assert_eq!(shown, [("user", "Name: Ada\nCity: Ulm"), ("policy", "be kind"), ("work", "a\nb")]);
    assert!(matches!(&many.writes[..], [BlockWrite::Detach(_), BlockWrite::Set { .. }, BlockWrite::Create(_)]));
}

#[test]
fn a_diff_in_a_text_that_repeats_itself_goes_where_its_header_says() {
    let repeats = [Arc::new(block("list", "a\nb\na\nb"))];
    let run = |p: &str| edit_of("memory_apply_patch", json!({"label": "list", "patch": p}), &repeats);
    assert_eq!(run("@@ -3 +3 @@\n-a\n+x").unwrap().text, "a\nb\nx\nb");
    assert_eq!(run("-a\n+x").unwrap_err(), "Hunk 1 of the patch fits in 2 places; give it more context lines.");
}

#[test]
fn errors_say_what_was_wrong() {
    let long = "ä".repeat(61);
    let cases = [
        ("core_memory_append", json!({"label": "nope", "content": "x"})),
        ("core_memory_append", json!({"label": "policy", "content": "x"})),
        ("core_memory_append", json!({"label": "human"})),
        ("core_memory_replace", json!({"label": "human", "old_content": "Zoe", "new_content": "x"})),
        ("core_memory_replace", json!({"label": "human", "old_content": "", "new_content": "x"})),
        ("memory_rethink", json!({"label": "persona", "new_memory": long})),
        ("memory_rethink", json!({"label": "persona", "new_memory": "# NOTE: Line numbers shown below are"})),
        ("memory_replace", json!({"label": "human", "old_string": "Zoe", "new_string": "x"})),
        ("memory_replace", json!({"label": "human", "old_string": ": ", "new_string": "x"})),
        ("memory_replace", json!({"label": "human", "old_string": "Line 2: City", "new_string": "x"})),
        ("memory_insert", json!({"label": "human", "new_string": "a\n12→ b"})),
        ("memory_insert", json!({"label": "human", "new_string": "x", "insert_line": 4})),
        ("memory_insert", json!({"label": "human", "new_string": "x", "insert_line": -2})),
        ("memory", json!({"command": "pieces_of"})),
        ("memory", json!({"command": "create", "path": "/memories/human", "description": "d"})),
        ("memory", json!({"command": "create", "path": "/memories/a b", "description": "d"})),
        ("memory", json!({"command": "create", "path": "/memories/", "description": "d"})),
        ("memory", json!({"command": "create", "path": "/memories/x"})),
        ("memory", json!({"command": "rename", "old_path": "/memories/human", "new_path": "/memories/persona"})),
        ("memory", json!({"command": "rename", "path": "/memories/human"})),
        ("memory", json!({"command": "delete", "path": "/memories/policy"})),
        ("memory_apply_patch", json!({"label": "human", "patch": "@@\n-Zoe\n+x"})),
        ("memory_apply_patch", json!({"label": "human", "patch": "no diff"})),
        ("memory_apply_patch", json!({"label": "human", "patch": ""})),
        ("memory_apply_patch", json!({"label": "", "patch": "*** Delete Block: persona\n*** Update Block: nope\n+x"})),
        ("memory_apply_patch", json!({"label": "", "patch": "*** Update Block: human\n*** Add Block: x"})),
    ];
    let errors: Vec<String> = cases.into_iter().map(|(tool, args)| edit(tool, args).expect_err("an error")).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    Block field nope does not exist (available sections = human, persona, policy)
    Error This block is read-only and cannot be edited.
    missing argument 'content' (a string)
    Old content 'Zoe' not found in memory block 'human'
    old_content must not be empty; use core_memory_append to add text.
    Edit failed: Exceeds 60 character limit (requested 61). Shorten the text, or condense the block first.
    new_memory contains the note about line numbers, which is not part of the memory block. Leave it out.
    No replacement was performed, old_string 'Zoe' does not occur in memory block 'human'. It must match the block's text exactly.
    No replacement was performed, old_string ': ' occurs 3 times in memory block 'human' (lines 1, 2, 3). Include more of the text around the one you mean.
    old_string contains the line number prefix 'Line 2:', which is not part of the memory block. Leave line numbers out.
    the text to insert contains the line number prefix '12→', which is not part of the memory block. Leave line numbers out.
    insert_line must be between 0 and 3, the number of lines of memory block 'human', or -1 for its end; got 4.
    insert_line must be between 0 and 3, the number of lines of memory block 'human', or -1 for its end; got -2.
    'pieces_of' is not a command of this tool: create, str_replace, insert, delete, rename and view are.
    There is already a memory block 'human'.
    'a b' cannot be a label: up to 100 letters, digits, '_', '-', '.' and '/' can.
    the argument 'path' must name a block, as /memories/<label>
    the command 'create' needs the argument 'description'
    There is already a memory block 'persona'.
    the command 'rename' needs the argument 'new_path' or 'description'
    Error This block is read-only and cannot be edited.
    Hunk 1 of the patch does not fit: these lines do not stand in the block one after the other: 'Zoe'.
    Every line of the patch begins with ' ', '-', '+' or '@@'; this one does not: 'no diff'.
    The patch is empty: it needs lines that begin with '+' or '-'.
    Block field nope does not exist (available sections = human, policy)
    The section for memory block 'human' changes nothing.
    "#);
}

#[test]
fn what_only_says_something_edits_nothing() {
    let said = edit("send_message", json!({"message": "hi"})).unwrap();
    assert_eq!((said.text.as_str(), said.writes.len()), ("Sent message successfully.", 0));
    assert_eq!(said.blocks, blocks());
    assert_eq!(edit("send_message", json!({})), Err("missing argument 'message' (a string)".into()));
}

#[test]
fn a_label_that_another_block_gives_up_is_free_in_the_next_call() {
    let swap = "*** Update Block: human\n*** Move to: me\n*** Update Block: persona\n*** Move to: human";
    let args = json!({"label": "", "patch": swap});
    assert_eq!(
        edit("memory_apply_patch", args).unwrap_err(),
        "The label 'human' was in use until now; take it in another call."
    );
}

#[test]
fn the_limit_counts_characters_and_is_reachable() {
    let fits = json!({"label": "persona", "new_memory": "ä".repeat(60)});
    assert!(edit("memory_rethink", fits).is_ok());
}

#[test]
fn words_that_only_look_like_line_numbers_are_text() {
    for text in ["Line dance on 12: yes", "12 → 13", "in Line 12: x", "Line : x", "→ x", "Line 12 is long"] {
        assert!(edit("memory_rethink", json!({"label": "persona", "new_memory": text})).is_ok(), "{text}");
    }
}

#[test]
fn a_text_that_would_not_fit_is_refused_before_it_is_built() {
    let mut large = blocks();
    Arc::make_mut(&mut large[0]).limit = i32::MAX;
    Arc::make_mut(&mut large[0]).value = "a".repeat(90_000);
    let megabytes = "b".repeat(8 << 20);
    // 90,000 times 8 MiB.
    let args = json!({"label": "human", "old_content": "a", "new_content": megabytes});
    let error = edit_of("core_memory_replace", args, &large).unwrap_err();
    assert_eq!(
        error,
        "Edit failed: Exceeds 10000000 character limit (requested 754974720000). Shorten the text, or condense the \
         block first."
    );
    let one = "c".repeat(4_000_000);
    for (tool, args) in [
        ("core_memory_append", json!({"label": "human", "content": megabytes.repeat(2)})),
        ("memory_insert", json!({"label": "human", "new_string": megabytes.repeat(2)})),
        ("memory_rethink", json!({"label": "human", "new_memory": megabytes.repeat(2)})),
    ] {
        assert!(edit_of(tool, args, &large).unwrap_err().contains("10000000 character limit"), "{tool}");
    }
    // All blocks together have an end too.
    let mut heavy: Vec<Arc<Block>> = (0..8).map(|n| Arc::new(block(&"l".repeat(n + 1), &one))).collect();
    for b in &mut heavy {
        Arc::make_mut(b).limit = i32::MAX;
    }
    let args = json!({"label": "l", "content": one});
    assert!(edit_of("core_memory_append", args, &heavy).unwrap_err().contains("all memory blocks together"));
    let args = json!({"label": "l", "new_memory": "short"});
    assert!(edit_of("memory_rethink", args, &heavy).is_ok(), "what makes them smaller is always allowed");
}

#[test]
fn errors_name_a_bounded_part_of_what_there_is() {
    let many: Vec<Arc<Block>> =
        (0..1_000).map(|n| Arc::new(block(&format!("{n}-{}", "x".repeat(1_000)), ""))).collect();
    let error = edit_of("core_memory_append", json!({"label": "y".repeat(1 << 20), "content": ""}), &many).unwrap_err();
    assert!(error.len() < 10_000, "{}", error.len());
    let full = edit_of("memory", json!({"command": "create", "path": "/a", "description": "d"}), &many).unwrap_err();
    assert!(full.contains("as many as can be"), "{full}");
}
