#!/usr/bin/env python3
"""Runs the API tests that ship in the source package of letta-client 1.12.1 against the server.

    python3 tests/sdk/api_suite/run.py [--url http://…] [--jobs N] [pytest arguments]

The source package is downloaded and unpacked into `target/test-env`; nothing of it is copied here.
Needs the mock model for the tests that cancel a run in progress (started here, unless --url is given:
then the server needs a model that ENGRAM_BUSY_MODEL names).
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "lib"))

from testkit import envs, paths, processes  # noqa: E402
from testkit.mock import MockModel  # noqa: E402
from testkit.postgres import fresh_database  # noqa: E402
from testkit.server import EngramServer  # noqa: E402

VERSION = "1.12.1"


def source_package(python: Path) -> Path:
    """The unpacked source package, downloaded once."""
    home = paths.cache_dir() / "sdist"
    unpacked = home / f"letta_client-{VERSION}"
    if (unpacked / "tests" / "api_resources").is_dir():
        return unpacked
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-binary", ":all:", "--no-deps",
         "--dest", str(home), f"letta-client=={VERSION}"],
        check=True, stdout=sys.stderr,
    )
    (archive,) = home.glob(f"letta_client-{VERSION}.tar.gz")
    part = home / "part"
    shutil.rmtree(part, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(part, filter="data")
    (part / unpacked.name).rename(unpacked)
    return unpacked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--jobs", default=str(min(4, os.cpu_count() or 2)), help="parallel test processes")
    args, rest = parser.parse_known_args()
    python = envs.ensure_venv("python_new")
    package = source_package(python)
    with contextlib.ExitStack() as stack:
        url = args.url
        if not url:
            env = stack.enter_context(MockModel(python=str(envs.ensure_venv("tools")))).server_env
            pg_uri = stack.enter_context(fresh_database("api"))
            url = stack.enter_context(EngramServer(env=env, pg_uri=pg_uri)).url
        keep = {k: v for k, v in os.environ.items() if k.startswith("ENGRAM_") and k.endswith("MODEL")}
        env = processes.clean_environment(
            TEST_API_BASE_URL=url, PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1", **keep
        )
        status = subprocess.run(
            [python, "-m", "pytest", "-p", "overlay", "-p", "no:cacheprovider", "-q", "--tb=short", "-n", args.jobs,
             *(rest or ["--stale-check", "tests/api_resources"])],
            cwd=package, env=env,
        ).returncode
    raise SystemExit(status)


if __name__ == "__main__":
    main()
