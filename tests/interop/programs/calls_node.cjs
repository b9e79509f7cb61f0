// Run by Node.js in a project that has an official JavaScript SDK: calls_node.cjs API_HOST TABLE.
//
// The calls of the table (tests.interop.calls, namespace_calls) are made one after another, on one client. What a user
// sees of each is one line of JSON on stdout; the last one has what the SDK logged as warnings and errors. Ahead of each
// call its number is sent to the server as a text to be counted, so that the frames of the calls can be told apart.

"use strict";

const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { LMStudioClient } = createRequire(process.cwd() + "/")("@lmstudio/sdk");

const MODEL = "emulator/ngram-small";

const logged = [];
const note = (...parts) => logged.push(parts.map(String).join(" "));
const logger = { debug() {}, info() {}, warn: note, error: note };

function tell(step, saw) {
  process.stdout.write(JSON.stringify({ step, saw }) + "\n");
}

// What the server reports of a config, as a map from keys to values, whichever way the SDK gives it.
function fieldsOf(config) {
  return config.fields === undefined
    ? config
    : Object.fromEntries(config.fields.map((field) => [field.key, field.value]));
}

function tellResult(saw, result) {
  Object.assign(saw, {
    content: result.content,
    nonReasoningContent: result.nonReasoningContent,
    stop_reason: result.stats.stopReason,
    prompt_tokens: result.stats.promptTokensCount,
    predicted_tokens: result.stats.predictedTokensCount,
    total_tokens: result.stats.totalTokensCount,
    tokens_per_second: result.stats.tokensPerSecond,
    time_to_first_token: result.stats.timeToFirstTokenSec,
    model_key: result.modelInfo.modelKey,
    fields: fieldsOf(result.predictionConfig),
    load_fields: fieldsOf(result.loadConfig),
  });
}

function optionsOf(given) {
  const options = { ...given.config };
  if (given.preset !== undefined) {
    options.preset = given.preset;
  }
  if (given.schema !== undefined) {
    options.structured = { type: "json", jsonSchema: given.schema };
  }
  return options;
}

async function modelOf(client, given) {
  if (!given.gone) {
    return client.llm.createDynamicHandle(MODEL);
  }
  await (await client.llm.load(MODEL, { identifier: "gone", verbose: false })).unload();
  return client.llm.createDynamicHandle("gone");
}

async function load(saw, given, begin) {
  saw.progress = [];
  const options = { verbose: false, onProgress: (progress) => saw.progress.push(progress) };
  for (const name of ["identifier", "ttl", "config"]) {
    if (given[name] !== undefined) {
      options[name] = given[name];
    }
  }
  const model = await begin(options);
  saw.identifier = model.identifier;
  if (given.unload) {
    saw.load_fields = fieldsOf(await model.getLoadConfig());
    await model.unload();
  }
}

async function stream(saw, given, begin) {
  saw.fragments = [];
  saw.callbacks = [];
  const prediction = begin({
    ...optionsOf(given),
    onPromptProcessingProgress: (progress) => saw.callbacks.push(["progress", progress]),
    onFirstToken: () => saw.callbacks.push(["first token"]),
    onPredictionFragment: (fragment) => saw.callbacks.push(["fragment", fragment.content]),
  });
  for await (const fragment of prediction) {
    const { content, tokensCount, containsDrafted, reasoningType } = fragment;
    saw.fragments.push([content, tokensCount, containsDrafted, reasoningType]);
    if (saw.fragments.length === given.cancel) {
      await prediction.cancel();
    }
  }
  tellResult(saw, await prediction.result());
}

const CALLS = {
  "any model": async (client, saw) => {
    saw.identifier = (await client.llm.model()).identifier;
  },
  model: (client, saw, given) => load(saw, given, (options) => client.llm.model(given.key, options)),
  "new instance": (client, saw, given) => load(saw, given, (options) => client.llm.load(given.key, options)),
  "list loaded": async (client, saw) => {
    saw.identifiers = (await client.llm.listLoaded()).map((model) => model.identifier);
  },
  unload: (client, saw, given) => client.llm.unload(given.identifier),
  info: async (client, saw, given) => {
    const info = await (await modelOf(client, given)).getModelInfo();
    if (info === undefined) {
      saw.identifier = null;
      return;
    }
    saw.identifier = info.identifier;
    saw.model_key = info.modelKey;
    saw.context_length = info.contextLength;
    saw.max_context_length = info.maxContextLength;
    saw.vision = info.vision;
    saw.format = info.format;
  },
  "context length": async (client, saw, given) => {
    saw.context_length = await (await modelOf(client, given)).getContextLength();
  },
  "load config": async (client, saw, given) => {
    const config = fieldsOf(await (await modelOf(client, given)).getLoadConfig());
    saw.context_length = config.contextLength ?? config["llm.load.contextLength"] ?? null;
  },
  tokenize: async (client, saw, given) => {
    saw.tokens = await (await modelOf(client, given)).tokenize(given.text);
  },
  "count tokens": async (client, saw, given) => {
    saw.count = await (await modelOf(client, given)).countTokens(given.text);
  },
  complete: async (client, saw, given) => {
    tellResult(saw, await (await modelOf(client, given)).complete(given.prompt, optionsOf(given)));
  },
  stream: async (client, saw, given) => {
    const model = await modelOf(client, given);
    await stream(saw, given, (options) => model.complete(given.prompt, options));
  },
  respond: async (client, saw, given) => {
    tellResult(saw, await (await modelOf(client, given)).respond(given.chat, optionsOf(given)));
  },
  "respond stream": async (client, saw, given) => {
    const model = await modelOf(client, given);
    await stream(saw, given, (options) => model.respond(given.chat, options));
  },
  "embedding model": async (client, saw, given) => {
    const model = await client.embedding.model(given.key, { config: given.config, verbose: false });
    saw.identifier = model.identifier;
  },
  embed: async (client, saw, given) => {
    const found = await (await client.embedding.model()).embed(given.text);
    saw.vectors = Array.isArray(found) ? found.map((each) => each.embedding) : found.embedding;
  },
  "embedding tokens": async (client, saw, given) => {
    saw.tokens = await (await client.embedding.model()).tokenize(given.text);
  },
  "embedding info": async (client, saw) => {
    const info = await (await client.embedding.model()).getModelInfo();
    Object.assign(saw, { type: info.type, identifier: info.identifier, context_length: info.contextLength });
  },
  "list downloaded": async (client, saw) => {
    saw.keys = (await client.system.listDownloadedModels("embedding")).map((model) => model.modelKey);
  },
  "apply prompt template": async (client, saw, given) => {
    saw.text = await (await modelOf(client, given)).applyPromptTemplate(given.chat);
  },
  ...require("./namespaces_node.cjs"),
};

async function main(apiHost, path) {
  const client = new LMStudioClient({ baseUrl: `ws://${apiHost}`, logger });
  const marker = client.llm.createDynamicHandle(MODEL);
  for (const [number, call] of JSON.parse(readFileSync(path, "utf-8")).entries()) {
    await marker.countTokens(`call ${number}`);
    const saw = {};
    try {
      await CALLS[call.do](client, saw, call.given);
    } catch (error) {
      Object.assign(saw, { error: error.name, text: String(error.message) });
    }
    tell(call.name, saw);
  }
  await client[Symbol.asyncDispose]();
}

main(...process.argv.slice(2))
  .then(() => {
    tell("warnings", logged);
    process.exit(0);
  })
  .catch((error) => {
    console.error(error, logged);
    process.exit(1);
  });
