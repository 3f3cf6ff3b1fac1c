import { onnx } from '../../proto/onnx.js';
import { decode, nodesOf } from './graph.js';
import { node, value } from './model.js';

/** Gives each tensor between layers a second pair of QuantizeLinear and DequantizeLinear, whose result becomes an output. */
export function withSecondReaders(bytes: Uint8Array): Uint8Array {
  const message = decode(bytes);
  const { graph } = message;
  const nodes = graph?.node ?? [];
  const made = nodes.filter(({ opType, input }) => opType === 'QuantizeLinear' && input?.[0] !== 'images');
  for (const [at, one] of made.entries()) {
    const [x = '', ...parameters] = one.input ?? [];
    nodes.push(node('QuantizeLinear', [x, ...parameters], [`second_q${at}`]));
    nodes.push(node('DequantizeLinear', [`second_q${at}`, ...parameters], [`second_${at}`]));
    graph?.output?.push(value(`second_${at}`, 1, undefined));
  }
  return onnx.ModelProto.encode(message).finish();
}

/** Puts an Identity node between each stored tensor and each of its readers, as PyTorch does with equal tensors. */
export function behindIdentities(bytes: Uint8Array): Uint8Array {
  const message = decode(bytes);
  const { graph } = message;
  const stored = new Set((graph?.initializer ?? []).map(({ name }) => name));
  const copies: onnx.INodeProto[] = [];
  for (const one of nodesOf(graph))
    one.input = (one.input ?? []).map((name, slot) => {
      if (!stored.has(name) || !/^(Quantize|Dequantize)Linear$/.test(one.opType ?? '')) return name;
      const copy = `${one.name}/copy_${slot}`;
      copies.push(node('Identity', [name], [copy]));
      return copy;
    });
  graph?.node?.unshift(...copies);
  return onnx.ModelProto.encode(message).finish();
}

/** Moves QuantizeLinear and DequantizeLinear to ONNX Runtime's domain, as its quantiser does on request. */
export function inRuntimeDomain(bytes: Uint8Array): Uint8Array {
  const message = decode(bytes);
  for (const one of nodesOf(message.graph))
    if (/^(Quantize|Dequantize)Linear$/.test(one.opType ?? '')) one.domain = 'com.microsoft';
  if (!message.opsetImport.some(({ domain }) => domain === 'com.microsoft'))
    message.opsetImport.push({ domain: 'com.microsoft', version: 1 } as onnx.OperatorSetIdProto);
  return onnx.ModelProto.encode(message).finish();
}

/** A model whose stored tensors with dimensions are in a data file, and the content of the file. */
export function withDataOutside(bytes: Uint8Array, location: string) {
  const message = decode(bytes);
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of message.graph?.initializer ?? []) {
    const raw = tensor.rawData ?? new Uint8Array(0);
    if (!tensor.dims?.length || raw.length === 0) continue;
    const entries = { location, offset: String(offset), length: String(raw.length) };
    tensor.externalData = Object.entries(entries).map(([key, entry]) => ({ key, value: entry }));
    Object.assign(tensor, { rawData: new Uint8Array(0), dataLocation: 1 });
    parts.push(raw);
    offset += raw.length;
  }
  return { model: onnx.ModelProto.encode(message).finish(), data: new Uint8Array(Buffer.concat(parts)) };
}
