/** Bytes in an ArrayBuffer of their own, as platform functions take them. TypeScript before 5.7 has no name for this type. */
export type BufferBytes = ReturnType<Uint8ArrayConstructor['of']>;
