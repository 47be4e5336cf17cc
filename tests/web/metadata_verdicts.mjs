// Reads a JSON list of texts, each the JSON of an object. Says of each how a browser would send it,
// and whether setMetadata takes it.

import { checkMetadata } from '../../presence_server/web/static/presence-values.js';

let input = '';
for await (const chunk of process.stdin) input += chunk;
const verdicts = JSON.parse(input).map((text) => {
  const metadata = JSON.parse(text);
  try {
    checkMetadata(metadata);
    return [JSON.stringify(metadata), true];
  } catch {
    return [JSON.stringify(metadata), false];
  }
});
process.stdout.write(JSON.stringify(verdicts));
