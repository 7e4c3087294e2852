#!/usr/bin/env python3
"""Kills the very first start of the embedded database at random moments; the next start must work.

    python3 tests/crash/first_start.py                      12 kills within the first two seconds
    python3 tests/crash/first_start.py --kills 1000 --within 2 --seed 7

Each kill gets a data directory of its own. After it the server is started again and must answer, keep what it is told,
and have it after another start.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

import httpx  # noqa: E402
from testkit.server import EngramServer  # noqa: E402

BLOCK = {"label": "human", "value": "kept"}


def one(number: int, after: float, scratch: Path) -> str | None:
    """What went wrong, if anything did."""
    home = scratch / str(number)
    server = EngramServer(data_dir=home / "data", log=home / "engram.log")
    try:
        server.launch()
        time.sleep(after)
        server.kill()
        server.start()
        block = httpx.post(f"{server.url}/v1/blocks/", json=BLOCK, timeout=60, trust_env=False).json()["id"]
        server.kill()
        server.start()
        kept = httpx.get(f"{server.url}/v1/blocks/{block}", timeout=60, trust_env=False).json()
        return None if kept.get("value") == BLOCK["value"] else f"a block is lost: {kept}"
    except (RuntimeError, httpx.HTTPError, KeyError, ValueError) as error:
        return f"{error!r}\n{server.log_tail()}"
    finally:
        server.kill()
        shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--within", type=float, default=2.0, help="seconds after the start")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    chance = random.Random(args.seed)
    scratch = Path(tempfile.mkdtemp(prefix="engram-first-start-"))
    broken = 0
    try:
        for number in range(args.kills):
            after = chance.uniform(0, args.within)
            problem = one(number, after, scratch)
            if problem:
                broken += 1
                print(f"killed after {after:.3f} s: {problem}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{args.kills} first starts were killed, {broken} could not be started again")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
