// Instruction files of x87, MMX and SSE; imported for their definitions.
export {};
