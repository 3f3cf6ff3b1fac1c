import type { Parts } from './parts.js';

/** Properties of a room. */
export interface RoomProps extends Parts {
  /** Whether the room is shown; only this room takes dropped files. */
  readonly active: boolean;
}
