//! Files in context. Both generations' names are listed, because programs look tools up by name.

use engram_domain::{ToolEffect::Repeatable, ToolKind::FilesCore};

use crate::builtin::{
    BuiltinTool, PLAIN,
    schema::{Param, Ty, optional, required},
};

const FILE_REQUEST: &[Param] = &[
    required("file_name", Ty::Text, "Its name, with the folder it is shown in."),
    optional("offset", Ty::Integer, "Lines to skip."),
    optional("length", Ty::Integer, "Lines to show."),
];

const BASE: BuiltinTool = BuiltinTool { kind: FilesCore, effect: Repeatable, ..PLAIN };

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "open_files",
        description: "Show files, or parts of them, in your context. When too many are open, the ones that were used \
                      longest ago are closed.",
        params: &[
            required("file_requests", Ty::List(&Ty::Object(FILE_REQUEST)), "The files to open."),
            optional("close_all_others", Ty::Boolean, "Whether to close all other files first."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "grep_files",
        description: "Find lines in the attached files by a regular expression, whatever their case.",
        parallel: true,
        params: &[
            required("pattern", Ty::Text, "The regular expression."),
            optional("include", Ty::Text, "Only files whose name matches this pattern."),
            optional("context_lines", Ty::Integer, "Lines to show before and after each match."),
            optional("offset", Ty::Integer, "Matches to skip, to see more of a long list."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "semantic_search_files",
        description: "Find passages of the attached files by meaning.",
        parallel: true,
        params: &[
            required("query", Ty::Text, "What to look for, in plain words."),
            optional("limit", Ty::Integer, "How many results at most. 5 when left out."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "open_file",
        description: "Show a file, or a range of its lines, in your context.",
        params: &[
            required("file_name", Ty::Text, "Its name."),
            optional("view_range", Ty::Range, "First and last line to show."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "close_file",
        description: "Take a file out of your context. It stays attached and can be opened again.",
        params: &[required("file_name", Ty::Text, "Its name.")],
        ..BASE
    },
    BuiltinTool {
        name: "grep",
        description: "Find lines in the attached files by a regular expression, whatever their case.",
        parallel: true,
        params: &[
            required("pattern", Ty::Text, "The regular expression."),
            optional("include", Ty::Text, "Only files whose name matches this pattern."),
        ],
        ..BASE
    },
    BuiltinTool {
        name: "search_files",
        description: "Find passages of the attached files by meaning.",
        parallel: true,
        params: &[required("query", Ty::Text, "What to look for, in plain words.")],
        ..BASE
    },
];
