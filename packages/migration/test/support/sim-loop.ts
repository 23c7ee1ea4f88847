export { SimLoop } from '../sim/loop.ts';
