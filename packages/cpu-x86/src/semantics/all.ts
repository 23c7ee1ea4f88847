// Every instruction file; imported for its definitions and encodings.
import './data.ts';
import './arith.ts';
import './shift.ts';
import './bit.ts';
import './control.ts';
import './stack.ts';
import './string.ts';
import './bcd.ts';
import './atomic.ts';
import './port.ts';
import './all-system.ts';
import './all-fp.ts';
