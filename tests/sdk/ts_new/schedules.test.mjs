// Schedules with the new generation of the TypeScript SDK (1.x).
//
// Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.

import assert from "node:assert/strict";
import { test } from "node:test";
import Letta from "@letta-ai/letta-client";

const model = process.env.ENGRAM_MODEL ?? "engram/scripted";
const embedding = process.env.ENGRAM_EMBEDDING ?? "engram/embed";
const client = new Letta({ baseURL: process.env.ENGRAM_URL, apiKey: "none" });

test("a schedule lives", async () => {
    const agent_id = (await client.agents.create({ model, embedding })).id;
    try {
        const messages = [{ role: "user", content: "Good morning!" }];
        const scheduled_at = Date.now() + 3_600_000;
        const once = await client.agents.schedule.create(agent_id, {
            messages,
            schedule: { type: "one-time", scheduled_at },
        });
        assert.equal(Date.parse(once.next_scheduled_at), scheduled_at);
        const daily = await client.agents.schedule.create(agent_id, {
            messages,
            schedule: { type: "recurring", cron_expression: "30 7 * * MON-FRI" },
        });
        const page = await client.agents.schedule.list(agent_id, { limit: "1" });
        assert.deepEqual(page.scheduled_messages.map((s) => s.id), [once.id]);
        assert.equal(page.has_next_page, true);
        const found = await client.agents.schedule.retrieve(daily.id, { agent_id });
        assert.equal(found.schedule.cron_expression, "30 7 * * MON-FRI");
        assert.equal(found.message.messages[0].content[0].text, "Good morning!");
        assert.deepEqual(await client.agents.schedule.delete(daily.id, { agent_id }), { success: true });
        await assert.rejects(client.agents.schedule.retrieve(daily.id, { agent_id }), { status: 404 });
        const past = { messages, schedule: { scheduled_at: 0 } };
        await assert.rejects(client.agents.schedule.create(agent_id, past), { status: 422 });
    } finally {
        await client.agents.delete(agent_id);
    }
});
