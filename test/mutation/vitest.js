import { format } from 'node:util';
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect';

// What the tests of onnx/ and mish/ use of vitest, for a runner that keeps them loaded: vitest starts a worker and loads
// every file again for each mutant, which takes a hundred times as long as the tests themselves.

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
export const expect = Object.assign(
  (value, message) => chai.expect(value, message),
  chai.expect,
  globalThis[ASYMMETRIC_MATCHERS_OBJECT],
);
chai.expect.extend(expect, customMatchers);

/** Every test, in order: its id, which is its file and its names, and what it does. */
export const tests = [];
const names = [];

/** Begins the tests of a file. */
export function file(name) {
  names.splice(0, names.length, name);
}

const ids = new Map();

function register(title, ...rest) {
  const path = [...names, title].join(' > ');
  const count = (ids.get(path) ?? 0) + 1;
  ids.set(path, count);
  tests.push({
    id: count === 1 ? path : `${path} (${count})`,
    run: rest.find((one) => typeof one === 'function'),
  });
}

function group(title, ...rest) {
  names.push(title);
  rest.find((one) => typeof one === 'function')();
  names.pop();
}

/** Adds `.each`, which calls once for each case. */
function withEach(call) {
  const each =
    (cases) =>
    (title, ...rest) => {
      const body = rest.find((one) => typeof one === 'function');
      for (const one of cases) {
        const values = Array.isArray(one) ? one : [one];
        const named = title.replace(/\$(\w+)/g, (_, key) => format('%j', values[0]?.[key]));
        const places = named.match(/%[sdij]/g)?.length ?? 0; // what has none is not shown
        call(format(named, ...values.slice(0, places)), () => body(...values));
      }
    };
  return Object.assign(call, { each });
}

export const test = withEach(register);
export const describe = withEach(group);
