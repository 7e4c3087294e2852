// The documentation's quick start with the new generation of the TypeScript SDK (1.x).
//
// Needs a running server: ENGRAM_URL, and the handles ENGRAM_MODEL and ENGRAM_EMBEDDING.
// `tests/sdk/run.py` copies this file next to the installed SDK and runs it with `node --test`.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import Letta from "@letta-ai/letta-client";

const baseURL = process.env.ENGRAM_URL;
const model = process.env.ENGRAM_MODEL ?? "engram/scripted";
const embedding = process.env.ENGRAM_EMBEDDING ?? "engram/embed";

const HUMAN = "The human's name is Chad. They like vibe coding.";
const PERSONA = "My name is Sam, the all-knowing sentient AI.";

const client = new Letta({ baseURL, apiKey: "none" });
const user = (content) => ({ messages: [{ role: "user", content }] });
const call = (name, args) => `[[call ${name} ${JSON.stringify(args)}]]`;
const ofType = (messages, type) => messages.filter((m) => m.message_type === type);
const answers = (messages) => ofType(messages, "assistant_message").map((m) => m.content);
const byLabel = (blocks) => Object.fromEntries(blocks.map((b) => [b.label, b.value]));

/** All elements of a stream, or of a list page by page. */
async function collect(source) {
    const chunks = [];
    for await (const chunk of await source) chunks.push(chunk);
    return chunks;
}

/** Runs `body` with an agent of its own. */
async function withAgent(body, more = {}) {
    const agent = await client.agents.create({
        model,
        embedding,
        memory_blocks: [
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

async function finished(id) {
    for (let i = 0; i < 600; i++) {
        const run = await client.runs.retrieve(id);
        if (["completed", "failed", "cancelled"].includes(run.status)) return run;
        await new Promise((r) => setTimeout(r, 50));
    }
    throw new Error(`${id} does not end`);
}

describe("agents", () => {
    test("health", async () => {
        assert.equal((await client.health()).status, "ok");
    });

    test("a created agent is what was asked for", () =>
        withAgent(async (agent) => {
            assert.match(agent.id, /^agent-[0-9a-f-]{36}$/);
            assert.equal(agent.agent_type, "letta_v1_agent");
            assert.deepEqual(byLabel(agent.blocks), { human: HUMAN, persona: PERSONA });
            assert.equal(agent.model, model);
            assert.equal(agent.embedding, embedding);
            assert.ok(!agent.tools.some((t) => t.name === "send_message"));
            assert.equal((await client.agents.retrieve(agent.id)).system, agent.system);
        }));

    test("the documentation's tools", () =>
        withAgent(
            async (agent) => {
                const names = agent.tools.map((t) => t.name);
                assert.ok(names.includes("web_search") && names.includes("run_code"));
            },
            { tools: ["web_search", "run_code"] },
        ));

    test("agents are listed page by page, modified and deleted", () =>
        withAgent(async (agent) => {
            const tag = `t-${randomUUID()}`;
            assert.equal((await client.agents.update(agent.id, { name: "Renamed", tags: [tag] })).name, "Renamed");
            const others = [];
            for (let i = 0; i < 3; i++) others.push((await client.agents.create({ model, embedding, tags: [tag] })).id);
            const listed = await collect(client.agents.list({ tags: [tag], limit: 2 }));
            assert.deepEqual(listed.map((a) => a.id).sort(), [agent.id, ...others].sort());
            for (const id of others) await client.agents.delete(id);
            await assert.rejects(client.agents.retrieve(others[0]), Letta.NotFoundError);
        }));

    test("models are listed", async () => {
        assert.ok((await client.models.list()).some((m) => m.handle === model && m.max_context_window > 0));
        assert.ok((await client.models.embeddings.list()).some((m) => m.handle === embedding));
    });
});

describe("messages", () => {
    test("send", () =>
        withAgent(async (agent) => {
            const response = await client.agents.messages.create(agent.id, user("hows it going????"));
            assert.deepEqual(answers(response.messages), ["You said: hows it going????"]);
            assert.equal(response.stop_reason.stop_reason, "end_turn");
            assert.equal(response.usage.step_count, 1);
            assert.ok(response.usage.total_tokens > 0);
        }));

    test("a memory tool changes the block", () =>
        withAgent(async (agent) => {
            const text = call("memory_insert", { label: "human", new_string: "Likes tuna." }) + " done?";
            const response = await client.agents.messages.create(agent.id, { input: text });
            const [made] = ofType(response.messages, "tool_call_message");
            const [returned] = ofType(response.messages, "tool_return_message");
            assert.equal(made.tool_call.name, "memory_insert");
            assert.equal(returned.status, "success");
            assert.equal(returned.tool_call_id, made.tool_call.tool_call_id);
            assert.deepEqual(answers(response.messages), ["You said: done?"]);
            const block = await client.agents.blocks.retrieve("human", { agent_id: agent.id });
            assert.ok(block.value.includes("Likes tuna."));
        }));

    test("stream by step, through both routes", () =>
        withAgent(async (agent) => {
            const text = call("memory_insert", { label: "human", new_string: "Streams." }) + " one two three";
            for (const stream of [
                client.agents.messages.create(agent.id, { ...user(text), streaming: true }),
                client.agents.messages.stream(agent.id, user(text)),
            ]) {
                const chunks = (await collect(stream)).filter((c) => c.message_type !== "ping");
                const kinds = chunks.map((c) => c.message_type);
                assert.deepEqual(kinds.slice(-2), ["stop_reason", "usage_statistics"]);
                assert.ok(kinds.indexOf("tool_call_message") < kinds.indexOf("tool_return_message"));
                assert.deepEqual(answers(chunks), ["You said: one two three"]);
                assert.equal(chunks.at(-1).step_count, 2);
            }
        }));

    test("stream by token", () =>
        withAgent(async (agent) => {
            const text = call("memory_insert", { label: "human", new_string: "Likes tokens." }) + " one two three";
            const chunks = await collect(
                client.agents.messages.create(agent.id, { ...user(text), streaming: true, stream_tokens: true }),
            );
            const said = ofType(chunks, "assistant_message");
            assert.ok(said.length > 1, "the answer came in one piece");
            assert.equal(said.map((c) => c.content).join("").trim(), "You said: one two three");
            assert.equal(new Set(said.map((c) => c.id)).size, 1);
            const pieces = ofType(chunks, "tool_call_message").map((c) => c.tool_call);
            assert.equal(new Set(pieces.map((p) => p.tool_call_id)).size, 1);
            assert.equal(JSON.parse(pieces.map((p) => p.arguments ?? "").join("")).new_string, "Likes tokens.");
            assert.deepEqual(chunks.slice(-2).map((c) => c.message_type), ["stop_reason", "usage_statistics"]);
        }));

    test("text beyond ASCII arrives whole, by token too", () =>
        withAgent(async (agent) => {
            const text = "Grüße 👋 自然 مرحبا";
            const stream = client.agents.messages.create(agent.id, { input: text, streaming: true, stream_tokens: true });
            const said = ofType(await collect(stream), "assistant_message");
            assert.equal(said.map((c) => c.content).join("").trim(), `You said: ${text}`);
        }));

    test("list", () =>
        withAgent(async (agent) => {
            for (const input of ["one", "two"]) await client.agents.messages.create(agent.id, { input });
            const listed = (await client.agents.messages.list(agent.id, { order: "asc" })).items;
            assert.equal(listed[0].message_type, "system_message");
            assert.deepEqual(ofType(listed, "user_message").map((m) => m.content), ["one", "two"]);
            assert.deepEqual(answers(listed), ["You said: one", "You said: two"]);
            const walked = await collect(client.agents.messages.list(agent.id, { order: "asc", limit: 2 }));
            assert.deepEqual(walked.map((m) => m.id), listed.map((m) => m.id));
        }));

    test("two concurrent sends get each their own answer", () =>
        withAgent(async (agent) => {
            const got = await Promise.all(
                ["left", "right"].map((input) => client.agents.messages.create(agent.id, { input })),
            );
            assert.deepEqual(got.map((r) => answers(r.messages)), [["You said: left"], ["You said: right"]]);
        }));
});

describe("runs and conversations", () => {
    test("an asynchronous run is polled to its end", () =>
        withAgent(async (agent) => {
            const created = await client.agents.messages.createAsync(agent.id, user("later"));
            assert.equal(created.agent_id, agent.id);
            const run = await finished(created.id);
            assert.equal(run.status, "completed");
            assert.equal(run.stop_reason, "end_turn");
            assert.deepEqual(answers((await client.runs.messages.list(run.id)).items), ["You said: later"]);
            const steps = (await client.runs.steps.list(run.id)).items;
            assert.deepEqual(steps.map((s) => s.run_id), [run.id]);
            assert.equal((await client.steps.retrieve(steps[0].id)).agent_id, agent.id);
            assert.ok((await client.runs.usage.retrieve(run.id)).total_tokens > 0);
        }));

    test("conversations are separate", () =>
        withAgent(async (agent) => {
            const conversation = await client.conversations.create({ agent_id: agent.id });
            const said = await collect(client.conversations.messages.create(conversation.id, user("in one")));
            assert.deepEqual(answers(said), ["You said: in one"]);
            await client.agents.messages.create(agent.id, { input: "in the default one" });
            const listed = (await client.conversations.messages.list(conversation.id)).items;
            assert.deepEqual(ofType(listed, "user_message").map((m) => m.content), ["in one"]);
            const all = await client.conversations.list({ agent_id: agent.id });
            assert.deepEqual(all.map((c) => c.id), [conversation.id]);
            await client.conversations.delete(conversation.id);
        }));

    test("a background stream is resumed", () =>
        withAgent(async (agent) => {
            const chunks = await collect(
                client.agents.messages.create(agent.id, {
                    input: "one two three four",
                    streaming: true,
                    stream_tokens: true,
                    background: true,
                }),
            );
            const numbered = chunks.filter((c) => Number.isInteger(c.seq_id));
            assert.ok(numbered.length > 3);
            const { run_id, seq_id } = numbered[Math.floor(numbered.length / 2)];
            const rest = await collect(client.runs.messages.stream(run_id, { starting_after: seq_id }));
            assert.deepEqual(
                rest.map((c) => c.seq_id).filter(Number.isInteger),
                numbered.map((c) => c.seq_id).filter((s) => s > seq_id),
            );
        }));
});

describe("memory", () => {
    test("blocks are read, edited and shared", () =>
        withAgent(async (agent) => {
            const listed = await collect(client.agents.blocks.list(agent.id));
            assert.deepEqual(byLabel(listed), { human: HUMAN, persona: PERSONA });
            const edited = await client.agents.blocks.update("human", { agent_id: agent.id, value: "Name: Sarah." });
            assert.equal(edited.value, "Name: Sarah.");
            const block = await client.blocks.create({ label: "org", value: "We sell hats." });
            const attached = await client.agents.blocks.attach(block.id, { agent_id: agent.id });
            assert.equal(byLabel(attached.memory.blocks).org, "We sell hats.");
            await client.agents.blocks.detach(block.id, { agent_id: agent.id });
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
            await client.agents.passages.delete(created[0].id, { agent_id: agent.id });
            assert.deepEqual((await client.agents.passages.list(agent.id)).map((p) => p.text), [texts[1]]);
        }));
});

describe("errors", () => {
    test("an unknown agent is 404", () =>
        assert.rejects(
            client.agents.messages.create(`agent-${randomUUID()}`, { input: "x" }),
            (e) => e instanceof Letta.NotFoundError && typeof e.error.detail === "string",
        ));

    test("a wrong type is 422", () =>
        assert.rejects(
            client.agents.create({ model, embedding, memory_blocks: "none" }),
            (e) => e instanceof Letta.UnprocessableEntityError && e.error.detail[0].loc.join() === "body,memory_blocks",
        ));

    test("an unknown model is 404", () =>
        assert.rejects(client.agents.create({ model: "engram/no-such-model", embedding }), Letta.NotFoundError));
});
