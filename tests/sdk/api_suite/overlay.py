"""A pytest plugin that runs the SDK's own generated API tests against a real server.

The tests ship with a skip mark ("Mock server tests are disabled"). This plugin takes the mark away,
leaves out what `left_out.toml` names, gives every test a `Resources` (resources.py) and patches the one place
that all three transports of the SDK share, the building of a request, so that sample values become
values that exist (rewrite.py). The tests themselves, their assertions and the SDK are not changed.

Settings come by environment: TEST_API_BASE_URL (also read by the tests themselves).
"""

import fnmatch
import os
import re
import sys
import tomllib
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from letta_client import _base_client

sys.path.insert(0, str(Path(__file__).parent))
import rewrite as rules  # noqa: E402
from resources import Resources  # noqa: E402

SKIP_REASON = "Mock server tests are disabled"
LEFT_OUT = tomllib.loads((Path(__file__).parent / "left_out.toml").read_text())["left_out"]

_http = httpx.Client(
    base_url=os.environ.get("TEST_API_BASE_URL", "http://127.0.0.1:4010"),
    timeout=60,
    trust_env=False,
    # The same caller as the tests, so that defaults are those of this generation.
    headers={"x-stainless-package-version": "1.12.1", "x-stainless-lang": "python", "authorization": "Bearer none"},
)
_resources: Resources | None = None

# ------------------------------------------------------------------------------------------ requests

_build_request = _base_client.BaseClient._build_request


def build_request(self, options, *, retries_taken: int = 0):
    if _resources is None:
        return _build_request(self, options, retries_taken=retries_taken)
    path, params, body = rules.rewrite(
        _resources, options.method, unquote(options.url), dict(options.params or {}), options.json_data
    )
    options = options.model_copy(update={"url": path, "params": params, "json_data": body})
    return _build_request(self, options, retries_taken=retries_taken)


_base_client.BaseClient._build_request = build_request

# ------------------------------------------------------------------------------------------ selection


def short_id(nodeid: str) -> str:
    """`agents/test_blocks.py::TestAsyncBlocks::test_method_list[strict]`"""
    return nodeid.split("tests/api_resources/", 1)[-1]


def reason_to_leave_out(nodeid: str) -> tuple[str, str] | None:
    name = short_id(nodeid)
    for entry in LEFT_OUT:
        for pattern in entry["tests"]:
            # A pattern names a file, a file's test, or both with wildcards; the class does not matter.
            file, _, test = pattern.partition("::")
            name_file, *_, name_test = name.split("::")
            name_test = name_test.split("[")[0]
            if fnmatch.fnmatchcase(name_file, file) and fnmatch.fnmatchcase(name_test, test or "*"):
                return entry["reason"], pattern
    return None


def is_mock_skip(mark: pytest.Mark) -> bool:
    return mark.name == "skip" and mark.kwargs.get("reason") == SKIP_REASON


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    keep, out, used = [], [], set()
    reasons: dict[str, set[str]] = defaultdict(set)
    functions: set[str] = set()
    for item in items:
        if not any(is_mock_skip(m) for m in item.iter_markers("skip")):
            out.append(item)  # a unit test of the SDK, not an API test
            continue
        function = short_id(item.nodeid).split("[")[0]
        functions.add(function)
        if why := reason_to_leave_out(item.nodeid):
            reasons[why[0]].add(function)
            used.add(why[1])
            out.append(item)
            continue
        item.own_markers = [m for m in item.own_markers if not is_mock_skip(m)]
        keep.append(item)
    items[:] = keep
    config.hook.pytest_deselected(items=out)
    config.stash[_STASH] = (functions, reasons)
    if config.getoption("stale_check", False):
        stale = {p for e in LEFT_OUT for p in e["tests"]} - used
        if stale:
            raise pytest.UsageError(f"left_out.toml names tests that do not exist: {sorted(stale)}")


_STASH = pytest.StashKey[tuple[set[str], dict[str, set[str]]]]()


# With pytest-xdist only the workers collect; they hand over what they left out when they end.
def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None and (collected := session.config.stash.get(_STASH, None)):
        functions, reasons = collected
        output["left_out"] = [sorted(functions), {r: sorted(names) for r, names in reasons.items()}]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error) -> None:
    if handed := getattr(node, "workeroutput", {}).get("left_out"):
        functions, reasons = handed
        node.config.stash[_STASH] = (set(functions), {r: set(names) for r, names in reasons.items()})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stale-check", action="store_true", dest="stale_check",
                     help="fail when left_out.toml names a test that does not exist (needs the whole collection)")


# ------------------------------------------------------------------------------------------ one test


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    global _resources
    _resources = Resources(_http)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    global _resources
    resources, _resources = _resources, None
    if resources is not None:
        resources.close()


# ------------------------------------------------------------------------------------------ summary


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """How many of how many, by mode. Runs in the process that the user started."""
    passed: Counter = Counter()
    total: Counter = Counter()
    bad: set[str] = set()
    seen: set[str] = set()
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if outcome == "passed" and report.when != "call":
                continue
            name = short_id(report.nodeid)
            mode = (re.search(r"\[(\w+)", name) or [None, "other"])[1]
            function = name.split("[")[0]
            seen.add(function)
            total[mode] += 1
            passed[mode] += outcome == "passed"
            if outcome != "passed":
                bad.add(function)
    write = terminalreporter.write_line
    write("")
    for mode in sorted(total):
        write(f"API tests, {mode}: {passed[mode]} of {total[mode]} pass")
    write(f"API test functions: {len(seen - bad)} of {len(seen)} pass in every mode")
    collected = config.stash.get(_STASH, None)
    if collected and collected[0]:
        functions, reasons = collected
        write(f"left out: {sum(map(len, reasons.values()))} of {len(functions)} functions")
        for reason, names in sorted(reasons.items()):
            write(f"  {len(names):4}  {reason}")
