// Builds dist/presence-server-client-VERSION.tgz, the npm package: the modules of web/static, the layers
// for frameworks in src/, and the types of all, which TypeScript makes from the JSDoc.
//
//     node build.mjs [FOLDER]   writes it into FOLDER, by default dist/

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../..');
const STATIC = join(ROOT, 'presence_server/web/static');
const BUILD = mkdtempSync(join(tmpdir(), 'presence-npm-'));
const SOURCE = join(BUILD, 'source');
const PACKAGE = join(BUILD, 'package');
const LIB = join(PACKAGE, 'lib');
const folder = process.argv[2] ?? join(ROOT, 'dist');

const modules = readdirSync(STATIC).filter((name) => /^presence-.*\.js$/.test(name) && name !== 'presence-all.js');
process.on('exit', () => rmSync(BUILD, { recursive: true, force: true }));
for (const made of [SOURCE, PACKAGE, folder]) mkdirSync(made, { recursive: true });

// TypeScript looks for the frameworks beside the files.
symlinkSync(join(ROOT, '.ci/frameworks/node_modules'), join(SOURCE, 'node_modules'));
cpSync(join(HERE, 'src'), SOURCE, { recursive: true });
cpSync(join(HERE, 'tsconfig.json'), join(SOURCE, 'tsconfig.json'));
for (const name of modules) cpSync(join(STATIC, name), join(SOURCE, name));
execFileSync(join(ROOT, '.ci/types/node_modules/.bin/tsc'), ['--project', SOURCE], { stdio: 'inherit' });

// TypeScript writes the modules anew; the originals are easier to read in a debugger.
for (const name of modules) cpSync(join(STATIC, name), join(LIB, name));
for (const [from, to] of [['LICENSE', 'LICENSE'], ['deploy/npm/README.md', 'README.md']]) {
  cpSync(join(ROOT, from), join(PACKAGE, to));
}
writeFileSync(join(PACKAGE, 'package.json'), JSON.stringify(manifest(), null, 2));
const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: PACKAGE, encoding: 'utf8' });
console.log(join(folder, JSON.parse(packed)[0].filename));

/** @returns {object} what package.json holds */
function manifest() {
  const [, version] = /__version__ = "(.*)"/.exec(readFileSync(join(ROOT, 'presence_server/__init__.py'), 'utf8')) ?? [];
  if (!version) throw new Error('presence_server/__init__.py has no version');
  const { name, ...rest } = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8'));
  return { name, version, ...rest };
}
