export type { SectionFacts, SectionKind, SectionProbe } from '../stream/section-probe.ts';
export * from './align.ts';
export * from './metrics.ts';
export * from './otlp.ts';
export * from './probe.ts';
export * from './read.ts';
export * from './recorder.ts';
export * from './schema.ts';
export * from './summary.ts';
