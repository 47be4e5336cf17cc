// Makes web/static/vendor/yjs.js from the packages yjs and y-protocols of npm: one ES module, so
// that the demo board needs no other site. Its arguments: see files.mjs.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

import { finish, TARGET } from './files.mjs';

const ENTRY = 'vendor:yjs';
const EXPORTS = "export * from 'yjs'; export { Awareness } from 'y-protocols/awareness';";

/** The packages that are inside. */
const INSIDE = ['yjs', 'lib0', 'y-protocols'];

/** @param {string} path  in a package */
function read(path) {
  return readFile(new URL(`node_modules/${path}`, import.meta.url), 'utf8');
}

/** @returns {Promise<string>} a line of names and versions */
async function versions() {
  const found = [];
  for (const name of INSIDE) found.push(`${name} ${JSON.parse(await read(`${name}/package.json`)).version}`);
  return found.join(', ');
}

/** @param {string} names  @returns {Promise<string>} */
async function licences(names) {
  const parts = [`yjs.js is made from ${names}, which have the licences below.\n`];
  for (const name of INSIDE) parts.push(`--- ${name}\n\n${(await read(`${name}/LICENSE`)).trim()}\n`);
  return parts.join('\n');
}

/** @param {string} names  @returns {Promise<string>} */
async function module(names) {
  const build = await rolldown({
    input: { yjs: ENTRY },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === ENTRY ? `${fileURLToPath(new URL('.', import.meta.url))}yjs-entry.js` : null),
        load: (id) => (id.endsWith('yjs-entry.js') ? EXPORTS : null),
      },
    ],
    platform: 'browser',
    transform: { target: TARGET },
  });
  const { output } = await build.generate({
    format: 'esm',
    minify: true,
    comments: { legal: false },
    postBanner: `// ${names}; MIT, see yjs.LICENSE.txt beside it. Made by \`make assets\`.`,
  });
  await build.close();
  if (output.length !== 1) throw new Error('more than one file');
  return output[0].code;
}

const names = await versions();
// For TypeScript, which has the types from the packages.
const types = `${EXPORTS.replaceAll('; ', ';\n')}\n`;
const made = new Map([
  ['yjs.d.ts', types],
  ['yjs.LICENSE.txt', await licences(names)],
  ['yjs.js', await module(names)],
]);
await finish('vendor/', made);
