"""What the runners share: a list of parts, run one after the other, with a summary at the end."""

import subprocess
import sys
import time
from dataclasses import dataclass, field


@dataclass
class Results:
    """Collects the outcome of each part, so that one failure does not hide the next."""

    rows: list[tuple[str, bool, float]] = field(default_factory=list)

    def run(self, name: str, command: list, **options) -> bool:
        print(f"\n==> {name}", flush=True)
        started = time.monotonic()
        ok = subprocess.run([str(c) for c in command], **options).returncode == 0
        self.rows.append((name, ok, time.monotonic() - started))
        return ok

    def finish(self) -> None:
        """Prints one line a part and ends the process: 0 if all passed, else 1."""
        print()
        for name, ok, seconds in self.rows:
            print(f"{'ok    ' if ok else 'FAILED'} {seconds:6.1f} s  {name}")
        sys.stdout.flush()
        raise SystemExit(0 if all(ok for _, ok, _ in self.rows) else 1)
