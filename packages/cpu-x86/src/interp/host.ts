import { type HostFunction, hostFunction } from '../semantics/micro.ts';

/** Reads 1, 2 or 4 bytes of device memory at a physical address (low, high half, size). */
export const mmioRead: HostFunction = hostFunction('mmioRead', 3, 1);
/** Writes device memory: low, high half, size, value. */
export const mmioWrite: HostFunction = hostFunction('mmioWrite', 4);
/** Reads a port: port, size. */
export const pioRead: HostFunction = hostFunction('pioRead', 2, 1);
/** Writes a port: port, size, value. */
export const pioWrite: HostFunction = hostFunction('pioWrite', 3);
/** Acknowledges the interrupt line and returns the vector, or -1 when it was withdrawn. */
export const irqAck: HostFunction = hostFunction('irqAck', 0, 1);
/** CR8: reads the task priority. */
export const cr8Read: HostFunction = hostFunction('cr8Read', 0, 1);
/** CR8: sets the task priority. */
export const cr8Write: HostFunction = hostFunction('cr8Write', 1);
/** Low half of the APIC base register. */
export const apicBaseRead: HostFunction = hostFunction('apicBaseRead', 0, 1);
/** Writes the APIC base register: low, high half; 1 asks for #GP. */
export const apicBaseWrite: HostFunction = hostFunction('apicBaseWrite', 2, 1);
/** Reads an x2APIC register (its MSR less 0x800) into temp[0]; 1 asks for #GP. */
export const apicMsrRead: HostFunction = hostFunction('apicMsrRead', 1, 1);
/** Writes an x2APIC register: its MSR less 0x800, low, high half; 1 asks for #GP. */
export const apicMsrWrite: HostFunction = hostFunction('apicMsrWrite', 3, 1);
/** Arms the local APIC's TSC deadline: ns from now, low and high half; negative disarms. */
export const deadlineWrite: HostFunction = hostFunction('deadlineWrite', 2);
/** Whether the TSC deadline is still to come. */
export const deadlinePending: HostFunction = hostFunction('deadlinePending', 0, 1);
/** Decodes at a host address under the current mode key; returns the record. */
export const decode: HostFunction = hostFunction('decode', 1, 1);
/** Decodes an instruction that crosses a page: record of the crossing, host address of its start, host page of its rest. */
export const decodeCross: HostFunction = hostFunction('decodeCross', 3, 1);
/** RAM that holds decoded code was written: host address, bytes. */
export const codeWritten: HostFunction = hostFunction('codeWritten', 2);
/** The buffer of traced events is full. */
export const traceFull: HostFunction = hostFunction('traceFull', 0);
/** The counter of a record has reached hotCount. */
export const hot: HostFunction = hostFunction('hot', 1);
