export { microvm } from './microvm.ts';
