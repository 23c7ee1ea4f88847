// Instruction files of the system architecture; imported for their definitions.
export {};
