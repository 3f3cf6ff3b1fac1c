import { useEffect, useMemo, useReducer, useRef } from 'preact/hooks';
import { actionsOn } from '../page/actions.js';
import { type Action, reduce, START, type State } from '../page/state.js';
import { SwapRoom } from '../page/swap-room.js';
import { HANDED_HASH } from '../protocol.js';
import { LazyRoom } from './lazy-room.js';
import { ROOMS, type Room, useRoom } from './room.js';

/** Returns the state and the actions. Answers of the worker use the state at the time they arrive. */
function useWorkbench() {
  const now = useRef<State>(START);
  const [state, show] = useReducer((_: State, next: State) => next, START);
  const dispatch = useMemo(
    () => (action: Action) => {
      now.current = reduce(now.current, action);
      show(now.current);
    },
    [],
  );
  const actions = useMemo(() => actionsOn(() => now.current, dispatch), []);
  return { state, dispatch, actions };
}

const loadCompare = async () => (await import('../rooms/compare-room.js')).CompareRoom;
const loadRepair = async () => (await import('../rooms/repair-room.js')).RepairRoom;
const loadFinetune = async () => (await import('../rooms/finetune-room.js')).FinetuneRoom;

/** Title of the page in its first room. */
const TITLE = 'onnx-mish workbench';

export function App() {
  const { state, dispatch, actions } = useWorkbench();
  const room = useRoom();
  useEffect(() => {
    if (location.hash === HANDED_HASH) void actions.takeHanded();
  }, []);
  useEffect(() => {
    document.title = room === 'swap' ? TITLE : `${ROOMS[room]} – ${TITLE}`;
  }, [room]);
  const parts = { state, dispatch, actions };
  return (
    <>
      <header class="top">
        <p class="brand">
          <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
            <path d="M2 19.5C8 20 10 23.5 15 23.2C20 22.8 22 12 30 5" />
          </svg>
          onnx-mish <span>workbench</span>
        </p>
        <nav aria-label="Rooms">
          {(Object.keys(ROOMS) as Room[]).map((name) => (
            <a key={name} href={`#${name}`} aria-current={name === room ? 'page' : undefined}>
              {ROOMS[name]}
            </a>
          ))}
        </nav>
        <p class="private">Nothing leaves this page.</p>
      </header>
      <SwapRoom {...parts} active={room === 'swap'} />
      <LazyRoom {...parts} active={room === 'repair'} name={ROOMS.repair} load={loadRepair} />
      <LazyRoom {...parts} active={room === 'finetune'} name={ROOMS.finetune} load={loadFinetune} />
      <LazyRoom {...parts} active={room === 'compare'} name={ROOMS.compare} load={loadCompare} />
      <p class="unseen" role="status">
        {state.announcement}
      </p>
    </>
  );
}
