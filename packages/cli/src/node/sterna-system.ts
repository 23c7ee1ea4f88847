// Entry of the command sterna-system-x86_64.
import { enterProgram } from './entry.ts';

await enterProgram(async () => (await import('./system-main.ts')).systemMain);
