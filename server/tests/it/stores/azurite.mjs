// Runs Azurite's blob service on a free port, for one test: `node azurite.mjs ITS-MAIN.js ACCOUNT KEY CONTAINER...`.
// Prints `listening on ADDRESS` once the containers are there. Ends when its input does.

import { createHmac } from "node:crypto";

const [main, account, key, ...containers] = process.argv.splice(2);
process.env.AZURITE_ACCOUNTS = `${account}:${key}`;
process.argv.push("--blobPort", "0", "--inMemoryPersistence", "--silent");
process.argv.push("--disableTelemetry", "--skipApiVersionCheck");

// Asks for a container, signed as Azure wants it.
async function create(address, container) {
  const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2023-11-03" };
  const named = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("");
  const signed = `PUT${"\n".repeat(12)}${named}/${account}/${account}/${container}\nrestype:container`;
  const signature = createHmac("sha256", Buffer.from(key, "base64")).update(signed).digest("base64");
  headers.authorization = `SharedKey ${account}:${signature}`;
  const answer = await fetch(`${address}/${account}/${container}?restype=container`, { method: "PUT", headers });
  if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
}

// It says where it listens on its output and nowhere else.
const say = console.log;
console.log = async (line) => {
  const address = /listens on (http:\S+)/.exec(line)?.[1];
  if (!address) return;
  for (const container of containers) await create(address, container);
  say(`listening on ${address}`);
};

process.stdin.on("end", () => process.exit()).resume();
await import(main);
