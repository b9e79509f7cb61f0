// The official JavaScript SDK: official_node.cjs SCENARIO HOST [JSON], run in a project that has @lmstudio/sdk.

"use strict";

const { createRequire } = require("node:module");
const { LMStudioClient } = createRequire(process.cwd() + "/")("@lmstudio/sdk");

const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };

function connect(host) {
  return new LMStudioClient({ baseUrl: `ws://${host}`, logger: quiet });
}

function expect(got, wanted) {
  if (got !== wanted) throw new Error(`${got} arrived, ${wanted} were sent`);
}

async function timed(work) {
  const wall = process.hrtime.bigint();
  const start = process.cpuUsage();
  await work();
  const spent = process.cpuUsage(start);
  return { wall: Number(process.hrtime.bigint() - wall) / 1e9, work: (spent.user + spent.system) / 1e6 };
}

const scenarios = {
  async "stream-async"(host, { count, runs }) {
    const model = await connect(host).llm.model();
    const times = [];
    for (let run = 0; run < runs; run++) {
      times.push(
        await timed(async () => {
          let got = 0;
          for await (const _ of model.complete(`blast ${count}`)) got++;
          expect(got, count);
        }),
      );
    }
    return times;
  },

  async "rpc-async"(host, { count, runs }) {
    const model = await connect(host).llm.model();
    const times = [];
    for (let run = 0; run < runs; run++) {
      times.push(
        await timed(async () => {
          for (let number = 0; number < count; number++) await model.countTokens("x");
        }),
      );
    }
    return times;
  },

  async "paced-async"(host, { count, seconds }) {
    const model = await connect(host).llm.model();
    const latencies = [];
    for await (const fragment of model.complete(`paced ${count} ${seconds}`)) {
      latencies.push(Number(process.hrtime.bigint() - BigInt(fragment.content)));
    }
    return latencies;
  },
};

async function main() {
  const [name, host, options] = process.argv.slice(2);
  const figures = await scenarios[name](host, JSON.parse(options ?? "{}"));
  process.stdout.write(JSON.stringify(figures) + "\n", () => process.exit(0));
}

main();
