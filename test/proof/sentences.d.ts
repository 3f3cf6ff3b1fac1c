import type { Random } from './random.js';

export declare function sentence(random: Random, language: 'en' | 'de' | 'fr' | 'es'): string;
