import { describe, expect, test } from 'vitest';
import { clockedSteps } from '../../src/web/workbench/engine/steps.js';
import { START, type State } from '../../src/web/workbench/page/state.js';
import type { StepEvent } from '../../src/web/workbench/protocol.js';
import { repairChoice } from '../../src/web/workbench/rooms/repair-choice.js';
import { REPAIR_START, reduceRepair } from '../../src/web/workbench/rooms/repair-state.js';

const model = { name: 'a.onnx', blob: new Blob() };
const page = {
  ...START,
  model: { name: 'a.onnx', inspection: { inputs: [], sites: [{}] }, missing: [] },
  chosen: new Set([0]),
} as unknown as State;

describe('the choice of a repair', () => {
  test('lacks while the samples are noise, or a site or weights are missing', () => {
    const chosen = { ...page, feed: { ...page.feed, kind: 'bundled' } } as const;
    expect(repairChoice(REPAIR_START, chosen)).toMatchObject({ sharpen: true, input: { kind: 'bundled' } });
    expect(repairChoice(REPAIR_START, page)).toBeUndefined();
    expect(repairChoice(REPAIR_START, { ...chosen, chosen: new Set() })).toBeUndefined();
    const lacking = { ...chosen, model: { ...chosen.model, missing: ['w'] } } as unknown as State;
    expect(repairChoice(REPAIR_START, lacking)).toBeUndefined();
  });
});

describe('events of a repair', () => {
  const choice = { sharpen: true } as unknown as Parameters<typeof start>[0];
  const step: StepEvent = { kind: 'step', text: 'solving', share: 0.5, secondsLeft: 3 };
  function start(of: Extract<Parameters<typeof reduceRepair>[1], { kind: 'start' }>['choice']) {
    return reduceRepair(REPAIR_START, { kind: 'start', work: 'rank', model, choice: of, resume: false });
  }

  test('after a stop no event changes the room, and another model removes its results', () => {
    const running = reduceRepair(start(choice), { kind: 'event', event: step });
    expect(running.run?.step).toBe(step);
    const stopped = reduceRepair(running, { kind: 'end', ended: 'stopped' });
    expect(reduceRepair(stopped, { kind: 'event', event: { ...step, share: 1 } })).toBe(stopped);
    expect(reduceRepair(stopped, { kind: 'model', model }).run).not.toBeNull();
    expect(reduceRepair(stopped, { kind: 'model', model: undefined }).run).toBeNull();
  });
});

test('other samples or settings remove the problems of earlier works, not those of the samples', () => {
  const problem = { code: 'bad-data', what: 'wrong' };
  const places = ['calibrate', 'rank', 'samples', 'export'] as const;
  const failed = places.reduce(
    (state, place) => reduceRepair(state, { kind: 'problem', place, problem }),
    REPAIR_START,
  );
  const left = { samples: problem, export: problem };
  expect(reduceRepair(failed, { kind: 'samples' }).problems).toEqual(left);
  expect(reduceRepair(failed, { kind: 'settings', change: {} }).problems).toEqual(left);
});

test('the time left is that of the current step, and needs a second of it', () => {
  const events: StepEvent[] = [];
  let time = 0;
  const step = clockedSteps(
    (event) => events.push(event),
    () => time,
  );
  step('solving', 0, 4);
  time = 500;
  step('solving', 1, 4);
  time = 2000;
  step('solving', 2, 4);
  time = 2050; // too soon after the last
  step('solving', 3, 4);
  step('gradient steps', 0, 10);
  time = 4050;
  step('gradient steps', 5, 10);
  expect(events.map(({ text, share, secondsLeft }) => [text, share, secondsLeft])).toEqual([
    ['solving', 0, undefined],
    ['solving', 0.25, undefined],
    ['solving', 0.5, 2],
    ['gradient steps', 0, undefined],
    ['gradient steps', 0.5, 2],
  ]);
});
