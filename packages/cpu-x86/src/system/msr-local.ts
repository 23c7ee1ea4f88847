import type { Val } from '@sterna/wasm';
import { MEMORY_LAYOUT } from '@sterna/core';
import { apicMsrRead, apicMsrWrite, deadlineArm, deadlinePending } from '../interp/host.ts';
import { readTsc } from '../interp/time.ts';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro, micro } from '../semantics/micro.ts';
import { Vec } from '../semantics/vectors.ts';
