// The calls of tests.interop.namespace_calls in the words of the official JavaScript SDK, for calls_node.cjs: a function
// for each `do`. What later calls need of earlier ones, such as the handles of uploaded files, is kept here.

"use strict";

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { createRequire } = require("node:module");
const required = createRequire(process.cwd() + "/");
const { Chat, rawFunctionTool, tool } = required("@lmstudio/sdk");
const { z } = required("zod");

const MODEL = "emulator/ngram-small";

const files = new Map();

// A slip of this SDK: with each download that fails or is given up it rejects a second promise, which nobody has.
process.on("unhandledRejection", () => {});

// An operation that is given up at the first sign of progress: its options, with `callback` in front. Where the SDK does
// not wait for the server's answer, another call does, so that the server has heard of it before the next call begins.
function givenUp(saw, callback, options = {}) {
  const controller = new AbortController();
  saw.told = [];
  const onTold = (told) => {
    saw.told.push(told);
    controller.abort();
  };
  return { ...options, [callback]: onTold, signal: controller.signal };
}

function followed(saw) {
  saw.progress = [];
  saw.finalizing = 0;
  return {
    onProgress: ({ downloadedBytes, totalBytes }) => saw.progress.push(downloadedBytes / totalBytes),
    onStartFinalizing: () => saw.finalizing++,
  };
}

const identifiersIn = async (namespace) =>
  (await namespace.listLoaded()).map((model) => model.identifier).sort();

const factsOf = (model) => [model.type, model.modelKey, model.maxContextLength];

const optionOf = async (client, given) => {
  const [found] = await client.repository.searchModels({ searchTerm: given.term });
  const options = await found.getDownloadOptions();
  return options.find((option) => option.quantization === given.quantization);
};

const planOf = ({ version, nodes, downloadSizeBytes }) => ({
  version,
  nodes: nodes.map((node) => [node.type, node.state]),
  size: downloadSizeBytes,
});

module.exports = {
  // Models, of both namespaces.
  "life of a model": async (client, saw, given) => {
    const namespace = client[given.namespace];
    saw.progress = [];
    const model = await namespace.load(given.key, {
      identifier: given.identifier,
      config: given.config,
      ttl: given.ttl,
      verbose: false,
      onProgress: (progress) => saw.progress.push(progress),
    });
    const info = await model.getModelInfo();
    Object.assign(saw, {
      identifier: model.identifier,
      info: factsOf(info),
      context_length: await model.getContextLength(),
      tokens: await model.countTokens("My name is"),
      loaded: await identifiersIn(namespace),
    });
    const same = namespace.createDynamicHandleFromInstanceReference(info.instanceReference);
    saw.by_reference = await same.countTokens("My name is");
    // Only 2.0.0 has this.
    const again = await namespace.createDomainSpecificModelFromInstanceReference?.(info.instanceReference);
    saw.again = (again ?? model).identifier;
    if (given.namespace === "embedding") {
      saw.batch_size = await model.getEvalBatchSize();
      saw.size = (await model.embed("My name is")).embedding.length;
    }
    await model.unload();
    saw.left = await identifiersIn(namespace);
    saw.info_afterwards = await same.getModelInfo().then(
      (found) => found ?? null,
      (error) => error.name,
    );
  },
  "use a model that is gone": async (client, saw, given) => {
    const handle = client[given.namespace].createDynamicHandle("gone");
    await (given.namespace === "embedding" ? handle.embed("x") : handle.tokenize("x"));
  },
  "use any model of a path": async (client, saw, given) => {
    saw.tokens = await client.llm.createDynamicHandle({ path: given.path }).countTokens("My name is");
  },
  "load and cancel": async (client, saw, given) => {
    const namespace = client[given.namespace];
    const options = givenUp(saw, "onProgress", { verbose: false });
    const model = namespace[given.just_in_time ? "model" : "load"](given.key, options);
    await model.finally(() => namespace.listLoaded());
  },
  "load into": async (client, saw, given) => {
    const model = await client[given.namespace].load(given.key, { verbose: false });
    saw.identifier = model.identifier;
  },
  downloaded: async (client, saw, given) => {
    saw.models = (await client.system.listDownloadedModels(given.namespace)).map(factsOf);
  },
  "variants of a model": async (client, saw, given) => {
    saw.models = (await client.system.listDownloadedModelVariants(given.key)).map(factsOf);
  },
  "state of a model": async (client, saw, given) => {
    saw.state = await client[given.namespace].createDynamicHandle(given.key).getInstanceProcessingState();
  },
  "base prediction config": async (client, saw) => {
    saw.config = await client.llm.createDynamicHandle(MODEL).getBasePredictionConfig();
  },
  estimate: async (client, saw, given) => {
    Object.assign(saw, await client[given.namespace].estimateResourcesUsage(given.key, given.config));
  },
  "preload a draft model": async (client, saw, given) => {
    await client.llm.createDynamicHandle(MODEL).unstable_preloadDraftModel(given.key);
    saw.loaded = await identifiersIn(client.llm);
  },
  "unload from": (client, saw, given) => client[given.namespace].unload(given.identifier),

  // Chats.
  act: async (client, saw, given) => {
    Object.assign(saw, { called: [], messages: [], fragments: [], rounds_told: [] });
    const add = tool({
      name: "add",
      description: "Add two numbers.",
      parameters: { a: z.number(), b: z.number() },
      implementation: ({ a, b }) => {
        saw.called.push([a, b]);
        return a + b;
      },
    });
    const idle = rawFunctionTool({
      name: "idle",
      description: "Do nothing.",
      parametersJsonSchema: { type: "object", properties: {} },
      implementation: () => "nothing",
    });
    const model = client.llm.createDynamicHandle(MODEL);
    const result = await model.act(given.chat, [add, idle], {
      onMessage: (message) => saw.messages.push([message.getRole(), message.getText()]),
      onPredictionFragment: (fragment) => saw.fragments.push([fragment.content, fragment.roundIndex]),
      onRoundStart: (round) => saw.rounds_told.push(round),
    });
    saw.rounds = result.rounds;
  },
  "respond to data": async (client, saw, given) => {
    const messages = given.messages.map((message) => ({
      ...message,
      content: message.content.map((part) => (part.file === undefined ? part : files.get(part.file).data)),
    }));
    const model = client.llm.createDynamicHandle(MODEL);
    saw.content = (await model.respond(Chat.from({ messages }))).content;
    saw.prompt = await model.applyPromptTemplate(Chat.from({ messages }), given.options);
  },
  "respond to an image": async (client, saw, given) => {
    const chat = Chat.empty();
    chat.append("user", given.text, { images: [files.get(given.file).handle] });
    saw.content = (await client.llm.createDynamicHandle(MODEL).respond(chat)).content;
  },

  // Files.
  prepare: async (client, saw, given) => {
    let handle;
    if (given.from === "path") {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "interop-"));
      const place = path.join(folder, given.name);
      fs.writeFileSync(place, Buffer.from(given.base64, "base64"));
      handle = await client.files[given.image ? "prepareImage" : "prepareFile"](place);
      fs.rmSync(folder, { recursive: true });
    } else {
      const prepare = given.image ? "prepareImageBase64" : "prepareFileBase64";
      handle = await client.files[prepare](given.name, given.base64);
    }
    const { name, type: fileType, sizeBytes, identifier } = handle;
    files.set(given.name, { handle, data: { type: "file", name, fileType, sizeBytes, identifier } });
    Object.assign(saw, { name, type: fileType, size: sizeBytes, identifier });
  },
  "path of a file": async (client, saw, given) => {
    saw.path = await files.get(given.file).handle.getFilePath();
  },
  "parser of a file": async (client, saw, given) => {
    saw.parser = await client.files.getDocumentParsingLibrary(files.get(given.file).handle);
  },
  parse: async (client, saw, given) => {
    saw.progress = [];
    const { content, parser } = await client.files.parseDocument(files.get(given.file).handle, {
      onProgress: (progress) => saw.progress.push(progress),
      onParserLoaded: (loaded) => (saw.loaded = loaded),
    });
    Object.assign(saw, { content, parser });
  },
  "parse and cancel": async (client, saw, given) => {
    const { handle } = files.get(given.file);
    const parsed = client.files.parseDocument(handle, givenUp(saw, "onProgress"));
    await parsed.finally(() => client.files.getDocumentParsingLibrary(handle));
  },
  retrieve: async (client, saw, given) => {
    saw.told = [];
    const told = (name) => [name, (...what) => saw.told.push([name, ...what.slice(1).filter((each) => typeof each !== "object")])];
    const callbacks = ["onFileProcessList", "onFileProcessingStart", "onFileProcessingEnd", "onSearchingStart"];
    const steps = ["onFileProcessingStepStart", "onFileProcessingStepProgress", "onFileProcessingStepEnd"];
    const found = await client.files.retrieve(
      given.query,
      given.files.map((name) => files.get(name).handle),
      {
        ...Object.fromEntries([...callbacks, ...steps, "onSearchingEnd"].map(told)),
        embeddingModel: await client.embedding.model(given.model, { verbose: false }),
        limit: given.limit,
        chunkingMethod: given.chunking,
      },
    );
    saw.entries = found.entries.map(({ content, score, source }) => [content, score, source.name]);
  },
  "retrieve and cancel": async (client, saw, given) => {
    const embeddingModel = await client.embedding.model(given.model, { verbose: false });
    const handles = given.files.map((name) => files.get(name).handle);
    const options = givenUp(saw, "onSearchingStart", { embeddingModel });
    const found = client.files.retrieve(given.query, handles, options);
    await found.finally(() => client.files.getDocumentParsingLibrary(handles[0]));
  },

  // The repository.
  search: async (client, saw, given) => {
    const found = await client.repository.searchModels(given.options);
    saw.models = found.map((model) => [model.name, model.isExactMatch(), model.isStaffPick()]);
  },
  "download options": async (client, saw, given) => {
    const [found] = await client.repository.searchModels({ searchTerm: given.term });
    saw.options = (await found.getDownloadOptions()).map((option) => [
      option.quantization,
      option.sizeBytes,
      option.fitEstimation,
      option.isRecommended(),
    ]);
  },
  download: async (client, saw, given) => {
    saw.key = await (await optionOf(client, given)).download(followed(saw));
    const downloaded = await client.system.listDownloadedModels();
    saw.is_there = downloaded.some((model) => model.modelKey === saw.key);
  },
  "download and cancel": async (client, saw, given) => {
    await (await optionOf(client, given)).download(givenUp(saw, "onProgress"));
  },
  "download artifact": async (client, saw, given) => {
    await client.repository.downloadArtifact({ ...given.options, ...followed(saw) });
    const { files: found } = await client.repository.getLocalArtifactFileList(given.options.path);
    saw.files = found.map((file) => [file.relativePath, file.sizeBytes]);
  },
  "download artifact and cancel": async (client, saw, given) => {
    await client.repository.downloadArtifact(givenUp(saw, "onProgress", given.options));
  },
  "files of an artifact": async (client, saw, given) => {
    saw.files = await client.repository.getLocalArtifactFileList(given.path);
  },
  "push artifact": async (client, saw, given) => {
    saw.messages = [];
    await client.repository.pushArtifact({
      ...given.options,
      onMessage: (message) => saw.messages.push(message),
    });
  },
  "sign in by keys": async (client, saw) => {
    const keys = { keyId: "id", publicKey: "public", privateKey: "private" };
    saw.user = (await client.repository.loginWithPreAuthenticatedKeys(keys)).userName;
  },
  "sign in": async (client, saw) => {
    saw.codes = [];
    await client.repository.ensureAuthenticated({
      onAuthenticationUrl: (url) => saw.codes.push(url),
      onAuthenticationCode: (code) => saw.codes.push(code),
    });
  },
  account: async (client, saw) => {
    saw.signed_in = await client.repository.isAuthenticated();
    saw.status = await client.repository.getAuthenticationStatus();
    saw.owners = await client.repository.unstable.getWritableArtifactOwners();
  },
  "sign out": (client) => client.repository.deauthenticate(),
  "become a compute device": async (client, saw) => {
    saw.status = await client.repository.loginAsComputeDevice("token");
  },
  "install dependencies": (client, saw, given) => client.repository.installPluginDependencies(given.path),
  "install plugin": (client, saw, given) => client.repository.installLocalPlugin({ path: given.path }),
  catalogue: async (client, saw) => {
    const models = await client.repository.unstable.getModelCatalog();
    saw.models = models.map(({ owner, name, type, metadata }) => [`${owner}/${name}`, type, metadata.type]);
  },
  "staff picks": async (client, saw, given) => {
    const found = await client.repository.unstable.fuzzyFindStaffPicks(given.options);
    saw.models = found.map(({ owner, name, exact }) => [`${owner}/${name}`, exact]);
  },
  link: async (client, saw) => {
    const { lmLink } = client.repository;
    const status = async () => {
      const { status, issues, peers, deviceName, preferredDeviceIdentifier } = await lmLink.status();
      return [status, issues, peers.length, deviceName, preferredDeviceIdentifier ?? null];
    };
    saw.before = await status();
    await lmLink.updateDeviceName("Attic");
    await lmLink.setPreferredDevice("emulated-desktop");
    saw.renamed = await status();
    await lmLink.setDisabled(true);
    saw.disabled = await status();
    await lmLink.setDisabled(false);
  },
  plan: async (client, saw, given) => {
    saw.plans = [];
    const create = given.artifact ? "createArtifactDownloadPlanner" : "createModelDownloadPlanner";
    const planner = client.repository[create]({
      ...given.options,
      onPlanUpdated: (plan) => saw.plans.push(planOf(plan)),
    });
    saw.ready_at_first = planner.isReady();
    await planner.untilReady();
    if (given.choice !== undefined) {
      await planner.selectModelDownloadOption(given.choice);
    }
    saw.plan = planOf(planner.getPlan());
    if (!given.given_up) {
      await planner.download(followed(saw));
    }
    planner[Symbol.dispose]();
  },

  // The application.
  version: async (client, saw) => {
    Object.assign(saw, await client.system.getLMStudioVersion());
  },
  application: async (client, saw) => {
    Object.assign(saw, await client.system.getInfo());
  },
  notify: (client, saw, given) => client.system.notify(given),
  flags: async (client, saw) => {
    await client.system.unstable_setExperimentFlag("b", true);
    await client.system.unstable_setExperimentFlag("a", true);
    saw.on = await client.system.unstable_getExperimentFlags();
    await client.system.unstable_setExperimentFlag("a", false);
    saw.left = await client.system.unstable_getExperimentFlags();
  },
  "HTTP server": async (client) => {
    await client.system.startHttpServer({ port: 4321, cors: true });
    await client.system.stopHttpServer();
  },
  "stop the HTTP server": (client) => client.system.stopHttpServer(),
  "shut down": (client) => client.system.requestShutdown(),
  "wait for the end": async (client, saw) => {
    await client.system.whenDisconnected();
    // Whoever asks again gets a new connection.
    saw.version = (await client.system.getLMStudioVersion()).version;
  },

  // Logs.
  logs: async (client, saw, given) => {
    saw.texts = {};
    const stop = client.diagnostics.unstable_streamLogs(({ timestamp, data }) => {
      saw.texts[data.type] = data.output ?? data.input;
      saw.stamped = timestamp > 0;
    });
    // Nothing says when the server begins to tell, which it does on another connection.
    while (!given.kinds.every((kind) => kind in saw.texts)) {
      await client.llm.createDynamicHandle(MODEL).respond("My name is");
    }
    stop();
  },

  // Engines.
  engines: async (client, saw) => {
    saw.engines = (await client.runtime.engine.list()).map(({ name, version }) => [name, version]);
    const selections = await client.runtime.engine.getSelections();
    saw.selections = [...selections].map(([format, { name, version }]) => [format, name, version]);
  },
  "select engine": (client, saw, given) => client.runtime.engine.select(given.engine, given.format),
  "remove engine": (client, saw, given) => client.runtime.engine.remove(given.engine),
  hardware: async (client, saw, given) => {
    const { status, engines } = await client.runtime.surveyHardware(given.scope);
    Object.assign(saw, { status, engines: engines.map((engine) => [engine.name, engine.compatibility.status]) });
  },
  "search engines": async (client, saw, given) => {
    const found = await client.runtime.extensions.search(given.query, given.options);
    saw.engines = found.map(({ name, version, localVersions }) => [name, version, localVersions]);
  },
  "download engine": (client, saw, given) =>
    client.runtime.extensions.download(given.engine, { ...given.options, ...followed(saw) }),
  "download engine and cancel": (client, saw, given) =>
    client.runtime.extensions.download(given.engine, givenUp(saw, "onProgress")),
};

