/** Frees the memory of bytes at once, not at the next garbage collection. Every array on the same buffer is empty afterwards. */
export function freeBytes({ buffer }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer)) return;
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.postMessage(undefined, [buffer]); // a transfer to nobody
  port1.close();
}
