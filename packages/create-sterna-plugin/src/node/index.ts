export * from './main.ts';
export * from './templates.ts';
