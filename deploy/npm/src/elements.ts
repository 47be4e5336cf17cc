// The types of the elements' attributes and events, for the DOM and for frameworks.

import type { PresenceClient } from './presence-client.js';
import type { User } from './presence-replica.js';
import type { ClientError } from './presence-types.js';
import type { Strings } from './presence-words.js';

/** Properties of every element that are attributes as well; null for an attribute that is missing. */
export interface ElementProperties {
  board: string | null;
  server: string | null;
  token: string | null;
  userId: string | null;
  displayName: string | null;
  avatarUrl: string | null;
  color: string | null;
}

/** Attributes of every element in a template, and the properties that are no attributes. */
export interface ElementAttributes {
  board?: string;
  server?: string;
  token?: string;
  'user-id'?: string;
  'display-name'?: string;
  'avatar-url'?: string;
  color?: string;
  client?: PresenceClient | null;
  getToken?: (() => string | Promise<string>) | null;
  strings?: Strings | null;
}

/** Attributes of `<presence-bar>`. */
export interface BarAttributes extends ElementAttributes {
  max?: number | string;
  align?: 'start' | 'center' | 'end';
  size?: number | string;
  overlap?: number | string;
  announce?: 'names' | 'brief' | 'off';
  'keep-left'?: number | string;
  avatars?: 'on' | 'same-origin' | 'off';
}

/** Attributes of `<presence-cursors>`. */
export interface CursorsAttributes extends ElementAttributes {
  for?: string;
  space?: string;
  scrollable?: boolean | '';
  'chat-key'?: string;
}

/** Attributes of `<presence-queue>`. */
export interface QueueAttributes extends ElementAttributes {
  notify?: string;
}

/** Attributes of `<presence-debug>`. */
export interface DebugAttributes extends ElementAttributes {
  lines?: number | string;
}

/** The attributes of each element by its name. */
export interface AttributesOf {
  'presence-bar': BarAttributes;
  'presence-cursors': CursorsAttributes;
  'presence-debug': DebugAttributes;
  'presence-queue': QueueAttributes;
}

/** The events of the elements by their name. */
export interface ElementEvents {
  'presence-error': CustomEvent<ClientError>;
  'presence-follow': CustomEvent<{ following: string | null; summoning: boolean }>;
  'presence-select': CustomEvent<{ user: User }>;
  'presence-turn': CustomEvent<null>;
}

declare global {
  interface HTMLElementEventMap extends ElementEvents {}
}
