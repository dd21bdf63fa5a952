// Shows the document of the API. Everything is put in as text, so nothing in the document can run.
"use strict";

const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

const resolve = (api, value) => {
  if (!value || !value.$ref) return value || {};
  return value.$ref.split("/").slice(1).reduce((found, key) => found && found[key], api) || {};
};

// A schema as an example that can be read: names, with the type or an example of each value.
const sketch = (api, given, depth = 0) => {
  const schema = resolve(api, given);
  if (depth > 6) return "…";
  if (schema.example !== undefined) return schema.example;
  const variants = schema.oneOf || schema.anyOf;
  if (variants) return sketch(api, variants.find((variant) => variant.type !== "null") || variants[0], depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => sketch(api, part, depth + 1)));
  if (schema.enum) return schema.enum.join(" | ");
  const type = Array.isArray(schema.type) ? schema.type.filter((name) => name !== "null").join(" | ") : schema.type;
  if (type === "array") return [sketch(api, schema.items, depth + 1)];
  if (schema.properties) {
    const entries = Object.entries(schema.properties);
    return Object.fromEntries(entries.map(([name, inner]) => [name, sketch(api, inner, depth + 1)]));
  }
  return schema.format ? `${type} (${schema.format})` : type || "anything";
};

const showBody = (api, heading, content) => {
  const [type, media] = Object.entries(content || {})[0] || [];
  if (!media || !media.schema) return null;
  const text = JSON.stringify(sketch(api, media.schema), null, 2);
  return make("div", {}, make("h4", {}, `${heading} (${type})`), make("pre", { tabindex: "0" }, text));
};

const showParameters = (api, parameters) => {
  if (!parameters || parameters.length === 0) return null;
  const rows = parameters.map((given) => {
    const parameter = resolve(api, given);
    const name = make("td", {}, make("code", {}, parameter.name));
    const need = parameter.required ? "required" : "optional";
    return make("tr", {}, name, make("td", {}, `${parameter.in}, ${need}`), make("td", {}, parameter.description || ""));
  });
  const heads = ["name", "where", "meaning"].map((text) => make("th", { scope: "col" }, text));
  return make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
};

const showOperation = (api, method, path, operation) => {
  const inside = make("div", { class: "inside" });
  if (operation.description) inside.append(make("p", {}, operation.description));
  const signedIn = operation.security && operation.security.length > 0;
  inside.append(make("p", {}, signedIn ? "Needs a bearer token, an API key or a session cookie." : "Open to everybody."));
  const parts = [showParameters(api, operation.parameters)];
  parts.push(showBody(api, "Body", resolve(api, operation.requestBody).content));
  for (const [status, given] of Object.entries(operation.responses || {})) {
    const response = resolve(api, given);
    parts.push(make("p", {}, make("strong", {}, status), ` ${response.description || ""}`));
    parts.push(showBody(api, "Answer", response.content));
  }
  inside.append(...parts.filter((part) => part));
  const summary = make(
    "summary",
    {},
    make("span", { class: "method" }, method.toUpperCase()),
    make("span", { class: "path" }, path),
    make("span", { class: "summary" }, operation.summary || ""),
  );
  return make("details", { "data-text": `${method} ${path} ${operation.summary || ""}`.toLowerCase() }, summary, inside);
};

const show = (api) => {
  document.getElementById("title").textContent = `${api.info.title} API ${api.info.version}`;
  document.getElementById("description").textContent = api.info.description || "";
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of ["get", "post", "put", "patch", "delete"]) {
      const operation = item[method];
      if (!operation) continue;
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(showOperation(api, method, path, operation));
    }
  }
  const main = document.getElementById("operations");
  main.replaceChildren();
  for (const [tag, operations] of groups) main.append(make("section", {}, make("h2", {}, tag), ...operations));
};

const find = (text) => {
  for (const operation of document.querySelectorAll("details")) {
    operation.hidden = !operation.dataset.text.includes(text.toLowerCase());
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.querySelectorAll("details:not([hidden])").length === 0;
  }
};

document.getElementById("find").addEventListener("input", (event) => find(event.target.value));
fetch("/openapi.json")
  .then((response) => response.json())
  .then(show)
  .catch((error) => {
    document.getElementById("operations").textContent = `The document could not be shown: ${error.message}`;
  });
