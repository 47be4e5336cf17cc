// What the scripts beside this one make is kept in git: written with `make assets`, and compared
// by `make check`.
//
//     node SCRIPT            writes it
//     node SCRIPT --check    says whether what is there is up to date
//
// The last argument names another folder than the script's own.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const STATIC = new URL('../../presence_server/web/static/', import.meta.url);
// The oldest browsers of docs/browser.md.
export const TARGET = ['chrome120', 'firefox125', 'safari17'];

/**
 * Do what the command line asks for.
 *
 * @param {string} name  of the folder in web/static
 * @param {Map<string, string>} made  the text of each file by its name
 */
export async function finish(name, made) {
  const words = process.argv.slice(2);
  const isCheck = words[0] === '--check';
  const folder = words[isCheck ? 1 : 0] ?? fileURLToPath(new URL(name, STATIC));
  await (isCheck ? check : write)(folder, made);
}

/** @param {string} folder  @param {Map<string, string>} made */
async function write(folder, made) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [name, text] of made) await writeFile(`${folder}/${name}`, text);
}

/** @param {string} folder  @param {Map<string, string>} made */
async function check(folder, made) {
  const there = new Set(await readdir(folder).catch(() => []));
  const different = [];
  for (const [name, text] of made) {
    if (!there.delete(name) || (await readFile(`${folder}/${name}`, 'utf8')) !== text) different.push(name);
  }
  different.push(...there);
  if (different.length === 0) return;
  console.error(`not what the script makes: ${different.join(', ')}; run \`make assets\``);
  process.exitCode = 1;
}
