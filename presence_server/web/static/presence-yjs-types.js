// The types of the provider for Yjs; there is no code here. Of Yjs they name only what is used, so
// that any copy of it fits.

/**
 * What is used of the class `Awareness` of y-protocols.
 *
 * @typedef {object} SharedAwareness
 * @property {number} clientID
 * @property {Map<number, any>} states
 * @property {Map<number, {clock: number, lastUpdated: number}>} meta
 * @property {() => any} getLocalState
 * @property {(state: any) => void} setLocalState
 * @property {(name: any, args: any) => void} emit
 * @property {(name: any, listener: (...args: any[]) => void) => void} on
 * @property {(name: any, listener: (...args: any[]) => void) => void} off
 */

/**
 * @typedef {object} AwarenessChange
 * @property {number[]} added
 * @property {number[]} updated
 * @property {number[]} removed
 */

/**
 * The functions that are used of the package `yjs`.
 *
 * @typedef {object} YjsFunctions
 * @property {(doc: any) => Uint8Array} encodeStateVector
 * @property {(doc: any, vector?: Uint8Array) => Uint8Array} encodeStateAsUpdate
 * @property {(doc: any, update: Uint8Array, origin?: any) => void} applyUpdate
 */

/**
 * What is used of the class `Doc` of `yjs`.
 *
 * @typedef {object} SharedDoc
 * @property {(name: any, listener: (...args: any[]) => void) => void} on
 * @property {(name: any, listener: (...args: any[]) => void) => void} off
 */

/**
 * @typedef {object} ProviderOptions
 * @property {YjsFunctions} Y  the module `yjs` that the document is of
 * @property {SharedAwareness} [awareness]  an `Awareness` of y-protocols; without it there is none
 * @property {boolean} [connect]  false: only `connect()` begins; true by default
 */

/**
 * @typedef {object} ProviderStatus
 * @property {'connected' | 'connecting' | 'disconnected'} status  as y-websocket calls it
 * @property {boolean} synced  all that the server has is in the document
 * @property {boolean} saved  every change that was made here is durable
 * @property {boolean} readOnly  the server takes no changes: of viewers, and of those who wait
 */

export {};
