/** Who may import whom: design section 1. `^packages/x/` keeps the trailing slash, or a rule silently matches nothing. */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: `^packages/${from}/src/` },
  to: { path: '^packages/', pathNot: `^packages/(${[from, ...allowed].join('|')})/` },
});

export default {
  forbidden: [
    only('core-imports-nothing', 'core', [], 'core is the ground: it imports no other package'),
    only('wasm-imports-nothing', 'wasm', [], 'the module builder knows no x86 and no machine'),
    only('guests-imports-nothing', 'guests', ['core'], 'guest material needs no emulator'),
    only('cpu-below-devices', 'cpu-x86', ['core', 'wasm'], 'a CPU knows no device'),
    only('migration-below-control', 'migration', ['core', 'wasm'], 'migration knows no device and no machine type'),
    only('block-below-devices', 'block', ['core'], 'disks know no device and no machine'),
    only('virtio-below-devices', 'virtio', ['core'], 'building block'),
    only(
      'devices-below-machines',
      'platform-x86',
      ['core', 'virtio'],
      'a device never imports migration, a machine or a CPU',
    ),
    only('devices-below-machines-too', 'device-vfio-stub', ['core'], 'written like a third party would'),
    only(
      'machines-compose',
      'machine-microvm',
      ['core', 'cpu-x86', 'platform-x86', 'virtio'],
      'a machine composes; control and hosts are above it',
    ),
    only('control', 'qmp', ['core', 'block', 'migration'], 'control drives any machine'),
    only('kit', 'testkit', ['core', 'migration', 'qmp'], 'a kit for devices knows no machine type and no processor'),
    only('debuggers', 'gdbstub', ['core'], 'a debugger knows no processor and no machine type'),
    {
      name: 'plugins-use-entry-points',
      severity: 'error',
      from: { path: '^plugins/' },
      to: { path: '^packages/', pathNot: '^packages/[^/]+/src/(index|node/index|node/early)\\.ts$' },
    },
    {
      name: 'packages-use-entry-points',
      comment: 'exports is the contract; src/... paths of another package are not',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/' },
      to: {
        path: '^packages/([^/]+)/src/',
        pathNot: ['^packages/$1/', '^packages/[^/]+/src/(index|node/index|node/early)\\.ts$'],
      },
    },
    {
      name: 'inversify-in-one-place',
      severity: 'error',
      from: { path: '^(packages|plugins)/', pathNot: '^packages/core/src/(container/|plugin/define-plugin)' },
      to: { path: 'node_modules/inversify' },
    },
    {
      name: 'tapable-in-one-place',
      severity: 'error',
      from: { path: '^(packages|plugins)/', pathNot: '^packages/core/src/hooks/' },
      to: { path: 'node_modules/tapable' },
    },
    {
      name: 'node-only-under-src-node',
      comment: 'the rest runs in a browser or a worker',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: ['^packages/[^/]+/src/node/', '^packages/cli/'] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-node-entry-from-pure-code',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: ['^packages/[^/]+/src/node/', '^packages/cli/'] },
      to: { path: '^packages/[^/]+/src/node/' },
    },
    {
      name: 'no-cycles',
      comment: 'vmstate tables and fields are one recursive type in three files',
      severity: 'error',
      from: { pathNot: '^packages/core/src/vmstate/' },
      to: { circular: true },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(/dist/|/node_modules/.*/node_modules/)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@sterna/source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
