// The documentation's quick start with the old generation of the TypeScript SDK (0.1.x).
//
// Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.
// `tests/sdk/run.py` copies this file next to the installed SDK and runs it with `node --test`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { LettaClient, LettaError } from "@letta-ai/letta-client";

const baseUrl = process.env.ENGRAM_URL;
const model = process.env.ENGRAM_MODEL ?? "engram/scripted";
const embedding = process.env.ENGRAM_EMBEDDING ?? "engram/embed";

const HUMAN = "The human's name is Chad. They like vibe coding.";
const PERSONA = "My name is Sam, the all-knowing sentient AI.";

const client = new LettaClient({ baseUrl });
const user = (content) => ({ messages: [{ role: "user", content }] });
const call = (name, args) => `[[call ${name} ${JSON.stringify(args)}]]`;
const ofType = (messages, type) => messages.filter((m) => m.messageType === type);
const answers = (messages) => ofType(messages, "assistant_message").map((m) => m.content);
const byLabel = (blocks) => Object.fromEntries(blocks.map((b) => [b.label, b.value]));

async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
}

/** Runs `body` with an agent of its own. */
async function withAgent(body, more = {}) {
    const agent = await client.agents.create({
        model,
        embedding,
        memoryBlocks: [
            { label: "human", value: HUMAN },
            { label: "persona", value: PERSONA },
        ],
        ...more,
    });
    try {
        return await body(agent);
    } finally {
        await client.agents.delete(agent.id);
    }
}

describe("agents", () => {
    test("health", async () => {
        const health = await client.health.check();
        assert.equal(health.status, "ok");
    });

    test("the documentation's quick start, with its tools", () =>
        withAgent(
            async (agent) => {
                const names = agent.tools.map((t) => t.name);
                for (const name of ["web_search", "run_code", "send_message"]) assert.ok(names.includes(name), name);
                const response = await client.agents.messages.create(agent.id, user("hows it going????"));
                assert.deepEqual(answers(response.messages), ["You said: hows it going????"]);
            },
            { tools: ["web_search", "run_code"] },
        ));

    test("a created agent is what was asked for", () =>
        withAgent(async (agent) => {
            assert.match(agent.id, /^agent-[0-9a-f-]{36}$/);
            assert.equal(agent.agentType, "memgpt_agent");
            assert.deepEqual(byLabel(agent.memory.blocks), { human: HUMAN, persona: PERSONA });
            assert.equal(agent.llmConfig.handle, model);
            assert.equal(agent.embeddingConfig.handle, embedding);
            const again = await client.agents.retrieve(agent.id);
            assert.equal(again.system, agent.system);
        }));

    test("agents are listed, counted, modified and deleted", () =>
        withAgent(async (agent) => {
            const tag = `t-${randomUUID()}`;
            const changed = await client.agents.modify(agent.id, { name: "Renamed", tags: [tag] });
            assert.equal(changed.name, "Renamed");
            assert.deepEqual((await client.agents.list({ tags: [tag] })).map((a) => a.id), [agent.id]);
            assert.ok((await client.tags.list()).includes(tag));
            assert.ok((await client.agents.count()) >= 1);
            const other = await client.agents.create({ model, embedding });
            await client.agents.delete(other.id);
            await assert.rejects(client.agents.retrieve(other.id), (e) => e instanceof LettaError && e.statusCode === 404);
        }));

    test("models are listed", async () => {
        assert.ok((await client.models.list()).some((m) => m.handle === model));
        assert.ok((await client.embeddingModels.list()).some((m) => m.handle === embedding));
    });
});

describe("messages", () => {
    test("send", () =>
        withAgent(async (agent) => {
            const response = await client.agents.messages.create(agent.id, user("hows it going????"));
            assert.deepEqual(answers(response.messages), ["You said: hows it going????"]);
            assert.equal(response.stopReason.stopReason, "end_turn");
            assert.equal(response.usage.stepCount, 1);
            assert.ok(response.usage.totalTokens > 0);
        }));

    test("a memory tool changes the block", () =>
        withAgent(async (agent) => {
            const text = call("core_memory_append", { label: "human", content: "Likes tuna." }) + " done?";
            const response = await client.agents.messages.create(agent.id, user(text));
            const [made] = ofType(response.messages, "tool_call_message");
            const [returned] = ofType(response.messages, "tool_return_message");
            assert.equal(made.toolCall.name, "core_memory_append");
            assert.equal(JSON.parse(made.toolCall.arguments).content, "Likes tuna.");
            assert.equal(returned.status, "success");
            assert.equal(returned.toolCallId, made.toolCall.toolCallId);
            assert.deepEqual(answers(response.messages), ["You said: done?"]);
            const block = await client.agents.blocks.retrieve(agent.id, "human");
            assert.ok(block.value.startsWith(HUMAN) && block.value.endsWith("Likes tuna."));
        }));

    test("stream by step", () =>
        withAgent(async (agent) => {
            const text = call("core_memory_append", { label: "human", content: "Streams." }) + " one two three";
            const chunks = await collect(await client.agents.messages.createStream(agent.id, user(text)));
            const kinds = chunks.map((c) => c.messageType);
            assert.deepEqual(kinds.slice(-2), ["stop_reason", "usage_statistics"]);
            assert.ok(kinds.indexOf("tool_call_message") < kinds.indexOf("tool_return_message"));
            assert.ok(kinds.indexOf("tool_return_message") < kinds.indexOf("assistant_message"));
            assert.deepEqual(answers(chunks), ["You said: one two three"]);
            assert.equal(chunks.at(-2).stopReason, "end_turn");
            assert.equal(chunks.at(-1).stepCount, 2);
        }));

    test("stream by token", () =>
        withAgent(async (agent) => {
            const text = call("core_memory_append", { label: "human", content: "Likes tokens." }) + " one two three";
            const chunks = await collect(
                await client.agents.messages.createStream(agent.id, { ...user(text), streamTokens: true }),
            );
            const said = ofType(chunks, "assistant_message");
            assert.ok(said.length > 1, "the answer came in one piece");
            assert.equal(said.map((c) => c.content).join("").trim(), "You said: one two three");
            assert.equal(new Set(said.map((c) => c.id)).size, 1);
            const pieces = ofType(chunks, "tool_call_message").map((c) => c.toolCall);
            assert.equal(new Set(pieces.map((p) => p.toolCallId)).size, 1);
            assert.ok(pieces[0].toolCallId);
            assert.equal(pieces.map((p) => p.name ?? "").join(""), "core_memory_append");
            assert.equal(JSON.parse(pieces.map((p) => p.arguments ?? "").join("")).content, "Likes tokens.");
            assert.deepEqual(chunks.slice(-2).map((c) => c.messageType), ["stop_reason", "usage_statistics"]);
        }));

    test("[DONE] within the text does not end the stream", () =>
        withAgent(async (agent) => {
            const chunks = await collect(await client.agents.messages.createStream(agent.id, user("a [DONE] b")));
            assert.deepEqual(answers(chunks), ["You said: a [DONE] b"]);
            assert.equal(chunks.at(-1).messageType, "usage_statistics");
        }));

    test("text beyond ASCII arrives whole, by token too", () =>
        withAgent(async (agent) => {
            const text = "Grüße 👋 自然 مرحبا";
            const stream = await client.agents.messages.createStream(agent.id, { ...user(text), streamTokens: true });
            const said = ofType(await collect(stream), "assistant_message");
            assert.equal(said.map((c) => c.content).join("").trim(), `You said: ${text}`);
        }));

    test("list", () =>
        withAgent(async (agent) => {
            for (const text of ["one", "two"]) await client.agents.messages.create(agent.id, user(text));
            const listed = await client.agents.messages.list(agent.id, { limit: 100 });
            assert.equal(listed[0].messageType, "system_message");
            assert.deepEqual(ofType(listed, "user_message").map((m) => m.content).slice(-2), ["one", "two"]);
            assert.deepEqual(answers(listed).slice(-2), ["You said: one", "You said: two"]);
        }));

    test("two concurrent sends get each their own answer", () =>
        withAgent(async (agent) => {
            const got = await Promise.all(
                ["left", "right"].map((t) => client.agents.messages.create(agent.id, user(t))),
            );
            assert.deepEqual(got.map((r) => answers(r.messages)), [["You said: left"], ["You said: right"]]);
        }));
});

describe("runs", () => {
    test("an asynchronous run is polled to its end", () =>
        withAgent(async (agent) => {
            let run = await client.agents.messages.createAsync(agent.id, user("later"));
            assert.match(run.id, /^run-/);
            for (let i = 0; i < 600 && !["completed", "failed"].includes(run.status); i++) {
                await new Promise((r) => setTimeout(r, 50));
                run = await client.runs.retrieve(run.id);
            }
            assert.equal(run.status, "completed");
            assert.deepEqual(answers(await client.runs.messages.list(run.id)), ["You said: later"]);
            const steps = await client.runs.steps.list(run.id);
            assert.equal(steps.length, 1);
            assert.equal((await client.steps.retrieve(steps[0].id)).id, steps[0].id);
            assert.ok((await client.runs.usage.retrieve(run.id)).totalTokens > 0);
        }));
});

describe("memory", () => {
    test("blocks are read, edited and shared", () =>
        withAgent(async (agent) => {
            assert.deepEqual(byLabel(await client.agents.blocks.list(agent.id)), { human: HUMAN, persona: PERSONA });
            const edited = await client.agents.blocks.modify(agent.id, "human", { value: "Name: Sarah." });
            assert.equal(edited.value, "Name: Sarah.");
            assert.equal((await client.agents.blocks.retrieve(agent.id, "human")).value, "Name: Sarah.");
            const memory = await client.agents.coreMemory.retrieve(agent.id);
            assert.equal(byLabel(memory.blocks).human, "Name: Sarah.");
            const block = await client.blocks.create({ label: "org", value: "We sell hats." });
            const attached = await client.agents.blocks.attach(agent.id, block.id);
            assert.equal(byLabel(attached.memory.blocks).org, "We sell hats.");
            const detached = await client.agents.blocks.detach(agent.id, block.id);
            assert.equal(byLabel(detached.memory.blocks).org, undefined);
            await client.blocks.delete(block.id);
        }));

    test("passages are inserted, searched and deleted", () =>
        withAgent(async (agent) => {
            const texts = ["The cat likes tuna fish.", "Quarterly revenue rose by nine percent."];
            const created = [];
            for (const text of texts) created.push(...(await client.agents.passages.create(agent.id, { text })));
            assert.deepEqual(created.map((p) => p.text), texts);
            const found = await client.agents.passages.search(agent.id, { query: "cat tuna" });
            assert.equal(found.results[0].content, texts[0]);
            await client.agents.passages.delete(agent.id, created[0].id);
            assert.deepEqual((await client.agents.passages.list(agent.id)).map((p) => p.text), [texts[1]]);
        }));
});

describe("errors", () => {
    test("an unknown agent is 404", async () => {
        await assert.rejects(
            client.agents.messages.create(`agent-${randomUUID()}`, user("x")),
            (e) => e instanceof LettaError && e.statusCode === 404 && typeof e.body.detail === "string",
        );
    });

    test("a wrong type is 422", async () => {
        // This SDK checks types by itself, so the request goes out by hand.
        const answer = await fetch(`${baseUrl}/v1/agents/`, {
            method: "POST",
            headers: { "content-type": "application/json", "x-fern-language": "JavaScript" },
            body: JSON.stringify({ model, embedding, memory_blocks: "none" }),
        });
        assert.equal(answer.status, 422);
        const { detail } = await answer.json();
        assert.deepEqual(detail[0].loc, ["body", "memory_blocks"]);
    });

    test("an unknown model is 404", async () => {
        await assert.rejects(client.agents.create({ model: "engram/no-such-model", embedding }), (e) => e.statusCode === 404);
    });
});
