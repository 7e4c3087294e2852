//! Files in context. Both generations' names are listed, because programs look tools up by name.

use engram_domain::ToolKind::FilesCore;

use crate::builtin::{
    BuiltinTool,
    schema::{Param, Ty, optional, required},
};

const FILE_REQUEST: &[Param] = &[
    required("file_name", Ty::Text, "Its name, with the folder it is shown in."),
    optional("offset", Ty::Integer, "Lines to skip."),
    optional("length", Ty::Integer, "Lines to show."),
];

pub(super) const TOOLS: &[BuiltinTool] = &[
    BuiltinTool {
        name: "open_files",
        kind: FilesCore,
        description: "Show files, or parts of them, in your context. When too many are open, the ones that were used \
                      longest ago are closed.",
        parallel: false,
        params: &[
            required("file_requests", Ty::List(&Ty::Object(FILE_REQUEST)), "The files to open."),
            optional("close_all_others", Ty::Boolean, "Whether to close all other files first."),
        ],
    },
    BuiltinTool {
        name: "grep_files",
        kind: FilesCore,
        description: "Find lines in the attached files by a regular expression, whatever their case.",
        parallel: true,
        params: &[
            required("pattern", Ty::Text, "The regular expression."),
            optional("include", Ty::Text, "Only files whose name matches this pattern."),
            optional("context_lines", Ty::Integer, "Lines to show before and after each match."),
            optional("offset", Ty::Integer, "Matches to skip, to see more of a long list."),
        ],
    },
    BuiltinTool {
        name: "semantic_search_files",
        kind: FilesCore,
        description: "Find passages of the attached files by meaning.",
        parallel: true,
        params: &[
            required("query", Ty::Text, "What to look for, in plain words."),
            optional("limit", Ty::Integer, "How many results at most. 5 when left out."),
        ],
    },
    BuiltinTool {
        name: "open_file",
        kind: FilesCore,
        description: "Show a file, or a range of its lines, in your context.",
        parallel: false,
        params: &[
            required("file_name", Ty::Text, "Its name."),
            optional("view_range", Ty::Range, "First and last line to show."),
        ],
    },
    BuiltinTool {
        name: "close_file",
        kind: FilesCore,
        description: "Take a file out of your context. It stays attached and can be opened again.",
        parallel: false,
        params: &[required("file_name", Ty::Text, "Its name.")],
    },
    BuiltinTool {
        name: "grep",
        kind: FilesCore,
        description: "Find lines in the attached files by a regular expression, whatever their case.",
        parallel: true,
        params: &[
            required("pattern", Ty::Text, "The regular expression."),
            optional("include", Ty::Text, "Only files whose name matches this pattern."),
        ],
    },
    BuiltinTool {
        name: "search_files",
        kind: FilesCore,
        description: "Find passages of the attached files by meaning.",
        parallel: true,
        params: &[required("query", Ty::Text, "What to look for, in plain words.")],
    },
];
