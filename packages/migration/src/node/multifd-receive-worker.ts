/** The entry of the thread behind `ThreadInputChannel`: what Node compiles for it is kept for the next start. */
import { enableCompileCache, flushCompileCache } from 'node:module';

enableCompileCache();
await import('./multifd-receive-thread.ts');
flushCompileCache();
