import { describe, expect, test } from 'vitest';
import { aborted, isAborted, stopIfAborted } from '../../src/base/abort.js';
import { messageOf, OnnxMishError, withDetails } from '../../src/base/error.js';

describe('an error', () => {
  test('has place, problem and advice, as one message and as fields', () => {
    const cause = new Error('inner');
    const error = new OnnxMishError('io', 'it is broken', { where: 'a.onnx', fix: 'Mend it', cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'OnnxMishError',
      message: 'a.onnx: it is broken. Mend it',
      code: 'io',
      what: 'it is broken',
      where: 'a.onnx',
      fix: 'Mend it',
      cause,
    });
  });

  test.each([
    [{}, 'it is broken'],
    [{ where: 'a.onnx' }, 'a.onnx: it is broken'],
    [{ fix: 'Mend it' }, 'it is broken. Mend it'],
    [{ outcome: 'All is lost' }, 'it is broken. All is lost'],
    [
      { fix: 'Mend it', option: { form: 'exp' }, outcome: 'All is lost' },
      'it is broken. Mend it. All is lost',
    ],
  ])('leaves out what it does not know: %j', (details, message) => {
    expect(new OnnxMishError('io', 'it is broken', details).message).toBe(message);
  });

  test('with other details keeps the rest', () => {
    const cause = new Error('inner');
    const details = { where: 'a.onnx', fix: 'Mend it', option: { opset: 13 }, outcome: 'All is lost', cause };
    const error = new OnnxMishError('io', 'it is broken', details);
    expect(withDetails(error, {})).toMatchObject({ code: 'io', what: 'it is broken', ...details });
    expect(withDetails(error, { where: 'b.onnx', option: undefined })).toMatchObject({
      ...details,
      where: 'b.onnx',
      option: undefined,
    });
  });

  test('of any type has a message', () => {
    expect([new TypeError('no'), 'text', 7, undefined].map(messageOf)).toEqual([
      'no',
      'text',
      '7',
      'undefined',
    ]);
  });
});

describe('aborted work', () => {
  test('throws an `aborted` error with the place', () => {
    const controller = new AbortController();
    expect(() => stopIfAborted(controller.signal)).not.toThrow();
    expect(() => stopIfAborted(undefined, 'a.onnx')).not.toThrow();
    controller.abort();
    const said = {
      code: 'aborted',
      what: 'interrupted',
      where: 'a.onnx',
      outcome: expect.stringMatching(/nothing was left/i),
    };
    expect(() => stopIfAborted(controller.signal, 'a.onnx')).toThrow(expect.objectContaining(said));
    expect(aborted()).toMatchObject({ code: 'aborted', where: undefined });
  });

  test('is distinguished from a failure', () => {
    expect(isAborted(aborted())).toBe(true);
    expect(isAborted(new OnnxMishError('io', 'full'))).toBe(false);
    expect(isAborted(Object.assign(new Error(), { code: 'aborted' }))).toBe(false);
    expect(isAborted(undefined)).toBe(false);
  });
});
