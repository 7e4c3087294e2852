//! The web and running code.

use engram_domain::{
    ToolEffect::{Once, Repeatable},
    ToolKind::Builtin,
};

use crate::builtin::{
    BuiltinTool, PLAIN,
    schema::{Ty, optional, required},
};

const CATEGORIES: &[&str] = &[
    "company",
    "research paper",
    "news",
    "pdf",
    "github",
    "tweet",
    "personal site",
    "linkedin profile",
    "financial report",
];

const BASE: BuiltinTool = BuiltinTool { kind: Builtin, effect: Repeatable, ..PLAIN };

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "web_search",
        description: "Search the web. Returns titles, addresses and excerpts of the best pages.",
        parallel: true,
        params: &[
            required("query", Ty::Text, "What to look for."),
            optional("num_results", Ty::Integer, "How many results."),
            optional("category", Ty::OneOf(CATEGORIES), "Only pages of this kind."),
            optional("include_text", Ty::Boolean, "Whether to return the text of the pages as well."),
            optional("include_domains", Ty::List(&Ty::Text), "Only pages of these domains."),
            optional("exclude_domains", Ty::List(&Ty::Text), "No pages of these domains."),
            optional("start_published_date", Ty::Text, "Only pages published from this ISO 8601 date on."),
            optional("end_published_date", Ty::Text, "Only pages published up to this ISO 8601 date."),
            optional("user_location", Ty::Text, "Two-letter code of the country to search from."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "fetch_webpage",
        description: "Fetch a web page and return its text as Markdown.",
        parallel: true,
        params: &[required("url", Ty::Text, "Its address, http or https.")],
        ..BASE
    },
    BuiltinTool {
        name: "run_code",
        effect: Once,
        description: "Run a program in a sandbox that knows nothing of earlier runs. Returns its results, its output and \
                      its errors as JSON.",
        parallel: true,
        params: &[
            required("code", Ty::Text, "The whole program. Print what you want to see."),
            required("language", Ty::OneOf(&["python", "js", "ts", "r", "java"]), "The language it is in."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "run_code_with_tools",
        effect: Once,
        description: "Run a Python program in a sandbox in which your other tools can be called as functions. For many \
                      calls, or for calls whose results need work before you read them.",
        params: &[required("code", Ty::Text, "The whole program. Print what you want to see.")],
        ..BASE
    },
];
