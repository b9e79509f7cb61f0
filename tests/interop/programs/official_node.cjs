// Run by Node.js in a project that has an official JavaScript SDK: official_node.cjs GROUP API_HOST [ARGUMENT].
//
// Each group is a series of calls as users make them. What a user sees of each is one line of JSON on stdout,
// {"step": ..., "saw": ...}; the last one has what the SDK logged as warnings and errors. An exception that no step
// expects ends the program with its stack.

"use strict";

const { createRequire } = require("node:module");
const { LMStudioClient } = createRequire(process.cwd() + "/")("@lmstudio/sdk");

const MODEL = "emulator/ngram-small";
const OTHER = "emulator/ngram-vision";
const PROMPT = "My name is";
const LOAD_CONFIG = {
  contextLength: 512,
  gpu: { ratio: 0.5 },
  flashAttention: true,
  seed: 7,
  keepModelInMemory: false,
};
const CONFIG = {
  temperature: 0.5,
  maxTokens: 30,
  stopStrings: ["zzz"],
  topKSampling: 10,
  topPSampling: 0.9,
  minPSampling: 0.1,
  repeatPenalty: 1.2,
  contextOverflowPolicy: "rollingWindow",
  cpuThreads: 2,
};
const STRUCTURED = {
  type: "json",
  jsonSchema: { type: "object", properties: { x: { type: "integer" } }, required: ["x"] },
};

const logged = [];
const note = (...parts) => logged.push(parts.map(String).join(" "));
const logger = { debug() {}, info() {}, warn: note, error: note };

function tell(step, saw) {
  process.stdout.write(JSON.stringify({ step, saw }) + "\n");
}

function connect(apiHost, options = {}) {
  return new LMStudioClient({ baseUrl: `ws://${apiHost}`, logger, ...options });
}

async function attempt(work) {
  let result;
  try {
    result = await work();
  } catch (error) {
    return { error: error.name, text: String(error.message), title: error.title ?? null };
  }
  throw new Error(`no error, but ${JSON.stringify(result)}`);
}

function valueOf(config, key) {
  const field = config.fields.find((field) => field.key === key);
  return field === undefined ? null : field.value;
}

function told(result) {
  return {
    content: result.content,
    nonReasoningContent: result.nonReasoningContent,
    stop_reason: result.stats.stopReason,
    prompt_tokens: result.stats.promptTokensCount,
    predicted_tokens: result.stats.predictedTokensCount,
    total_tokens: result.stats.totalTokensCount,
    tokens_per_second: result.stats.tokensPerSecond,
    time_to_first_token: result.stats.timeToFirstTokenSec,
    model: result.modelInfo.modelKey,
    temperature: valueOf(result.predictionConfig, "llm.prediction.temperature"),
    max_tokens: valueOf(result.predictionConfig, "llm.prediction.maxPredictedTokens"),
    context_length: valueOf(result.loadConfig, "llm.load.contextLength"),
  };
}

async function completions(model) {
  tell("complete", told(await model.complete(PROMPT)));

  const callbacks = [];
  const result = await model.complete(PROMPT, {
    ...CONFIG,
    onPromptProcessingProgress: (progress) => callbacks.push(["progress", progress]),
    onFirstToken: () => callbacks.push(["first token"]),
    onPredictionFragment: (fragment) => callbacks.push(["fragment", fragment.content]),
  });
  tell("complete with options", { result: told(result), callbacks });

  let prediction = model.complete(PROMPT);
  let fragments = [];
  for await (const fragment of prediction) {
    fragments.push([
      fragment.content,
      fragment.tokensCount,
      fragment.containsDrafted,
      fragment.reasoningType,
    ]);
  }
  tell("stream", { fragments, result: told(await prediction.result()) });

  prediction = model.complete("Count for ever:");
  fragments = [];
  for await (const fragment of prediction) {
    fragments.push(fragment.content);
    if (fragments.length === 2) {
      await prediction.cancel();
    }
  }
  tell("cancel", { fragments, result: told(await prediction.result()) });

  const controller = new AbortController();
  const aborted = model.complete("Count for ever:", {
    signal: controller.signal,
    onFirstToken: () => controller.abort(),
  });
  tell("abort", (await aborted.result()).stats.stopReason);

  tell("structured", told(await model.complete("A point:", { structured: STRUCTURED })));
  tell("preset", told(await model.complete(PROMPT, { preset: "concise" })));
  tell("unknown preset", await attempt(() => model.complete(PROMPT, { preset: "nonesuch" })));
  tell("failure in mid-stream", await attempt(() => model.complete("Fail half way:")));
  tell("tokenize", await model.tokenize(PROMPT));
  tell("tokenize several", await model.tokenize([PROMPT, "", "Zürich 🙂"]));
  tell("count tokens", await model.countTokens(PROMPT));
  const results = await Promise.all(Array.from({ length: 8 }, () => model.complete(PROMPT)));
  tell(
    "at the same time",
    results.map((result) => result.content),
  );
}

const identifiers = async (client) =>
  (await client.llm.listLoaded()).map((model) => model.identifier).sort();

async function models(client) {
  tell("loaded at first", await identifiers(client));
  let progress = [];
  const onProgress = (value) => progress.push(value);
  const loaded = await client.llm.model(OTHER, { ttl: 60, config: LOAD_CONFIG, verbose: false, onProgress });
  tell("load", { identifier: loaded.identifier, progress });
  const info = await loaded.getModelInfo();
  tell("loaded model", {
    context_length: await loaded.getContextLength(),
    info: [info.identifier, info.modelKey, info.contextLength, info.vision],
  });
  progress = [];
  const again = await client.llm.model(OTHER, { verbose: false, onProgress });
  tell("load again", { identifier: again.identifier, progress });
  progress = [];
  const second = await client.llm.load(MODEL, {
    identifier: "second",
    config: LOAD_CONFIG,
    verbose: false,
    onProgress,
  });
  tell("load new instance", { identifier: second.identifier, progress });
  const config = await second.getLoadConfig();
  // 1.5.0 gives the fields as they were sent.
  const loadedWith =
    config.fields === undefined
      ? [config.contextLength, config.gpu.ratio, config.flashAttention, config.seed]
      : [
          valueOf(config, "llm.load.contextLength"),
          valueOf(config, "llm.load.llama.acceleration.offloadRatio"),
          valueOf(config, "llm.load.llama.flashAttention"),
          valueOf(config, "llm.load.seed").value,
        ];
  tell("load config", loadedWith);
  tell("loaded now", await identifiers(client));
  tell("unknown key", await attempt(() => client.llm.model("nobody/nothing", { verbose: false })));
  tell("load failure", await attempt(() => client.llm.model("emulator/fails-to-load", { verbose: false })));
  await second.unload();
  tell("unloaded model", await attempt(() => second.complete(PROMPT)));
  tell("unloaded model counts", await attempt(() => second.countTokens(PROMPT)));
  const gone = client.llm.createDynamicHandle("second");
  tell("unloaded identifier", await attempt(() => gone.complete(PROMPT)));
  tell("no model info", (await gone.getModelInfo()) === undefined);
  const downloaded = await client.system.listDownloadedModels();
  tell(
    "downloaded",
    downloaded.map((model) => model.modelKey),
  );
}

async function users(apiHost) {
  const client = connect(apiHost);
  const model = await client.llm.model();
  tell("any model", model.identifier);
  await completions(model);
  await models(client);
  tell("complete after failures", (await model.complete(PROMPT)).content);
  await client[Symbol.asyncDispose]();
}

// A client with an API token, and one without.
async function token(apiHost, apiToken) {
  const client = connect(apiHost, { apiToken });
  tell("with a token", (await (await client.llm.model()).complete(PROMPT)).content);
  await client[Symbol.asyncDispose]();
  tell("without a token", await attempt(() => connect(apiHost).llm.model()));
}

// Calls that never settle: each on a client of its own, until the server has answered something that was asked later.
// Calls that need no answer to be seen as hung wait for the SDK to log what it makes of it.
const HANG = {
  "complete on a server of 2025": (client) => client.llm.createDynamicHandle(MODEL).complete(PROMPT),
  "model() on a server of 2025": (client) => client.llm.model(),
  "load() on a server of 2025": (client) => client.llm.load(OTHER, { verbose: false }),
  "listLoaded() on a server of 2025": (client) => client.llm.listLoaded(),
  "a stream that closes without a result": (client) =>
    client.llm.createDynamicHandle(MODEL).complete("Close half way:"),
};

async function hang(apiHost, names) {
  for (const name of JSON.parse(names)) {
    const client = connect(apiHost);
    let outcome = "nothing";
    const before = logged.length;
    const call = HANG[name](client);
    Promise.resolve(call.result?.() ?? call).then(
      () => (outcome = "result"),
      () => (outcome = "error"),
    );
    // The server answers in order: what it had to say to the call has come when this has.
    for (let turn = 0; turn < 3; turn++) {
      await client.llm.createDynamicHandle(MODEL).countTokens(PROMPT);
    }
    tell(name, { outcome, logged: logged.slice(before) });
    // Not closed: that would wait for the call.
  }
  logged.length = 0;
}

// A completion by a server that leaves out what this SDK wants of each fragment.
async function dropped(apiHost) {
  const client = connect(apiHost);
  const model = client.llm.createDynamicHandle(MODEL);
  tell("complete", told(await model.complete(PROMPT)));
  await client[Symbol.asyncDispose]();
}

const [group, apiHost, argument] = process.argv.slice(2);
({ users, token, hang, dropped })
  [group](apiHost, argument)
  .then(() => {
    tell("warnings", logged);
    process.exit(0);
  })
  .catch((error) => {
    console.error(error, logged);
    process.exit(1);
  });
