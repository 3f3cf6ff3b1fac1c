import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ProblemNote } from '../page/parts.js';
import type { RoomProps } from '../page/room-props.js';

/** Shows a room whose code is loaded on the first visit. A room that is left keeps its state and its work. */
export function LazyRoom(
  props: RoomProps & {
    readonly name: string;
    readonly load: () => Promise<ComponentType<RoomProps>>;
  },
) {
  const { name, load, ...parts } = props;
  const { active } = parts;
  const [Room, setRoom] = useState<ComponentType<RoomProps>>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (active && Room === undefined) load().then((loaded) => setRoom(() => loaded), setError);
  }, [active]);
  if (Room !== undefined) return <Room {...parts} />;
  if (!active) return null;
  return (
    <main>
      <h1>{name}</h1>
      {error === undefined ? (
        <p class="quiet">Loading …</p>
      ) : (
        <ProblemNote
          problem={{ code: 'io', what: 'this room could not be loaded', fix: 'Reload the page' }}
        />
      )}
    </main>
  );
}
