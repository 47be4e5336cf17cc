// `presence-server-client/yjs`: a Yjs document on the socket of a client. It imports no Yjs.

export { PresenceYjsProvider } from './presence-yjs.js';
export type { AwarenessChange, ProviderOptions, ProviderStatus, SharedDoc } from './presence-yjs-types.js';
