// Entry of the command sterna-system-x86_64.
import { enterProgram } from './entry.ts';

const asks = process.argv.some((argument) => /(^|[-=,])(h|\?|help|version)$/.test(argument));
await enterProgram(async () => (await import('./system-main.ts')).systemMain, !asks);
