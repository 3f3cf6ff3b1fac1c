export declare class Writer {
  constructor(block?: number);
  static create(): Writer;
  uint32(value: number): this;
  uint64(value: number): this;
  bytes(value: Uint8Array): this;
  fork(): this;
  ldelim(): this;
  take(): Uint8Array;
  finish(): Uint8Array;
}

export declare class Reader {
  static create(bytes: Uint8Array): Reader;
  readonly pos: number;
  left: number;
}
