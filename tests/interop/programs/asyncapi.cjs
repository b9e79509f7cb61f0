// Parses the AsyncAPI documents whose paths it is given, with the official parser; answers in JSON, for each of them: what
// the parser has to say (severity 0 is an error, 1 a warning), and how many things of each kind it found.
"use strict";
const fs = require("node:fs");
const { createRequire } = require("node:module");
const { Parser } = createRequire(process.cwd() + "/")("@asyncapi/parser");

async function parsed(path) {
  const { document, diagnostics } = await new Parser().parse(fs.readFileSync(path, "utf8"));
  const found = diagnostics.map(({ severity, code, message, path: at }) => ({ severity, code, message, at: at.join("/") }));
  if (document === undefined) return { diagnostics: found };
  return {
    diagnostics: found,
    channels: document.channels().all().map((channel) => channel.address()),
    operations: document.operations().all().map((operation) => operation.id()),
    messages: document.allMessages().all().length,
  };
}

(async () => {
  const answers = [];
  for (const path of process.argv.slice(2)) answers.push(await parsed(path));
  process.stdout.write(JSON.stringify(answers));
})();
