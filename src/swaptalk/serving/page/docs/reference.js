// Shows the server's OpenAPI description: operations by tag, then the schemas that they speak of.

import { make } from "../dom.js";

const nameOf = (reference) => reference.split("/").at(-1);
const anchor = (method, path) => `${method}${path.replaceAll(/[^a-z0-9]+/gi, "-")}`;

/** Texts of the description use `code`. */
function prose(text) {
  return make("p", {}, ...(text ?? "").split("`").map((part, index) => (index % 2 ? make("code", { textContent: part }) : part)));
}

/** The kind of a value, as a few words and links. */
function kindOf(schema) {
  if (!schema || Object.keys(schema).length === 0) return ["anything"];
  if (schema.$ref) return [make("a", { href: `#schema-${nameOf(schema.$ref)}`, textContent: nameOf(schema.$ref) })];
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return several.flatMap((one, index) => (index ? [" or ", ...kindOf(one)] : kindOf(one)));
  if (schema.enum) return [schema.enum.map((one) => JSON.stringify(one)).join(", ")];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.type === "array") return ["list of ", ...(schema.items ? kindOf(schema.items) : [schema.prefixItems ? `${schema.prefixItems.length} values` : "anything"])];
  return [schema.format === "binary" ? "file" : schema.type ?? "anything"];
}

const LIMITS = { minimum: "at least", maximum: "at most", exclusiveMinimum: "above", minLength: "characters, at least", maxLength: "characters, at most", maxItems: "items, at most", pattern: "matches" };

function limitsOf(schema) {
  const parts = [schema, ...(schema?.anyOf ?? [])];
  return parts.flatMap((part) => Object.entries(LIMITS).filter(([name]) => part?.[name] !== undefined).map(([name, words]) => `${words} ${part[name]}`)).join("; ");
}

/** One row: name, kind, and what is said of it. */
function row(name, schema, { required = false, description = schema?.description, where = "" } = {}) {
  const said = [limitsOf(schema), schema?.default === undefined || schema.default === null ? "" : `usually ${JSON.stringify(schema.default)}`].filter(Boolean).join("; ");
  return make("tr", {},
    make("td", {}, make("code", { textContent: name }), make("span", { className: "hint", textContent: [where, required ? "required" : ""].filter(Boolean).join(", ") })),
    make("td", {}, ...kindOf(schema), description ? prose(description) : null, said ? make("span", { className: "hint", textContent: said }) : null));
}

function properties(schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, one]) => row(name, one, { required: required.has(name) }));
  return make("table", {}, make("tbody", {}, ...rows));
}

function exampleOf(method, path, operation, schemas) {
  const lines = [`curl -X ${method.toUpperCase()} -H "Authorization: Bearer $KEY" ${location.origin}${path}`];
  const content = operation.requestBody?.content;
  const json = content?.["application/json"]?.schema;
  const example = json?.$ref ? schemas[nameOf(json.$ref)].examples?.[0] : null;
  if (example) lines.push("-H \"Content-Type: application/json\"", `-d '${JSON.stringify(example, null, 2)}'`);
  else if (content?.["multipart/form-data"]) lines.push("-F file=@scene.mp4");
  else if (json) return null;
  return make("pre", { textContent: lines.join(" \\\n  "), tabIndex: 0, attributes: { role: "region", "aria-label": `Example of ${method.toUpperCase()} ${path}` } });
}

function section(method, path, operation, schemas) {
  const parts = [make("h3", {}, make("span", { className: "verb", textContent: method.toUpperCase() }), make("code", { textContent: path })), prose(operation.description)];
  if (operation.parameters?.length) {
    parts.push(make("h4", { textContent: "Parameters" }), make("table", {}, make("tbody", {}, ...operation.parameters.map((one) =>
      row(one.name, one.schema, { required: one.required, description: one.description ?? one.schema?.description, where: one.in })))));
  }
  const bodies = Object.entries(operation.requestBody?.content ?? {});
  if (bodies.length) {
    parts.push(make("h4", { textContent: "Body" }), make("table", {}, make("tbody", {}, ...bodies.map(([type, { schema }]) =>
      make("tr", {}, make("td", {}, make("code", { textContent: type })), make("td", {}, ...(schema.properties ? ["form with the field file"] : kindOf(schema))))))));
  }
  const example = exampleOf(method, path, operation, schemas);
  if (example) parts.push(make("h4", { textContent: "Example" }), example);
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const [type, content] = Object.entries(answer.content ?? {})[0] ?? [];
    return make("tr", {}, make("td", {}, make("code", { textContent: status })), make("td", {}, answer.description, content?.schema && Object.keys(content.schema).length ? make("span", {}, ": ", ...kindOf(content.schema)) : type ? `: ${type}` : null));
  });
  parts.push(make("details", {}, make("summary", { textContent: "Answers" }), make("table", {}, make("tbody", {}, ...answers))));
  return make("section", { className: "operation", id: anchor(method, path), attributes: { "aria-label": `${method.toUpperCase()} ${path}` } }, ...parts);
}

async function begin() {
  const description = await (await fetch("../api/openapi.json")).json();
  const { schemas, securitySchemes } = description.components;
  document.getElementById("intro").append(
    make("h2", { textContent: `${description.info.title} ${description.info.version === "unknown" ? "" : description.info.version}` }), prose(description.info.description),
    prose(`Server: \`${new URL(description.servers[0].url, location.origin).href}\``),
    ...Object.values(securitySchemes).map((one) => prose(`${one.type === "http" ? "Header \`Authorization: Bearer KEY\`" : `Cookie \`${one.name}\``}: ${one.description}`)),
    description.security.some((one) => !Object.keys(one).length) ? prose("This server asks for neither: only this machine can reach it.") : "");
  const tags = new Map();
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags?.[0] ?? "other";
      if (!tags.has(tag)) tags.set(tag, []);
      tags.get(tag).push([method, path, operation]);
    }
  }
  for (const [tag, operations] of tags) {
    document.getElementById("contents").append(make("h2", { textContent: tag }),
      ...operations.map(([method, path]) => make("a", { href: `#${anchor(method, path)}`, textContent: `${method.toUpperCase()} ${path.replace("/api/v1", "")}` })));
    document.getElementById("operations").append(...operations.map((one) => section(...one, schemas)));
  }
  for (const [name, schema] of Object.entries(schemas)) {
    document.getElementById("schemas").append(make("details", { id: `schema-${name}` }, make("summary", { textContent: name }), schema.description ? prose(schema.description) : null, properties(schema)));
  }
  const open = () => {
    const meant = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (meant instanceof HTMLDetailsElement) meant.open = true;
    meant?.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
}

begin();
