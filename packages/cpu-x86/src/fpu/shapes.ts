/** Two-operand SSE arithmetic. */
export type Arith = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max';
/** The two packed shapes. */
export type Shape = 'f32x4' | 'f64x2';
