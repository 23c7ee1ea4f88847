// Instruction files of the system architecture; imported for their definitions.
import './system/segment.ts';
import './system/transfer.ts';
import './system/flags.ts';
import './system/control.ts';
import './system/extensions.ts';
import './system/timestamp.ts';
