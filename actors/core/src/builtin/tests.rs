use engram_domain::{AgentType, Json, JsonMap, rule::RuleKind};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::{args::check_args, *};

fn prepare(name: &str, args: &mut JsonMap) -> Result<(), String> {
    find(name).unwrap().prepare(args)
}

fn stored(name: &str) -> Tool {
    find(name).unwrap().to_tool(ToolId(uuid::Uuid::nil()), Time::UNIX_EPOCH)
}

fn map(value: Json) -> JsonMap {
    match value {
        Json::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

/// `name kind parameters`, an optional parameter with `?`, `∥` for tools that may run side by side.
#[test]
fn the_catalogue_has_the_names_and_parameters_of_the_old_servers() {
    let lines: Vec<String> = all()
        .iter()
        .map(|tool| {
            let schema = tool.json_schema();
            let parameters = &schema["parameters"];
            let required: Vec<&str> =
                parameters["required"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
            let shown: Vec<String> = parameters["properties"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, p)| {
                    assert!(p["description"].as_str().is_some_and(|d| d.len() > 3), "{name} has no description");
                    format!("{name}{}", if required.contains(&name.as_str()) { "" } else { "?" })
                })
                .collect();
            assert_eq!(schema["name"], tool.name);
            format!(
                "{} {} ({}){}",
                tool.name,
                tool.kind.as_str(),
                shown.join(", "),
                if tool.parallel { " ∥" } else { "" }
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    send_message letta_core (message)
    conversation_search letta_core (query?, roles?, limit?, start_date?, end_date?) ∥
    archival_memory_insert letta_core (content, tags?)
    archival_memory_search letta_core (query, tags?, tag_match_mode?, top_k?, start_datetime?, end_datetime?) ∥
    core_memory_append letta_memory_core (label, content)
    core_memory_replace letta_memory_core (label, old_content, new_content)
    memory letta_memory_core (command, path?, file_text?, description?, old_string?, new_string?, insert_line?, insert_text?, old_path?, new_path?)
    memory_apply_patch letta_memory_core (label, patch)
    memory_insert letta_sleeptime_core (label, new_string, insert_line?)
    memory_replace letta_sleeptime_core (label, old_string, new_string)
    memory_rethink letta_sleeptime_core (label, new_memory)
    memory_finish_edits letta_sleeptime_core ()
    search_memory letta_voice_sleeptime_core (convo_keyword_queries?, start_minutes_ago?, end_minutes_ago?)
    store_memories letta_voice_sleeptime_core (chunks)
    rethink_user_memory letta_voice_sleeptime_core (new_memory)
    finish_rethinking_memory letta_voice_sleeptime_core ()
    send_message_to_agent_and_wait_for_reply letta_multi_agent_core (message, other_agent_id)
    send_message_to_agent_async letta_multi_agent_core (message, other_agent_id)
    send_message_to_agents_matching_tags letta_multi_agent_core (message, match_all, match_some)
    web_search letta_builtin (query, num_results?, category?, include_text?, include_domains?, exclude_domains?, start_published_date?, end_published_date?, user_location?) ∥
    fetch_webpage letta_builtin (url) ∥
    run_code letta_builtin (code, language) ∥
    run_code_with_tools letta_builtin (code)
    open_files letta_files_core (file_requests, close_all_others?)
    grep_files letta_files_core (pattern, include?, context_lines?, offset?) ∥
    semantic_search_files letta_files_core (query, limit?) ∥
    open_file letta_files_core (file_name, view_range?)
    close_file letta_files_core (file_name)
    grep letta_files_core (pattern, include?) ∥
    search_files letta_files_core (query) ∥
    "#);
}

#[test]
fn a_schema_is_written_as_the_old_servers_wrote_it() {
    let schema = find("archival_memory_search").unwrap().json_schema();
    let mut bare = schema["parameters"].clone();
    for p in bare["properties"].as_object_mut().unwrap().values_mut() {
        p.as_object_mut().unwrap().shift_remove("description");
    }
    assert_eq!(
        bare.to_string(),
        r#"{"type":"object","properties":{"query":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},"tag_match_mode":{"type":"string","enum":["any","all"]},"top_k":{"type":"integer"},"start_datetime":{"type":"string"},"end_datetime":{"type":"string"}},"required":["query"]}"#
    );
    assert_eq!(
        find("memory_finish_edits").unwrap().parameters().to_string(),
        r#"{"type":"object","properties":{},"required":[]}"#
    );
}

#[test]
fn every_default_tool_exists_and_comes_with_its_rule() {
    for agent_type in AgentType::ALL {
        for enable_sleeptime in [false, true] {
            let request = DefaultsRequest { include_multi_agent_tools: true, enable_sleeptime, ..Default::default() };
            for name in defaults_for(agent_type, request) {
                assert!(find(name).is_some(), "{name} of {agent_type:?}");
            }
        }
    }
    let names = defaults_for(AgentType::MemgptAgent, DefaultsRequest::default());
    let rules = base_rules(&names, AgentType::MemgptAgent, None);
    assert_eq!(rules.len(), names.len());
    assert!(rules.iter().all(|r| (r.tool_name == "send_message") == (r.kind == RuleKind::Terminal)));
    assert!(base_rules(&["my_tool", "run_code"], AgentType::MemgptAgent, None).is_empty());
    assert!(base_rules(&["memory_insert"], AgentType::LettaV1Agent, None).is_empty());
    assert_eq!(base_rules(&["memory_insert"], AgentType::LettaV1Agent, Some(true)).len(), 1);
    assert!(base_rules(&names, AgentType::MemgptAgent, Some(false)).is_empty());
    let none = DefaultsRequest { include_base_tools: false, ..Default::default() };
    assert!(defaults_for(AgentType::MemgptAgent, none).is_empty());
}

#[test]
fn names_of_the_earlier_server_are_accepted() {
    let mut args = map(json!({"label": "human", "old_str": "a", "new_str": "b"}));
    prepare("memory_replace", &mut args).unwrap();
    assert_eq!(args["old_string"], "a");
    assert_eq!(args["new_string"], "b");
    let mut args = map(json!({"label": "human", "old_str": "a"}));
    prepare("memory_replace", &mut args).unwrap();
    assert_eq!(args["new_string"], "");
    let mut args = map(json!({"message": "hi", "tags": ["x"]}));
    prepare("send_message_to_agents_matching_all_tags", &mut args).unwrap();
    assert_eq!(Json::Object(args), json!({"message": "hi", "match_all": ["x"], "match_some": []}));
}

#[test]
fn values_whose_meaning_is_clear_are_put_right() {
    let mut args = map(json!({"query": 42, "tags": "x", "top_k": "7", "start_datetime": null}));
    prepare("archival_memory_search", &mut args).unwrap();
    assert_eq!(Json::Object(args), json!({"query": "42", "tags": ["x"], "top_k": 7}));
    let mut args = map(json!({"roles": "[\"user\"]", "limit": 3.0, "unknown": {}}));
    prepare("conversation_search", &mut args).unwrap();
    assert_eq!(Json::Object(args), json!({"roles": ["user"], "limit": 3, "unknown": {}}));
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("core_memory_append", json!({"label": "human"}), "missing argument 'content' (a string)"),
        ("core_memory_append", json!({"label": null, "content": "x"}), "missing argument 'label' (a string)"),
        (
            "core_memory_append",
            json!({"label": "h", "content": ["x"]}),
            "argument 'content' must be a string, got [\"x\"]",
        ),
        (
            "memory_insert",
            json!({"label": "h", "new_string": "x", "insert_line": "top"}),
            "argument 'insert_line' must be an integer, got \"top\"",
        ),
        (
            "conversation_search",
            json!({"roles": ["user", "boss"]}),
            "argument 'roles[1]' must be one of \"assistant\", \"user\", \"tool\", got \"boss\"",
        ),
        (
            "store_memories",
            json!({"chunks": [{"start_index": 0, "context": "c"}]}),
            "missing argument 'chunks[0].end_index' (an integer)",
        ),
    ];
    for (tool, args, want) in cases {
        assert_eq!(prepare(tool, &mut map(args)), Err(want.to_owned()), "{tool}");
    }
}

#[test]
fn a_schema_of_a_user_is_checked_as_far_as_it_is_understood() {
    let schema = json!({"name": "f", "parameters": {"type": "object", "required": ["a", "b"], "properties": {
        "a": {"type": ["integer", "null"]}, "b": {"anyOf": [{"type": "string"}]}, "c": {"type": "number"}}}});
    assert_eq!(check_args(&schema, &mut map(json!({"a": null, "b": 1, "c": "0.5"}))), Ok(()));
    assert_eq!(
        check_args(&schema, &mut map(json!({"a": "x", "b": 1}))),
        Err("argument 'a' must be an integer or null, got \"x\"".into())
    );
    assert_eq!(check_args(&json!("nonsense"), &mut JsonMap::new()), Ok(()));
}

#[test]
fn what_is_available_is_in_the_catalogue_and_the_rest_is_not_claimed() {
    let available = |name| find(name).is_some_and(|t| !matches!(t.run, RunBy::Nobody));
    assert!(available("send_message") && available("memory_apply_patch"));
    assert!(!available("run_code") && !available("open_files") && !available("nope"));
}

#[test]
fn effects() {
    use ToolEffect::{Journaled, Memory, Once, Repeatable};
    for (name, want) in [
        ("send_message", Repeatable),
        ("archival_memory_insert", Repeatable),
        ("conversation_search", Repeatable),
        ("web_search", Repeatable),
        ("run_code", Once),
        ("send_message_to_agent_async", Repeatable),
        ("send_message_to_agent_and_wait_for_reply", Journaled),
        ("send_message_to_agents_matching_tags", Journaled),
        ("core_memory_append", Memory),
        ("memory_rethink", Memory),
        ("rethink_user_memory", Memory),
        ("store_memories", Repeatable),
        ("open_files", Repeatable),
    ] {
        assert_eq!(stored(name).effect, want, "{name}");
    }
    let users = Tool { kind: ToolKind::Custom, ..stored("core_memory_append") };
    assert!(BuiltinTool::of(&users).is_none(), "a user's tool of the same name");
    assert!(BuiltinTool::of(&Tool { kind: ToolKind::Mcp, ..users }).is_none());
}

/// An edit of blocks is part of the commit that the step function makes, so nobody else can run it.
#[test]
fn edits_of_memory_run_in_the_step() {
    for tool in all().iter().filter(|t| t.effect == ToolEffect::Memory) {
        assert!(matches!(tool.run, RunBy::InStep(_)), "{}", tool.name);
    }
}

#[test]
fn arguments_of_a_tool_of_a_user_go_by_its_own_schema() {
    let schema = json!({"parameters": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}});
    let users = Tool { kind: ToolKind::Custom, json_schema: schema, ..stored("memory_replace") };
    let mut args = map(json!({"n": "5", "new_str": "stays"}));
    super::prepare(&users, &mut args).unwrap();
    assert_eq!(Json::Object(args), json!({"n": 5, "new_str": "stays"}));
    let mut args = map(json!({"label": "human", "old_str": "a"}));
    super::prepare(&stored("memory_replace"), &mut args).unwrap();
    assert_eq!(args["old_string"], "a");
}

/// JSON that is mostly made of what schemas are made of.
fn schema_like() -> impl Strategy<Value = Json> {
    let word = prop::sample::select(vec![
        "parameters",
        "type",
        "required",
        "properties",
        "items",
        "enum",
        "a",
        "b",
        "string",
        "integer",
        "number",
        "boolean",
        "array",
        "object",
        "null",
        "5",
        "0.5",
        "true",
        "[1]",
        "",
    ]);
    let leaf = prop_oneof![
        word.clone().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<bool>().prop_map(Json::from),
        Just(Json::Null),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            vec((word.clone(), inner), 0..5)
                .prop_map(|m| Json::Object(m.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_schema_checks_any_arguments(schema in schema_like(), args in schema_like()) {
        if let Json::Object(mut args) = args {
            let _ = check_args(&schema, &mut args);
        }
    }
}
