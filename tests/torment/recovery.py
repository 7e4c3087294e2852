"""How long work stands still when its owner goes away: from the fault to the next row of the conversation."""

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass

from cluster import Cluster, Node

# Conversations with work to do that this node drives, by its last incarnation that nobody has retired yet.
VICTIMS = """
SELECT coalesce(json_agg(DISTINCT c.id), '[]') FROM conversations c
JOIN nodes n ON n.id = c.owner AND n.url = '{url}' AND NOT n.retired
JOIN runs r ON r.conversation_id = c.id AND r.status IN ('created', 'running')
"""


@dataclass
class Hit:
    conversation: str
    wall: float  # UNIX time of the fault
    clock: float  # the same on the monotonic clock
    how: str
    node: str

    @property
    def time_of_day(self) -> str:
        """As the logs of the nodes write it."""
        return time.strftime("%H:%M:%S", time.gmtime(self.wall))


class Recovery:
    """Remembers who was hit, and works out afterwards, from the rows, when they went on."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.hits: list[Hit] = []

    async def hit(self, node: Node, how: str) -> None:
        wall, clock = time.time(), time.monotonic()
        if not self.cluster.postgres_up:
            return
        try:
            found = await asyncio.to_thread(self.cluster.psql, VICTIMS.format(url=node.server.url))
        except subprocess.CalledProcessError:
            return  # Postgres went away at this moment
        self.hits += [Hit(c, wall, clock, how, node.name) for c in json.loads(found)]

    def measure(self) -> tuple[list[tuple[float, Hit]], int, list[Hit]]:
        """(seconds and hit, for hits that nothing else disturbed; how many were disturbed; those that never went on)

        Disturbed means that the same conversation was hit again before it went on, or that no node, or
        no Postgres, was there all the time.
        """
        progress: dict[str, list[float]] = {}
        rows = self.cluster.rows("""
            SELECT conversation_id AS id, extract(epoch FROM created_at)::float8 AS at FROM messages
            UNION ALL
            SELECT conversation_id, extract(epoch FROM completed_at)::float8 FROM runs WHERE completed_at IS NOT NULL
            ORDER BY 2""")
        for row in rows:
            progress.setdefault(row["id"], []).append(row["at"])
        later: dict[str, list[float]] = {}
        for hit in self.hits:
            later.setdefault(hit.conversation, []).append(hit.wall)
        measured, disturbed, never = [], 0, []
        for hit in self.hits:
            went_on = next((at for at in progress.get(hit.conversation, []) if at > hit.wall), None)
            if went_on is None:
                never.append(hit)
                continue
            seconds = went_on - hit.wall
            again = any(hit.wall < at < went_on for at in later[hit.conversation])
            if again or not self.cluster.one_up_throughout(hit.clock, hit.clock + seconds):
                disturbed += 1
            else:
                measured.append((seconds, hit))
        return measured, disturbed, never
