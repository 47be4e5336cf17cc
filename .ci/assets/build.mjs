// Makes the bundle of the client and the elements: web/static/dist/presence.js, its source map,
// and a file for each module that is loaded on its first use. Its arguments: see files.mjs.

import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

import { finish, STATIC, TARGET } from './files.mjs';

/** @returns {Promise<Map<string, string>>} the text of each file by its name */
async function bundle() {
  const build = await rolldown({
    input: { presence: fileURLToPath(new URL('presence-all.js', STATIC)) },
    plugins: [styleSheets],
    // The first file then holds all that a later one shares with it: one request, not a chain.
    preserveEntrySignatures: 'allow-extension',
    transform: { target: TARGET },
  });
  const { output } = await build.generate({
    dir: fileURLToPath(new URL('dist/', STATIC)),
    format: 'esm',
    sourcemap: true,
    minify: true,
    // Names that stay the same over versions: a page that is open while the server gets a newer
    // version can still load the rest.
    chunkFileNames: '[name].js',
    minifyInternalExports: false,
  });
  await build.close();
  return new Map(output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : String(file.source)]));
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

await finish('dist/', await bundle());
