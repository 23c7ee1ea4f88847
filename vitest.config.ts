import { defineConfig } from 'vitest/config';

/** `npm run test:long` runs the long suites and larger counts too. */
const long = process.env['STERNA_LONG'] === '1';
const exclude = [...(long ? [] : ['**/*.long.test.ts']), '**/node_modules/**'];
const conditions = ['@sterna/source'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'plugins/*/test/**/*.test.ts'],
          exclude,
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'machines',
          include: ['tests/**/*.test.ts'],
          exclude,
          fileParallelism: false,
          testTimeout: 300_000,
        },
      },
    ],
  },
});
