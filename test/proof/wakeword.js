// Does the wake word still fire, and only then? openWakeWord's classifiers behind an embedding model, on synthetic
// speech: what they should hear, and what they should not.

import { Tensor } from 'onnxruntime-node';
import { Random } from './random.js';
import { sentence } from './sentences.js';
import {
  embedder,
  FRAMES,
  HOP,
  MODELS,
  melFrames,
  RATE,
  record,
  session,
  speak,
  speechMissing,
  VARIANTS,
  windowsOf,
} from './sound.js';

/** `say`: spelled so that espeak-ng pronounces it; each with the output of the classifier that it should raise. */
const PHRASES = [
  { phrase: 'alexa', file: 'alexa_v0.1', say: [['alexa', 0]] },
  { phrase: 'hey jarvis', file: 'hey_jarvis_v0.1', say: [['hey jarvis', 0]] },
  { phrase: 'hey mycroft', file: 'hey_mycroft_v0.1', say: [['hey my croft', 0]] },
  { phrase: 'hey rhasspy', file: 'hey_rhasspy_v0.1', say: [['hey rhasspy', 0]] },
  {
    phrase: 'set a timer',
    file: 'timer_v0.1',
    say: [
      ['set a timer for one minute', 1],
      ['set a timer for five minutes', 2],
      ['set a timer for ten minutes', 3],
      ['set a timer for twenty minutes', 4],
      ['set a timer for thirty minutes', 5],
      ['set a timer for one hour', 6],
    ],
  },
  {
    phrase: 'what’s the weather',
    file: 'weather_v0.1',
    say: [
      ["what's the weather", 0],
      ["what's the weather today", 0],
      ['how is the weather', 0],
    ],
  },
];

/** What sounds a little like one of them. */
const NEAR_MISSES = [
  ...['election', 'a lecture', 'electric', 'relax', 'Alex said so', 'hey Janet', 'hey service', 'jar of jam'],
  ...[
    'hey my craft',
    'microphone',
    'hey Microsoft',
    'hey Aspen',
    'a raspberry',
    'set a table for ten people',
  ],
  ...[
    'a time for everything',
    "what's the matter",
    'whether or not',
    'the leather chair',
    'hello there',
    'hey you',
  ],
];

export const THRESHOLD = 0.5;

/** The classifiers, each with the number of embeddings that it looks at. The timer's first output is “none of them”. */
async function classifiers() {
  const open = async ({ file, ...rest }) => {
    const net = await session(`${MODELS}${file}.onnx`);
    const [input] = net.inputNames;
    const [output] = net.outputNames;
    const length = net.inputMetadata[0].shape[1];
    /** The highest score of each output as the recording goes by. */
    const hear = async (embeddings) => {
      let highest = [];
      for (let start = 0; start + length * 96 <= embeddings.length; start += 96) {
        const feed = new Tensor('float32', embeddings.slice(start, start + length * 96), [1, length, 96]);
        const scores = [...(await net.run({ [input]: feed }))[output].data];
        highest = scores.map((score, index) => Math.max(score, highest[index] ?? 0));
      }
      return highest;
    };
    return { ...rest, length, hear };
  };
  return Promise.all(PHRASES.map(open));
}

const voiceOf = (random) => ({
  voice: `${random.pick(['en', 'en-us'])}+${random.pick(VARIANTS)}`,
  speed: random.whole(120, 190),
  pitch: random.whole(25, 75),
});

/**
 * A text as frames. `lead` seconds of noise come before it, or more where `length` embeddings would not fit otherwise.
 */
function listen(text, how, random, mel, { length, lead }) {
  const speech = speak(text, how);
  const after = 0.6;
  const needed = (length * HOP + FRAMES) / 100 - after - speech.length / RATE;
  const room = {
    before: Math.max(lead, needed),
    after,
    level: random.between(3, 18),
    snr: random.between(15, 40),
    colour: random.between(0.3, 0.95),
  };
  return mel(record(speech, random, room));
}

const fires = (heard, output) => (heard[output] ?? 0) >= THRESHOLD;
const firesAny = (heard) => heard.slice(heard.length > 1 ? 1 : 0).some((score) => score >= THRESHOLD);

/**
 * The recordings, and what the original net does with them. Positives are made until the original has fired at
 * `positives` of them: a voice that it never knew says nothing about a repair. Those at which it stays silent are kept.
 */
async function prepare({ seed, positives, negatives }) {
  const random = new Random(`wake words ${seed}`);
  const [mel, heads, net] = await Promise.all([
    melFrames(),
    classifiers(),
    embedder(`${MODELS}embedding_model.onnx`),
  ]);
  const cases = [];
  for (const head of heads) {
    const said = [];
    for (let found = 0; found < positives && said.length < 5 * positives; ) {
      const [text, output] = head.say[said.length % head.say.length];
      const how = voiceOf(random);
      const frames = await listen(text, how, random, mel, { length: head.length, lead: head.length * 0.08 });
      const fired = fires(await head.hear(await net.run(windowsOf(frames))), output);
      if (fired) found++;
      said.push({ text, ...how, output, frames, fired });
    }
    cases.push({ head, said });
  }
  const longest = Math.max(...heads.map(({ length }) => length));
  const others = [];
  for (let index = 0; index < negatives; index++) {
    const text =
      index % 3 === 2 ? NEAR_MISSES[((index / 3) | 0) % NEAR_MISSES.length] : sentence(random, 'en');
    const how = voiceOf(random);
    others.push({
      text,
      ...how,
      frames: await listen(text, how, random, mel, { length: longest, lead: 0.5 }),
    });
  }
  await net.close();
  return { cases, others };
}

const prepared = new Map();

/**
 * What a user of the wake words would see with this embedding model.
 * @param {Uint8Array | string} embedding bytes or path
 * @param {{seed?: number, positives?: number, negatives?: number}} [options] so many recordings of each phrase at which
 *   the original fires; so many of other speech, to which the other phrases are added
 */
export async function wakeWords(embedding, { seed = 1, positives = 20, negatives = 60 } = {}) {
  if (speechMissing() !== undefined) return undefined;
  const key = `${seed} ${positives} ${negatives}`;
  if (!prepared.has(key)) prepared.set(key, prepare({ seed, positives, negatives }));
  const { cases, others } = await prepared.get(key);
  const net = await embedder(embedding);
  const counts = cases.map(({ head, said }) => ({
    phrase: head.phrase,
    tried: said.length,
    positives: said.filter(({ fired }) => fired).length,
    fired: 0,
    gained: 0,
    negatives: 0,
    falseAlarms: 0,
    alarms: [],
  }));
  const refuse = async (place, embeddings, text) => {
    const count = counts[place];
    const heard = await cases[place].head.hear(embeddings);
    if (heard.length === 0) return; // shorter than what this classifier looks at
    count.negatives++;
    if (!firesAny(heard)) return;
    count.falseAlarms++;
    count.alarms.push(text);
  };
  for (const [place, { head, said }] of cases.entries()) {
    for (const { frames, output, fired, text } of said) {
      const embeddings = await net.run(windowsOf(frames));
      if (fires(await head.hear(embeddings), output)) counts[place][fired ? 'fired' : 'gained']++;
      for (const other of cases.keys()) if (other !== place) await refuse(other, embeddings, text);
    }
  }
  for (const { frames, text } of others) {
    const embeddings = await net.run(windowsOf(frames));
    for (const place of cases.keys()) await refuse(place, embeddings, text);
  }
  await net.close();
  return counts;
}
