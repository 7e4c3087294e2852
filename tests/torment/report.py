"""The table at the end, and what is kept about a violation."""

import json
import resource
from collections import Counter

import checker
import rows

TITLES = {
    "lost_runs": "acknowledged runs lost",
    "open_runs": "runs without a terminal state or reason",
    "one_end": "runs that ended twice or otherwise than told",
    "steps": "steps committed twice",
    "sequence": "gaps or repetitions in a conversation",
    "ranges": "messages outside of their run",
    "pairs": "calls without exactly one result",
    "once": "requests carried out twice or half",
    "names": "otids used twice",
    "effects": "memory written twice, never, or unasked",
    "shown": "messages shown and not stored",
    "events": "gaps in kept events",
    "clients": "complaints of clients",
    "recovery": "work that stood still too long",
}


def quantiles(values: list[float], unit: str = "s") -> str:
    if not values:
        return "-"
    ordered = sorted(values)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{len(values)} times, p50 {p50:.2f} {unit}, p99 {p99:.2f} {unit}, max {ordered[-1]:.2f} {unit}"


def _counter(counter: Counter) -> str:
    return ", ".join(f"{k} {v}" for k, v in counter.most_common())


def print_report(torment, db: rows.Database, found: dict, recovered, seconds: float) -> None:
    clients, breaker = torment.clients, torment.breaker
    requests = clients.traffic.requests
    measured, disturbed, never = recovered
    print(f"  seed {torment.seed}: {seconds:.0f} s, {len(requests)} requests ({len(requests) / seconds:.1f}/s), "
          f"{sum(q.attempts for q in requests)} attempts, {len(db.runs)} runs, {len(db.messages)} messages, "
          f"{sum(len(m.content.get('calls') or []) for m in db.messages)} tool calls")
    print(f"  faults: {breaker.kills} kill -9 ({breaker.kills_in_start} of them in a start); {_counter(breaker.done)}")
    groups: dict[str, Counter] = {}
    for name, n in clients.counts.items():
        group, _, rest = name.partition(" ")
        groups.setdefault(group.rstrip(":"), Counter())[rest] += n
    for group, counter in groups.items():
        print(f"  {group}: {_counter(counter)}")
    print(f"  runs: {_counter(Counter(r.status for r in db.runs.values()))}; "
          f"failed: {_counter(Counter((r.error or '')[:80] for r in db.runs.values() if r.status == 'failed'))}")
    for kind, values in sorted(clients.latency.items()):
        print(f"  answer to {kind}: {quantiles(values)}")
    print(f"  cancel: {quantiles(clients.cancel_seconds)}")
    print(f"  SIGTERM to end: {quantiles(breaker.leave_seconds)}")
    if torment.cluster.ports_taken:
        print(f"  starts on a port that somebody else had taken (tried again): {torment.cluster.ports_taken}")
    starts = [s for n in torment.cluster.nodes for s in n.starts]
    print(f"  start to ready: {quantiles(starts)}")
    for how in ("kill", "freeze", "term"):
        values = [s for s, h in measured if h.how == how]
        over = sum(s > 5 for s in values)
        print(f"  work goes on after {how}: {quantiles(values)}, over 5 s: {over}")
    print(f"  … disturbed by another fault: {disturbed}, ended before the fault was noted: {len(never)}")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"  the clients used {(used.ru_utime + used.ru_stime) / seconds:.0%} of a processor")
    print(f"  events compared between readers: {clients.ledger.compared}")
    print(f"  fenced commits: {sum(torment.fenced.values())} by the metrics, {fenced_in_logs(torment)} lines in the logs")
    print()
    for rule, violations in found.items():
        print(f"  {len(violations):6}  {TITLES[rule]}")
    print(flush=True)


def fenced_in_logs(torment) -> int:
    count = 0
    for node in torment.cluster.nodes:
        with open(node.server.log_path, errors="replace") as log:
            count += sum("fenced" in line for line in log)
    return count


def explain(torment, db: rows.Database, bad: list[checker.Violation]) -> None:
    """Names the violations, shows the first ones in their surroundings, and keeps all that is known."""
    for violation in bad[:40]:
        print(f"  VIOLATION {violation} (seed {torment.seed})")
    if len(bad) > 40:
        print(f"  … and {len(bad) - 40} more in {torment.home / 'violations.txt'}")
    shown: set[str] = set()
    with open(torment.home / "violations.txt", "w") as out:
        for violation in bad:
            print(violation, file=out)
            conversation = violation.conversation.removeprefix("agent-").removeprefix("conv-")
            about = violation.run.removeprefix("run-").removeprefix("of ")
            part = checker.excerpt(db, conversation, about)
            print(*(f"    {line}" for line in part), sep="\n", file=out)
            if part and violation.rule not in shown and len(shown) < 4:
                shown.add(violation.rule)
                print(f"  around it ({violation.rule}):", *(f"    {line}" for line in part), sep="\n")
    (torment.home / "open.txt").write_text(torment.cluster.describe_open())
    with open(torment.home / "requests.jsonl", "w") as out:
        for q in torment.clients.traffic.requests:
            row = {k: sorted(v) if isinstance(v, set) else v for k, v in vars(q).items() if k != "agent"}
            print(json.dumps({"agent": q.agent.id, **row}), file=out)
