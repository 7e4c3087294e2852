#!/usr/bin/env python3
"""Runs the official SDKs of both generations against a server, once per model.

    python3 tests/sdk/run.py [--only python_old,ts_new] [--models scripted,openai] [--url http://…]

`scripted` is what a stranger gets: no API key, no network, the embedded database. `openai` is the same
against an OpenAI-compatible provider (`tests/mock_openai.py`) and, when $ENGRAM_TEST_PG_URI is set, a
Postgres server. With --url nothing is started, and only the built-in model is used. The first run installs
what it needs; LiveKit's plugin (`python_livekit`) is the largest by far, 420 MB on the disk.
"""

import argparse
import contextlib
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

from testkit import envs, processes  # noqa: E402
from testkit.mock import MockModel  # noqa: E402
from testkit.postgres import fresh_database  # noqa: E402
from testkit.server import EngramServer  # noqa: E402
from testkit.suites import Results  # noqa: E402

TS_PACKAGES = {
    "ts_old": "@letta-ai/letta-client@0.1.211",
    "ts_new": "@letta-ai/letta-client@1.12.1",
}
SUITES = ["python_old", "python_new", "python_openai", "python_livekit", *TS_PACKAGES]
HANDLES = {
    "scripted": {"ENGRAM_MODEL": "engram/scripted", "ENGRAM_EMBEDDING": "engram/embed"},
    "openai": {"ENGRAM_MODEL": "openai/gpt-4o-mini", "ENGRAM_EMBEDDING": "openai/text-embedding-3-small"},
}


def run_suite(results: Results, suite: str, model: str, url: str) -> None:
    env = processes.clean_environment(ENGRAM_URL=url, **HANDLES[model])
    name = f"{suite} with {model}"
    if suite in TS_PACKAGES:
        home = envs.ensure_npm(suite, TS_PACKAGES[suite])
        # Node looks for packages from the file's own folder upwards, and they are not in the repository.
        files = [Path(shutil.copy(file, home)) for file in sorted((HERE / suite).glob("*.test.mjs"))]
        results.run(name, ["node", "--test", "--test-reporter=spec", *files], cwd=home, env=env)
    else:
        results.run(name, [envs.ensure_venv(suite), "-m", "pytest", "-q", HERE / suite], env=env)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SUITES))
    parser.add_argument("--models", default=",".join(HANDLES))
    parser.add_argument("--url", help="a server that runs already")
    args = parser.parse_args()
    results = Results()
    for model in ["scripted"] if args.url else args.models.split(","):
        with contextlib.ExitStack() as stack:
            url = args.url
            if not url:
                env, pg_uri = {}, None
                if model == "openai":
                    env = stack.enter_context(MockModel(python=str(envs.ensure_venv("tools")))).server_env
                    pg_uri = stack.enter_context(fresh_database("sdk"))
                url = stack.enter_context(EngramServer(env=env, pg_uri=pg_uri)).url
            for suite in args.only.split(","):
                run_suite(results, suite, model, url)
    results.finish()


if __name__ == "__main__":
    main()
