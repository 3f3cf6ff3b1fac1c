import { useEffect, useState } from 'preact/hooks';

/** The rooms of the page, by the end of its address, with their names. */
export const ROOMS = {
  swap: 'Swap and run',
  repair: 'Repair',
  finetune: 'Fine-tune',
  compare: 'Compare',
} as const;
export type Room = keyof typeof ROOMS;

/** Returns the room that the address names; the default is the first. */
function addressed(): Room {
  const name = location.hash.slice(1);
  return Object.hasOwn(ROOMS, name) ? (name as Room) : 'swap';
}

/** Returns the room that the address names now. */
export function useRoom(): Room {
  const [room, setRoom] = useState(addressed);
  useEffect(() => {
    const follow = () => {
      setRoom(addressed());
      scrollTo(0, 0);
    };
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return room;
}
