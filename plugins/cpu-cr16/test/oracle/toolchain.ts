/**
 * GNU as, ld and GDB's simulator for CR16, built from Debian's source packages into the workspace's cache. Nothing of them is
 * part of this project. It takes some minutes once, needs root and apt, and then bison, flex, gcc and make.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CACHE = join(
  process.env['STERNA_CACHE'] ?? join(import.meta.dirname, '../../../../node_modules/.cache/sterna'),
  'cr16-elf',
);
const QUIET =
  '--target=cr16-elf --disable-nls --disable-werror --disable-gdb --disable-gdbserver --disable-gprof --disable-gprofng';

/** Programs for CR16. */
export interface Toolchain {
  readonly as: string;
  readonly ld: string;
  readonly objcopy: string;
  /** The simulator: runs an ELF file. */
  readonly run: string;
}

/** The toolchain, built when it is not there. @throws Error with what is missing */
export function toolchain(): Toolchain {
  const bin = (name: string): string => join(CACHE, 'bin', name);
  const tools = { as: bin('as'), ld: bin('ld'), objcopy: bin('objcopy'), run: bin('run') };
  if (Object.values(tools).every((file) => existsSync(file))) return tools;
  const folder = mkdtempSync(join(tmpdir(), 'cr16-elf-'));
  try {
    build(folder);
    mkdirSync(join(CACHE, '..'), { recursive: true });
    rmSync(CACHE, { recursive: true, force: true });
    execFileSync('cp', ['-r', join(folder, 'out'), `${CACHE}.new`]);
    renameSync(`${CACHE}.new`, CACHE);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return tools;
}

function build(cwd: string): void {
  const sh = (script: string): void => {
    execFileSync('sh', ['-euc', script], { cwd, stdio: ['ignore', 'ignore', 'pipe'], maxBuffer: 2 ** 28 });
  };
  sh(`DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends \
      bison flex gcc make libc6-dev xz-utils
    apt-get -q download binutils-source gdb-source
    for package in *.deb; do dpkg-deb -x "$package" sources; done
    tar xf sources/usr/src/binutils/binutils-*.tar.xz
    tar xf sources/usr/src/gdb.tar.xz
    mkdir -p out/bin binutils sim`);
  sh(`cd binutils && ../binutils-*/configure ${QUIET} MAKEINFO=true
    make -j2 all-gas all-binutils all-ld MAKEINFO=true
    cp gas/as-new ../out/bin/as && cp ld/ld-new ../out/bin/ld && cp binutils/objcopy ../out/bin/objcopy`);
  sh(`cd sim && ../gdb/configure ${QUIET} --enable-sim --disable-binutils --disable-gas --disable-ld MAKEINFO=true
    make -j2 all-sim MAKEINFO=true
    cp sim/cr16/run ../out/bin/run`);
}
