// `presence-server-client`: the client, and the types of what it takes and reports.

export { PresenceClient } from './presence-client.js';
export type { Profile } from './presence-address.js';
export type { Cursor } from './presence-outgoing.js';
export type { CursorMove, User, UsersChange } from './presence-replica.js';
export type { ClientError, ClientEvents, ConnectOptions, Options, State, Status } from './presence-types.js';
export type { Snapshot } from './presence-view.js';
export type { Strings } from './presence-words.js';
