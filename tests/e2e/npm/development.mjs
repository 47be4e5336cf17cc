// Vite's development server for the application in a folder; says its address.

import { createServer } from 'vite';

const server = await createServer({ root: process.argv[2], logLevel: 'error', server: { host: '127.0.0.1', port: 0 } });
await server.listen();
console.log(server.resolvedUrls.local[0]);
