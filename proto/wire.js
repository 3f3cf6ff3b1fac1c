// The wire format, read and written as protobufjs does, in a tenth of its size: a page counts every kilobyte.
// 64-bit integers are numbers, exact to 2^53; a string may hold any bytes, as in ONNX's own schema, which is proto2.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
/** Protobuf's own default recursion limit. */
export const DEEPEST = 100;

// Names come again soon, as the output of one node and the input of the next: what was read lately, each string at the
// place that its bytes hash to, is not made and kept twice.
const RECENT = 2 ** 14;
const LONGEST_NAME = 200;
const NOT_PLAIN = /[^ -~]/;
/** The largest double below 2^63. The largest int64, a usual “to the end” of Slice, is read as 2^63. */
const MAX_INT64 = 2 ** 63 - 1024;
const recent = new Array(RECENT);

const short = () => new RangeError('index out of range');

export class Reader {
  /** How many elements of repeated fields may still be kept; below 0 when there were more. */
  left = Infinity;

  constructor(buffer) {
    this.buf = buffer;
    this.dataView = undefined;
    this.pos = 0;
    this.len = buffer.length;
  }

  static create(buffer) {
    return new Reader(buffer);
  }

  /** Made once, when the first number needs it: most messages have names only. */
  get view() {
    const { buf } = this;
    this.dataView ??= new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
    return this.dataView;
  }

  /** Counts elements that take as much memory as so many numbers, before they are kept. */
  take(weight) {
    this.left -= weight;
    if (this.left < 0) throw RangeError('too many elements');
  }

  skip(length) {
    const start = this.pos;
    if (length > this.len - start) throw short();
    this.pos += length;
    return start;
  }

  /** The next varint as two unsigned halves, [low, high]. */
  halves() {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.buf[this.skip(1)];
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= bits << 31;
      if (byte < 128) return [low >>> 0, high >>> 0];
    }
    throw Error('invalid varint encoding');
  }

  uint32() {
    const byte = this.buf[this.pos];
    if (byte >= 128 || this.pos >= this.len) return this.halves()[0];
    this.pos++;
    return byte; // a tag, or the length of a name
  }

  int32() {
    return this.halves()[0] | 0;
  }

  int64() {
    const [low, high] = this.halves();
    return (high | 0) * 2 ** 32 + low;
  }

  uint64() {
    const [low, high] = this.halves();
    return high * 2 ** 32 + low;
  }

  tag() {
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw Error('illegal tag');
    return tag;
  }

  size() {
    return this.uint32();
  }

  float() {
    return this.view.getFloat32(this.skip(4), true);
  }

  double() {
    return this.view.getFloat64(this.skip(8), true);
  }

  bytes() {
    const start = this.skip(this.size());
    return this.buf.subarray(start, this.pos);
  }

  string() {
    const length = this.size();
    const { buf } = this;
    const start = this.skip(length);
    const text = () => decoder.decode(buf.subarray(start, start + length));
    if (length > LONGEST_NAME) return text();
    let hash = length;
    for (let at = 0; at < length; at++) hash = Math.imul(hash ^ buf[start + at], 0x01000193);
    const place = (hash ^ (hash >>> 15)) & (RECENT - 1);
    const known = recent[place];
    if (known?.length === length) {
      let at = 0;
      while (at < length && buf[start + at] < 128 && buf[start + at] === known.charCodeAt(at)) at++;
      if (at === length) return known;
    }
    recent[place] = text();
    return recent[place];
  }

  raw(start, end) {
    return this.buf.subarray(start, end);
  }

  skipType(wireType, depth = 0, tag = 0) {
    if (depth > DEEPEST) throw Error('max depth exceeded');
    if (wireType === 0) this.halves();
    else if (wireType === 1) this.skip(8);
    else if (wireType === 2) this.skip(this.size());
    else if (wireType === 5) this.skip(4);
    else if (wireType === 3) {
      for (;;) {
        const inner = this.tag();
        if ((inner & 7) === 4) {
          if (inner >>> 3 !== tag) throw Error('invalid end group');
          return;
        }
        this.skipType(inner & 7, depth + 1, inner >>> 3);
      }
    } else throw Error(`invalid wire type ${wireType}`);
  }
}

// Packed lists: [length, values], appended to `list`.
for (const type of ['float', 'double', 'int32', 'int64', 'uint64']) {
  Reader.prototype[`${type}s`] = function (list) {
    const length = this.size();
    const end = this.pos + length;
    if (end > this.len) throw short();
    while (this.pos < end) {
      this.take(1);
      list.push(this[type]());
    }
    if (this.pos !== end) throw short();
    return list;
  };
}

export class Writer {
  pos = 0;
  /** Where each message starts that is being written. */
  outer = [];

  buf = new Uint8Array(0);

  /** Room is made for so many bytes more than are needed. */
  constructor(block = 128) {
    this.block = block;
  }

  static create() {
    return new Writer();
  }

  /** Makes room for so many bytes; gives where they start. */
  room(length) {
    const { buf, pos } = this;
    const end = pos + length;
    if (end > buf.length) {
      this.buf = new Uint8Array(Math.max(pos * 2, end + this.block));
      this.buf.set(buf.subarray(0, pos));
    }
    this.pos = end;
    return pos;
  }

  raw(bytes) {
    const at = this.room(bytes.length);
    this.buf.set(bytes, at);
    return this;
  }

  byte(value) {
    const at = this.room(1);
    this.buf[at] = value;
    return this;
  }

  uint64(value) {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 128);
    return this.byte(rest);
  }

  uint32(value) {
    return this.uint64(value >>> 0);
  }

  int64(value) {
    if (value >= 0) return this.uint64(Math.min(value, MAX_INT64));
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.byte(Number(rest & 127n) | 128);
    return this.byte(Number(rest));
  }

  int32(value) {
    return this.int64(value | 0);
  }

  float(value) {
    return this.raw(new Uint8Array(Float32Array.of(value).buffer));
  }

  double(value) {
    return this.raw(new Uint8Array(Float64Array.of(value).buffer));
  }

  bytes(value) {
    return this.uint32(value.length).raw(value);
  }

  string(value) {
    const { length } = value;
    if (length > LONGEST_NAME || NOT_PLAIN.test(value)) return this.bytes(encoder.encode(value));
    const from = this.uint32(length).room(length);
    for (let at = 0; at < length; at++) this.buf[from + at] = value.charCodeAt(at);
    return this;
  }

  fork() {
    this.outer.push(this.pos);
    return this;
  }

  ldelim() {
    const start = this.outer.pop();
    const end = this.pos;
    // The length is written behind the message, and moved before it.
    const { buf, pos } = this.uint32(end - start);
    const length = buf.slice(end, pos);
    buf.copyWithin(start + length.length, start, end);
    buf.set(length, start);
    return this;
  }

  /** What was written, in a buffer that later messages share. */
  take() {
    const { buf, pos } = this;
    this.buf = buf.subarray(pos);
    this.pos = 0;
    return buf.subarray(0, pos);
  }

  finish() {
    return this.take().slice();
  }
}

for (const type of ['float', 'double', 'int32', 'int64', 'uint64']) {
  Writer.prototype[`${type}s`] = function (list) {
    this.fork();
    for (const value of list) this[type](value);
    return this.ldelim();
  };
}
