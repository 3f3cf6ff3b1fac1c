/** Returns an .npy file: `descr` names the type of the elements, as NumPy does. */
export function npy(descr, dims, data) {
  const shape = `(${dims.join(', ')}${dims.length === 1 ? ',' : ''})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const length = Math.ceil((text.length + 11) / 64) * 64 - 10;
  const head = Buffer.alloc(10, '\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(length, 8);
  const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([head, Buffer.from(`${text.padEnd(length - 1)}\n`, 'latin1'), body]);
}
