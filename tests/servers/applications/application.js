// SPDX-License-Identifier: MIT
// The application with Node's own HTTP server.
const fs = require("fs");
const http = require("http");

const { RECORD, BROKEN, LIMIT, PORT, KEEP_ALIVE_S } = process.env;

const server = http.createServer((request, response) => {
  if (Number(request.headers["content-length"]) > Number(LIMIT)) {
    response.writeHead(413).end("no\n"); // the body is left unread
    return;
  }
  request.resume().on("end", () => {
    fs.appendFileSync(RECORD, `${request.headers["x-event-id"]} ${request.socket.remotePort}\n`);
    response.writeHead(fs.existsSync(BROKEN) ? 500 : 200).end("ok\n");
  });
});
if (KEEP_ALIVE_S) {
  server.keepAliveTimeout = Number(KEEP_ALIVE_S) * 1000;
}
server.listen(Number(PORT), "127.0.0.1");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
