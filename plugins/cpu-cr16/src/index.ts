import { definePlugin, type Plugin } from '@sterna/core';
import { cr16Board } from './board/board.ts';
import { cr16Icu } from './board/interrupt-controller.ts';
import { cr16Power } from './board/power.ts';
import { cr16Timer } from './board/timer.ts';
import { cr16Uart } from './board/uart.ts';
import { Cr16Cpu, cr16c } from './cpu.ts';
import { decode } from './decode/decode.ts';
import { disassemble } from './disassemble.ts';

export { Cr16Cpu, cr16Board, cr16c, cr16Icu, cr16Power, cr16Timer, cr16Uart, decode, disassemble };

const plugin: Plugin = definePlugin({
  name: 'cpu-cr16',
  cpus: [cr16c],
  machines: [cr16Board.type],
  devices: [cr16Uart, cr16Timer, cr16Icu, cr16Power],
});
export default plugin;
