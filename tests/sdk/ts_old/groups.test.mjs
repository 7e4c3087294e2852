// Groups with the old generation of the TypeScript SDK (0.1.x).
//
// Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LettaClient, LettaError } from "@letta-ai/letta-client";

const model = process.env.ENGRAM_MODEL ?? "engram/scripted";
const embedding = process.env.ENGRAM_EMBEDDING ?? "engram/embed";
const client = new LettaClient({ baseUrl: process.env.ENGRAM_URL });

/** Runs `body` with agents of its own. */
async function withAgents(count, body) {
    const ids = [];
    try {
        while (ids.length < count) ids.push((await client.agents.create({ model, embedding })).id);
        return await body(ids);
    } finally {
        for (const id of ids) await client.agents.delete(id);
    }
}

test("a group lives", () =>
    withAgents(3, async ([lead, ...agentIds]) => {
        const managerConfig = { managerType: "sleeptime", managerAgentId: lead, sleeptimeAgentFrequency: 3 };
        const group = await client.groups.create({ agentIds, description: "night shift", managerConfig });
        assert.match(group.id, /^group-[0-9a-f-]{36}$/);
        assert.equal(group.managerType, "sleeptime");
        assert.deepEqual(group.agentIds, agentIds);
        assert.equal(group.turnsCounter, -1);
        assert.equal((await client.agents.retrieve(lead)).multiAgentGroup.id, group.id);
        const changed = await client.groups.modify(group.id, {
            description: "day shift",
            managerConfig: { managerType: "sleeptime", sleeptimeAgentFrequency: 4 },
        });
        assert.equal(changed.sleeptimeAgentFrequency, 4);
        assert.equal((await client.groups.retrieve(group.id)).description, "day shift");
        assert.ok((await client.groups.list({ managerType: "sleeptime" })).some((g) => g.id === group.id));
        assert.ok((await client.agents.groups.list(lead)).some((g) => g.id === group.id));
        const count = await client.groups.count();
        await client.groups.delete(group.id);
        assert.equal(await client.groups.count(), count - 1);
        await assert.rejects(client.groups.retrieve(group.id), (e) => e instanceof LettaError && e.statusCode === 404);
    }));
