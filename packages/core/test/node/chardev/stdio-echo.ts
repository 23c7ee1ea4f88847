// Program under test: echoes stdin to stdout through a StdioBackend until SIGTERM. '!' floods stdout.
import { StdioBackend } from '@sterna/core/node';

const stdio = new StdioBackend('stdio', { signal: false });
const send = (text: string) => stdio.write(new TextEncoder().encode(text));
stdio.attach({
  canReceive: () => 16,
  receive: (bytes) => {
    if (bytes[0] === 0x21) setInterval(() => stdio.write(new Uint8Array(65_536)), 1);
    else stdio.write(bytes);
  },
  event: (event) => void (event === 'closed' && send('[closed]')),
});
send('ready\n');
const alive = setInterval(() => {}, 1000);
process.on('SIGTERM', async () => {
  clearInterval(alive);
  send('[bye]');
  await stdio.close();
  process.exit(0);
});
