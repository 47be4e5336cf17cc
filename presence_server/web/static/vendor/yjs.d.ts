export * from 'yjs';
export { Awareness } from 'y-protocols/awareness';
