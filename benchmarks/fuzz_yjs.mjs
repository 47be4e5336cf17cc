// Applies updates that passed the server's check to Yjs, each to a fresh copy of one document.
//
// Reads {base, updates, clocks} from the file of its argument, everything in base64, and prints
// one line for each update that Yjs does not take as Yrs does.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const [folder, file] = process.argv.slice(2);
const Y = createRequire(`${folder}/package.json`)('yjs');
const input = JSON.parse(fs.readFileSync(file, 'utf8'));
const bytes = (text) => Buffer.from(text, 'base64');

function fault(update, clocks) {
  const doc = new Y.Doc();
  for (const type of ['getText', 'getMap', 'getArray']) doc[type](type);
  try {
    Y.applyUpdate(doc, bytes(input.base));
    Y.applyUpdate(doc, bytes(update));
    doc.getText('getText').toDelta();
    doc.getMap('getMap').toJSON();
    doc.getArray('getArray').toJSON();
    Y.encodeStateAsUpdate(doc);
  } catch (error) {
    return `throws ${error.message}`;
  }
  if (doc.store.pendingStructs || doc.store.pendingDs) return 'leaves something pending';
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc));
  for (const [client, clock] of Object.entries(clocks)) {
    if ((vector.get(Number(client)) ?? 0) !== clock) return `has another clock of ${client}`;
  }
  return null;
}

let faults = 0;
input.updates.forEach((update, index) => {
  const found = fault(update, input.clocks[index]);
  if (found !== null) {
    faults += 1;
    console.log(`${bytes(update).toString('hex')} ${found}`);
  }
});
process.exitCode = faults ? 1 : 0;
