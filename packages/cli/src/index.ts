export * from './system/device-spec.ts';
export * from './system/options.ts';
export { parseSystemArgs, systemHelp } from './system/parse-args.ts';
export { VERSION } from './version.ts';
