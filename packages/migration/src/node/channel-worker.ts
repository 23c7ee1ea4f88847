/** The entry of the thread behind `ThreadChannel`: what Node compiles for it is kept for the next start, as the process's own. */
import { enableCompileCache, flushCompileCache } from 'node:module';

enableCompileCache();
await import('./channel-thread.ts');
flushCompileCache();
