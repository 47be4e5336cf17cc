// ws: each message is relayed to everybody on its board. Compression is off by default.
const { WebSocketServer, WebSocket } = require("ws");

const boards = new Map();
const options = { host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 };
const server = new WebSocketServer(options);

server.on("connection", (ws, request) => {
  const board = request.url.split("?")[0];
  if (!boards.has(board)) boards.set(board, new Set());
  const members = boards.get(board);
  members.add(ws);
  ws.on("error", () => {});
  ws.on("close", () => members.delete(ws));
  ws.on("message", (data, binary) => {
    for (const member of members)
      if (member.readyState === WebSocket.OPEN) member.send(data, { binary });
  });
});
