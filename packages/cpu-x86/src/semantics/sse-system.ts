import { enc } from '../decode/enc.ts';
import { def } from './def.ts';

// Hints and fences: every access is in program order here, so there is nothing to wait for. They touch no memory.

def('fence', () => {});
for (const group of [5, 6, 7]) enc(`np 0f ae /${group} reg`, 'fence');
def('prefetch', () => {});
enc('0f 18 /r', 'prefetch');
for (const group of [0, 1, 2, 3, 4, 5, 6, 7]) enc(`0f 0d /${group} mem`, 'prefetch');
def('clflush', (m, src) => {
  // the line must be readable, nothing else happens
  m.loadLinear(m.linear(src!, 1), 8);
});
enc('np 0f ae /7 mem', 'clflush', 'Mx', { feature: 'clflush' });
enc('66 0f ae /7 mem', 'clflush', 'Mx', { feature: 'clflushopt' });
enc('66 0f ae /6 mem', 'clflush', 'Mx', { feature: 'clwb' });
