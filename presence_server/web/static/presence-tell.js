// Elements say something to the others, if there is room for it beside the application's metadata.

/**
 * @param {import('./presence-client.js').PresenceClient} client
 * @param {Record<string, unknown>} fields  of the key `presence`; undefined takes one away
 * @returns {boolean} whether it was said
 */
export function tell(client, fields) {
  try {
    client.setPresence(fields);
    return true;
  } catch (error) {
    console.warn(`presence: no room beside the metadata: ${error}`);
    return false;
  }
}
