/** Whether everything runs at its whole size: `npm run test:heavy`, and `npm run bombs`. */
export const isHeavy = process.env.MODE === 'heavy';
