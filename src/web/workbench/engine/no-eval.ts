import { config } from 'zod';

config({ jitless: true }); // by default zod compiles its checks, which the page's policy forbids
