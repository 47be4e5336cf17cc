// Hocuspocus without extensions: it keeps documents in memory, and lets everybody edit.
const { Server } = require("@hocuspocus/server");

const server = new Server({ address: "127.0.0.1", port: Number(process.argv[2]), quiet: true });
server.listen();
