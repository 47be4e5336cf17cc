// Makes the bundle of the client and the elements: web/static/dist/presence.js, its source map,
// and a file for each module that is loaded on its first use; and board.js, the script of the demo,
// which uses it. Its arguments: see files.mjs.

import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

import { finish, STATIC, TARGET } from './files.mjs';

/**
 * @param {string} name  of the first file
 * @param {string} module  that it is made of
 * @param {import('rolldown').Plugin[]} plugins
 * @returns {Promise<import('rolldown').RolldownOutput['output']>}
 */
async function bundle(name, module, plugins) {
  const build = await rolldown({
    input: { [name]: fileURLToPath(new URL(module, STATIC)) },
    plugins,
    // The first file then holds all that a later one shares with it: one request, not a chain.
    preserveEntrySignatures: 'allow-extension',
    transform: { target: TARGET },
  });
  const { output } = await build.generate({
    dir: fileURLToPath(new URL('dist/', STATIC)),
    format: 'esm',
    sourcemap: true,
    minify: true,
    comments: false,
    // Names that stay the same over versions: a page that is open while the server gets a newer
    // version can still load the rest.
    chunkFileNames: '[name].js',
    minifyInternalExports: false,
  });
  await build.close();
  return output;
}

/**
 * Make the text of style sheets small. As many lines follow as are gone, so that the source map
 * stays right.
 */
const styleSheets = {
  name: 'style-sheets',
  /** @param {string} code */
  transform(code) {
    const small = code.replace(/(\/\* css \*\/ )`([^`]*)`/g, (_, mark, css) => {
      const text = smallStyleSheet(css);
      return `${mark}\`${text}\`${'\n'.repeat(css.split('\n').length - text.split('\n').length)}`;
    });
    return { code: small, map: null };
  },
};

/** @param {string} css */
function smallStyleSheet(css) {
  return css
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([{};,]) ?/g, '$1')
    .replace(/: /g, ':')
    .replaceAll(';}', '}')
    .trim();
}

const elements = await bundle('presence', 'presence-all.js', [styleSheets]);
const [first] = elements;
const modules = new Set(first.moduleIds.map((id) => id.split('/').at(-1)));

/** The demo takes the modules of the client and the elements from their bundle, and Yjs as it is. */
const fromBundle = {
  name: 'from-bundle',
  /** @param {string} source */
  resolveId(source) {
    if (source === './vendor/yjs.js') return { id: '../vendor/yjs.js', external: 'absolute' };
    return modules.has(source.split('/').at(-1)) ? { id: './presence.js', external: 'absolute' } : null;
  },
};

const demo = await bundle('board', 'board.js', [fromBundle, styleSheets]);
for (const { code = '', fileName } of demo) {
  const [, names = ''] = /import\s*{([^}]*)}\s*from\s*"\.\/presence\.js"/.exec(code) ?? [];
  for (const name of names.split(',').map((binding) => binding.split(' as ')[0].trim())) {
    if (name && !first.exports.includes(name)) throw Error(`${fileName}: presence-all.js has to export ${name}`);
  }
}

await finish('dist/', new Map([...elements, ...demo].map(
  (file) => [file.fileName, file.type === 'chunk' ? file.code : String(file.source)],
)));
