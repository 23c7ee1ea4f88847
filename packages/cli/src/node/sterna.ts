// Entry of the command sterna.
import { enterProgram } from './entry.ts';

await enterProgram(async () => (await import('./sterna-main.ts')).sternaMain, process.argv[2] === 'run');
