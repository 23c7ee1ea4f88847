#!/usr/bin/env node
// Plain JavaScript, so that an old Node says what is wrong instead of a syntax error.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  console.error(`create-sterna-plugin: Node 24 or newer is needed (this is ${process.versions.node})`);
  process.exit(2);
}
const { createMain } = await import('create-sterna-plugin/node');
process.exitCode = await createMain(process.argv.slice(2));
