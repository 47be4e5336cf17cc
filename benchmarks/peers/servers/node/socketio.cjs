// Socket.IO: rooms. Compression is off by default.
const { createServer } = require("http");
const { Server } = require("socket.io");

const http = createServer();
const io = new Server(http);

io.on("connection", (socket) => {
  const { board } = socket.handshake.query;
  socket.join(board);
  socket.on("update", (data) => io.to(board).emit("update", data));
});

http.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });
