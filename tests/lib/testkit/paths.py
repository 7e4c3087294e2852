"""Where things are. Nothing here depends on the current directory."""

import os
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
ROOT = TESTS.parent


def target_dir() -> Path:
    """Cargo's target directory, which also holds our cache."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()


def cache_dir() -> Path:
    """Virtual environments, npm packages and downloads; safe to delete at any time."""
    path = target_dir() / "test-env"
    path.mkdir(parents=True, exist_ok=True)
    return path


def server_binary() -> Path:
    """The server under test: `ENGRAM_BIN`, else the debug build."""
    return Path(os.environ.get("ENGRAM_BIN") or target_dir() / "debug" / "engram")
