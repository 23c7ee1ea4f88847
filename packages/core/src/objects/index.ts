export * from './authorization.ts';
export * from './define-object.ts';
export * from './parse-object.ts';
export * from './secret.ts';
export * from './tls-credentials.ts';
export * from './tls-priority.ts';
export * from './user-objects.ts';
