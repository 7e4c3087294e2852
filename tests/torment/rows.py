"""What the database holds, read past the server, in the shapes that the checker wants."""

from dataclasses import dataclass, field

# The content of a message is kept as it was written; only what the rules need is taken out of it here.
MESSAGES = """
SELECT id, conversation_id, seq, role, otid, run_id, CASE role WHEN 'system' THEN '{}' ELSE content END AS content
FROM messages ORDER BY conversation_id, seq"""
RUNS = """
SELECT id, conversation_id, status, stop_reason, error, attempts, step_count, first_seq, end_seq, background,
       completed_at IS NOT NULL AS has_end, coalesce(json_array_length(input->'decisions'), 0) > 0 AS decides
FROM runs"""
EVENTS = """
SELECT run_id, min(seq) AS lowest, max(seq) AS highest, count(*) AS count FROM run_events GROUP BY run_id"""


@dataclass
class Message:
    id: str
    conversation_id: str
    seq: int
    role: str
    otid: str | None
    run_id: str | None
    content: dict

    @property
    def text(self) -> str:
        return "\n".join(p.get("text", "") for p in self.content.get("parts", []))


@dataclass
class Run:
    id: str
    conversation_id: str
    status: str
    stop_reason: str | None = None
    error: str | None = None
    attempts: int = 0
    step_count: int = 0
    first_seq: int | None = None
    end_seq: int | None = None
    background: bool = False
    has_end: bool = True
    decides: bool = False  # it is the client's word on calls that waited


@dataclass
class Database:
    """Everything the checker looks at."""

    messages: list[Message] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    conversations: dict[str, int] = field(default_factory=dict)  # id to next_seq
    steps: dict[str, int] = field(default_factory=dict)  # rows by run
    passages: list[str] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    keys: list[tuple[str, str, str]] = field(default_factory=list)  # conversation, key, run
    events: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # run to lowest, highest, count


def read(cluster) -> Database:
    db = Database()
    db.messages = [Message(**row) for row in cluster.rows(MESSAGES)]
    db.runs = {row["id"]: Run(**row) for row in cluster.rows(RUNS)}
    db.conversations = {r["id"]: r["next_seq"] for r in cluster.rows("SELECT id, next_seq FROM conversations")}
    db.steps = {r["run_id"]: r["n"] for r in cluster.rows("SELECT run_id, count(*) AS n FROM steps GROUP BY run_id")}
    db.passages = [r["text"] for r in cluster.rows("SELECT text FROM passages")]
    db.blocks = [r["value"] for r in cluster.rows("SELECT value FROM blocks")]
    tables = {r["t"] for r in cluster.rows("SELECT tablename AS t FROM pg_tables WHERE schemaname = 'public'")}
    if "run_keys" in tables:
        db.keys = [
            (r["owner_id"], r["key"], r["run_id"])
            for r in cluster.rows("SELECT owner_id, key, run_id FROM run_keys")
        ]
    if "run_events" in tables:
        db.events = {r["run_id"]: (r["lowest"], r["highest"], r["count"]) for r in cluster.rows(EVENTS)}
    return db
