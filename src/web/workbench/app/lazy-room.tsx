import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { loadPart } from '../page/load-part.js';
import { ProblemNote } from '../page/parts.js';
import type { RoomProps } from '../page/room-props.js';
import { NOT_LOADED } from '../protocol.js';

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
  const [failed, setFailed] = useState(false);
  const enter = () => {
    setFailed(false);
    loadPart(load).then(
      (loaded) => setRoom(() => loaded),
      () => setFailed(true),
    );
  };
  useEffect(() => {
    if (active && Room === undefined) enter();
  }, [active]);
  if (Room !== undefined) return <Room {...parts} />;
  if (!active) return null;
  return (
    <main>
      <h1>{name}</h1>
      {failed ? (
        <>
          <ProblemNote problem={NOT_LOADED} />
          <button type="button" onClick={enter}>
            Try again
          </button>
        </>
      ) : (
        <p class="quiet">Loading …</p>
      )}
    </main>
  );
}
