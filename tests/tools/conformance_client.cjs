// Completes one prompt with the official JavaScript SDK, for the conformance kit: conformance_client.cjs URL.

"use strict";

const { createRequire } = require("node:module");
const { LMStudioClient } = createRequire(process.cwd() + "/")("@lmstudio/sdk");

async function main() {
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const client = new LMStudioClient({ baseUrl: process.argv[2], logger });
  const model = await client.llm.model();
  const result = await model.complete("Say something");
  console.log(result.content);
  process.exit(0);
}

main().catch((error) => {
  console.error(String(error.message));
  process.exit(1);
});
