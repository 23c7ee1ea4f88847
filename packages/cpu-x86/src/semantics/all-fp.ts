// Instruction files of x87, MMX and SSE; imported for their definitions.
import './x87.ts';
import './x87-control.ts';
import './fxsave.ts';
import './xsave.ts';
import './simd-integer.ts';
import './simd-shuffle.ts';
import './simd-move.ts';
import './sse-arith.ts';
import './sse-compare.ts';
import './sse-convert.ts';
import './sse-system.ts';
import './ssse3.ts';
import './sse41.ts';
import './sse41-float.ts';
import './string-compare.ts';
import './bit-extensions.ts';
