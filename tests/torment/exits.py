"""Whether a process may end as it did. Nothing here knows of processes, so `test_checker.py` shows it every case."""

from collections.abc import Iterable

TAKEN = "Address already in use"
PANIC = "panicked at"


def port_was_taken(status: int, log: str) -> bool:
    """The start failed for something that is not the server's: somebody else listens on its port."""
    return status == 1 and TAKEN in log


def complaint(state: str, status: int, told: bool, database_away: bool, log: str) -> str | None:
    """What is wrong with the end of a process that was not killed by us, if anything is.

    `state` is what its operator knew of it (`up`, `starting`, `leaving`), `told` whether it was sent SIGTERM,
    `database_away` whether Postgres was away at any time since its start, `log` the end of its log.
    """
    if PANIC in log:
        return f"panicked and ended with {status}"
    if state == "starting":
        # SIGTERM ends a process that has not begun to listen for it.
        if status == 0 or port_was_taken(status, log) or told and status in (1, -15):
            return None
        # Without a database a start may be given up. Not by a signal.
        return None if status == 1 and database_away else f"ended with {status} while it started"
    if told:
        # It served requests before. Whether the database is there or not, it can end in order.
        return None if status == 0 else f"ended with {status} after SIGTERM"
    return f"ended by itself with {status}"


def panics(name: str, log: Iterable[str]) -> list[str]:
    """A panic is a defect also where the process lives on."""
    found = [line.strip() for line in log if PANIC in line]
    return [f"{name}: {line[:200]}" for line in found[:5]]
