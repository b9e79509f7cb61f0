// Reads envelopes, one a line; answers each with what upstream's library makes of it: a description of the value, and
// the envelope that it writes of that value. The line "examples" is answered with values made here, both ways.
"use strict";
const readline = require("node:readline");
const { createRequire } = require("node:module");
const superjson = createRequire(process.cwd() + "/")("superjson").default;

function described(value) {
  if (value === undefined) return ["undefined"];
  if (typeof value === "bigint") return ["bigint", value.toString()];
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return ["number", Object.is(value, -0) ? "-0" : String(value)];
  }
  if (value === null || typeof value !== "object") return ["plain", value];
  if (Array.isArray(value)) return ["array", value.map(described)];
  if (value instanceof Map) return ["map", [...value].map((pair) => pair.map(described))];
  if (value instanceof Set) return ["set", [...value].map(described)];
  if (value instanceof Date) return ["date", value.toISOString()];
  if (value instanceof RegExp) return ["regexp", value.source, value.flags];
  if (value instanceof URL) return ["url", value.href];
  if (value instanceof Error) return ["error", value.name, value.message];
  if (ArrayBuffer.isView(value)) return ["typed", value.constructor.name, [...value]];
  return ["object", Object.keys(value).sort().map((key) => [key, described(value[key])])];
}

function examples() {
  const shared = { when: new Date(5) };
  const values = [
    undefined, null, 3, "text", true, NaN, Infinity, -Infinity, -0, 123n, 10n ** 30n, new Date(0), /a.b/gi,
    new Set([1, "two"]), new Map([["a", 1], ["b", 2]]), new URL("https://x.y/z"), new TypeError("bad"),
    new Uint8Array([1, 2]), new Float64Array([0.5]), { a: { b: new Date(0) }, c: [new Set([1])] },
    new Map([["a", undefined]]), new Map([[1, new Map([[true, new Set()]])]]), { "x.y": 1, "p.q": { r: 1n } },
    { op: "replace", path: ["m"], value: new Map([["k", 1]]) }, [shared, { again: shared }], { "": undefined },
    { "leaf.with.dots": 1n }, { "back\\slash": { d: 1n } },
  ];
  return values.map((value) => ({ description: described(value), envelope: superjson.serialize(value) }));
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    const input = JSON.parse(line);
    if (input === "examples") {
      answer = examples();
    } else {
      const value = superjson.deserialize(input);
      answer = { description: described(value), envelope: superjson.serialize(value) };
    }
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
