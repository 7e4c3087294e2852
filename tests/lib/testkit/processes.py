"""Child processes that never outlive the test, and the ports they listen on."""

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signum: int = signal.SIGKILL):
    """A `preexec_fn` that has the kernel signal the child when its parent dies, however it dies."""

    def run():
        _libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)

    return run


# Ports that this process has given out: none is given twice, whether it is listened on by now or not.
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on, and that stays ours.

    The kernel gives it to no outgoing connection (those get theirs from `ip_local_port_range`), so nobody takes it
    between two lives of a server, or between this call and the first of them.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as given:
        lowest, highest = map(int, given.read().split())
    # Below the range; above it where it begins so low that nothing is left below.
    ours = range(max(lowest - 12_000, 1_100), lowest)
    if len(ours) < 1_000:
        ours = range(highest + 1, 65_536)
    if not ours:
        raise RuntimeError(f"every port from {lowest} to {highest} may be taken by an outgoing connection")
    for port in random.SystemRandom().sample(ours, min(len(ours), 400)):
        if port in _given:
            continue
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise RuntimeError("no free port was found")


def clean_environment(**extra: str) -> dict[str, str]:
    """Our environment without anything that would change how the server or an SDK behaves."""
    prefixes = ("ENGRAM_", "LETTA_", "OPENAI_", "ANTHROPIC_")
    names = {"SECURE", "HOST", "PORT", "DATABASE_URL", "ACCEPTABLE_ORIGINS", "GLOBAL_MAX_CONTEXT_WINDOW_LIMIT"}
    names |= {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}  # all traffic here is loopback
    kept = {k: v for k, v in os.environ.items() if not k.startswith(prefixes) and k.upper() not in names}
    return {**kept, **extra}


def wait_for_http(url: str, seconds: float, process: subprocess.Popen | None = None) -> float:
    """Polls `url` until it answers 200; returns the seconds it took. Fails early if `process` ends."""
    started = time.monotonic()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    problem: object = "not tried"
    while time.monotonic() - started < seconds:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the process ended with {process.returncode} before {url} answered")
        try:
            with opener.open(url, timeout=2) as answer:
                if answer.status == 200:
                    return time.monotonic() - started
                problem = answer.status
        except (urllib.error.URLError, OSError) as e:
            problem = e
        time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer within {seconds} s: {problem}")


def stop(process: subprocess.Popen, seconds: float = 15, signum: int = signal.SIGTERM) -> int:
    """Asks a process to end, and makes it end when it does not within `seconds`."""
    if process.poll() is None:
        process.send_signal(signum)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that still are its children."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    # The name, in brackets, may hold anything; the parent is the second field after it.
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue  # it ended meanwhile
            if parent == pid:
                found.append(int(entry))
    return found


def listens(pid: int, port: int) -> bool:
    """Whether it is this process that takes connections to this TCP port (IPv4)."""
    sockets = set()
    with open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            entry = line.split()
            if entry[3] == "0A" and int(entry[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{entry[9]}]")
    with contextlib.suppress(OSError):
        for handle in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{handle}") in sockets:
                    return True
    return False


def wait_gone(pids: list[int], seconds: float = 5) -> None:
    """Waits until none of these processes, which are not our children, runs any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(_runs(pid) for pid in pids):
            return
        time.sleep(0.01)
    raise RuntimeError(f"still there: {[pid for pid in pids if _runs(pid)]}")


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"  # whoever inherits it may be slow to reap it
    except OSError:
        return False
