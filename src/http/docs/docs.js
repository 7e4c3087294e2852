// Renders /openapi.json: operations by tag, then schemas. Text only ever enters through textContent.
"use strict";

const el = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};
const refName = (ref) => ref.split("/").pop();

function typeOf(schema) {
  if (!schema) return "any";
  if (schema.$ref) return refName(schema.$ref);
  const many = schema.oneOf || schema.anyOf || schema.allOf;
  if (many) return many.map(typeOf).join(schema.allOf ? " & " : " | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return typeOf(schema.items) + "[]";
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => (type === "array" ? typeOf(schema.items) + "[]" : type)).join(" | ");
  }
  return schema.type || "any";
}

function typeNode(schema) {
  const code = el("code");
  for (const word of typeOf(schema).split(/(\w+)/)) {
    code.append(document.getElementById("schema-" + word) || known.has(word)
      ? el("a", { href: "#schema-" + word, textContent: word }) : word);
  }
  return code;
}

function table(head, rows) {
  if (!rows.length) return null;
  return el("table", {}, el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { textContent: text })))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell ?? ""))))));
}

function content(name, media) {
  return Object.entries(media || {}).map(([type, { schema }]) =>
    el("p", {}, name + " ", el("span", { className: "quiet", textContent: type + " " }), typeNode(schema)));
}

function operation(method, path, op) {
  const params = (op.parameters || []).map((p) =>
    [el("code", { textContent: p.name }), p.in + (p.required ? ", required" : ""), typeNode(p.schema), p.description]);
  const answers = Object.entries(op.responses || {}).flatMap(([status, answer]) => [
    el("p", {}, el("strong", { textContent: status + " " }), answer.description || ""), ...content("Answer", answer.content)]);
  return el("details", { className: "op" },
    el("summary", {}, el("span", { className: "method", textContent: method.toUpperCase() }),
      el("span", { className: "path", textContent: path }), el("span", { className: "quiet", textContent: op.summary || "" })),
    el("div", { className: "body" }, el("p", { textContent: op.description || "" }),
      table(["Parameter", "Where", "Type", ""], params), ...content("Body", op.requestBody && op.requestBody.content), ...answers));
}

function schemaNode(name, schema) {
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([key, value]) =>
    [el("code", { textContent: key + (required.has(key) ? "" : "?") }), typeNode(value), value.description]);
  return el("details", { id: "schema-" + name, className: "op" },
    el("summary", {}, el("span", { className: "path", textContent: name })),
    el("div", { className: "body" }, el("p", { textContent: schema.description || "" }),
      table(["Member", "Type", ""], rows) || el("pre", { textContent: JSON.stringify(schema, null, 2) })));
}

const known = new Set();

async function main() {
  const api = await (await fetch("/openapi.json")).json();
  const schemas = (api.components && api.components.schemas) || {};
  Object.keys(schemas).forEach((name) => known.add(name));
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, op] of Object.entries(item)) {
      const tag = (op.tags || ["other"])[0];
      groups.set(tag, [...(groups.get(tag) || []), operation(method, path, op)]);
    }
  }
  const page = document.getElementById("main");
  page.replaceChildren(el("h1", { textContent: api.info.title + " " + api.info.version }), el("p", { textContent: api.info.description || "" }));
  const toc = document.getElementById("toc");
  const section = (id, title, nodes) => {
    page.append(el("h2", { id, textContent: title }), ...nodes);
    toc.append(el("a", { href: "#" + id, textContent: `${title} (${nodes.length})` }));
  };
  for (const [tag, nodes] of [...groups].sort()) section("tag-" + tag, tag, nodes);
  section("schemas", "Schemas", Object.entries(schemas).sort().map(([name, schema]) => schemaNode(name, schema)));
  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const node of document.querySelectorAll(".op")) {
      node.hidden = !node.querySelector("summary").textContent.toLowerCase().includes(wanted);
    }
  });
  addEventListener("hashchange", () => {
    const node = document.getElementById(location.hash.slice(1));
    if (node && node.tagName === "DETAILS") node.open = true;
  });
}

main().catch((error) => { document.getElementById("main").textContent = "The API document could not be read: " + error; });
