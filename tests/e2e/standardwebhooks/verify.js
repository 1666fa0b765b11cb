// SPDX-License-Identifier: MIT
// Verifies requests: one JSON object a line on standard input, one answer a line on standard output.
//   {"key": "whsec_… or whpk_…", "headers": {…}, "body": base64}  ->  {"ok": true} or {"error": …}
// whsec_ goes to the reference library; it knows no v1a, which node's own crypto verifies.
const crypto = require("node:crypto");
const readline = require("node:readline");
const { Webhook } = require("standardwebhooks");

const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

function verifyEd25519(key, headers, body) {
  const der = Buffer.concat([SPKI_PREFIX, Buffer.from(key.slice("whpk_".length), "base64")]);
  const publicKey = crypto.createPublicKey({ key: der, format: "der", type: "spki" });
  const start = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  const message = Buffer.concat([Buffer.from(start), body]);
  for (const signature of headers["webhook-signature"].split(" ")) {
    const [version, text] = signature.split(",");
    if (version === "v1a" && crypto.verify(null, message, publicKey, Buffer.from(text, "base64")))
      return;
  }
  throw new Error("No matching signature found");
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { key, headers, body } = JSON.parse(line);
  const bytes = Buffer.from(body, "base64");
  try {
    if (key.startsWith("whpk_")) verifyEd25519(key, headers, bytes);
    else new Webhook(key).verify(bytes, headers);
    console.log(JSON.stringify({ ok: true }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
});
