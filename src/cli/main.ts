#!/usr/bin/env node
import { run } from './run.js';

run(process.argv);

// A terminal that was closed takes no progress any more, which is no reason to leave things behind.
process.stderr.on('error', () => {});
