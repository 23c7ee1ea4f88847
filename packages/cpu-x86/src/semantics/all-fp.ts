// Instruction files of x87, MMX and SSE; imported for their definitions.
import './x87.ts';
import './x87-control.ts';
import './fxsave.ts';
