//! Which part of the program may know which, as a test over its source.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every source file below `src/<folder>`, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("a folder of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                out.push((path, text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let mut out = Vec::new();
    walk(&root, &mut out);
    assert!(!out.is_empty(), "nothing in {}", root.display());
    out
}

/// The lines of code, without comments, that have one of these texts in them.
fn lines_with(text: &str, wanted: &[&str]) -> Vec<String> {
    let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    code.filter(|line| wanted.iter().any(|w| line.contains(w))).map(str::to_owned).collect()
}

#[test]
fn the_application_knows_nothing_of_http() {
    for (path, text) in sources("app") {
        let found = lines_with(&text, &["crate::http", "http::", "axum", "utoipa"]);
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

#[test]
fn wire_types_and_helpers_know_no_routes() {
    let routers = ["router.rs", "service.rs"];
    for (path, text) in sources("http") {
        let is_route = path.components().any(|c| c.as_os_str() == "routes");
        if is_route || routers.iter().any(|name| path.ends_with(Path::new("http").join(name))) {
            continue;
        }
        let found = lines_with(&text, &["routes::"]);
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

/// A resource is a folder (or a file) of `http/routes`.
#[test]
fn resources_of_the_api_know_nothing_of_each_other() {
    for (path, text) in sources("http/routes") {
        let module = module_below_routes(&path);
        let Some(own) = module.first() else { continue };
        for line in lines_with(&text, &["routes::"]) {
            let after = line.split("routes::").nth(1).unwrap_or_default();
            assert!(after.starts_with(&format!("{own}::")), "{}: {line}", path.display());
        }
        for line in lines_with(&text, &["super::"]) {
            let supers = line.matches("super::").count();
            assert!(supers < module.len() || in_tests(&text, &line), "{}: {line}", path.display());
        }
    }
}

/// Whatever needs more is an operation of the application.
#[test]
fn a_route_calls_the_store_or_the_engine_once_at_most() {
    for (path, text) in sources("http/routes") {
        let found = lines_with(&text, &["app.store.", "app.tenants.", "app.engine."]);
        assert!(found.len() <= 1, "{}: {found:?}", path.display());
    }
}

/// `["groups", "messages", "list"]` of `http/routes/groups/messages/list.rs`.
fn module_below_routes(path: &Path) -> Vec<String> {
    let names = path.with_extension("");
    let names = names.components().map(|c| c.as_os_str().to_string_lossy().into_owned());
    names.skip_while(|name| name != "routes").skip(1).filter(|name| name != "mod").collect()
}

/// Whether a line stands in a file's tests, which are a module more.
fn in_tests(text: &str, line: &str) -> bool {
    text.split_once("mod tests {").is_some_and(|(_, tests)| tests.contains(line))
}
