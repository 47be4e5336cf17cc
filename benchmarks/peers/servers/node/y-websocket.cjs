// The server that y-websocket 2 brings, as it is. It keeps documents in memory.
const path = require("path");

process.env.HOST = "127.0.0.1";
process.env.PORT = process.argv[2];
require(path.join(__dirname, "node_modules", "y-websocket", "bin", "server.cjs"));
