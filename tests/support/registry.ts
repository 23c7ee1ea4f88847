import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ROOT } from './peers.ts';

/** Where everything that is not ours comes from. */
const UPSTREAM = 'https://registry.npmjs.org';

interface Manifest {
  readonly name: string;
  readonly version: string;
}

interface Published {
  readonly manifest: Manifest;
  readonly file: string;
  readonly bytes: Buffer;
}

/** Packages of the workspace that are published. */
export function publishedFolders(): readonly string[] {
  return readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}`);
}

/**
 * Packs packages as publishing would.
 *
 * @returns the tarballs' paths
 */
export function pack(folders: readonly string[], into: string): string[] {
  mkdirSync(into, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--pack-destination', into, ...folders.flatMap((path) => ['-w', path])], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return readdirSync(into)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => join(into, name));
}

/** What a command said. */
export interface Ran {
  readonly status: number | null;
  /** Standard output and error. */
  readonly output: string;
}

/**
 * An npm registry on this machine with our packages as they would be published, and a folder of somebody who knows nothing of
 * this repository: the commands of the documentation work there as they will for everybody.
 */
export class PackedRegistry implements AsyncDisposable {
  /** An empty folder. */
  readonly folder: string;
  readonly #packages: ReadonlyMap<string, Published>;
  readonly #server: Server;

  private constructor(folder: string, packages: ReadonlyMap<string, Published>, server: Server) {
    this.folder = folder;
    this.#packages = packages;
    this.#server = server;
  }

  /** Packs and serves. */
  static async start(): Promise<PackedRegistry> {
    const base = mkdtempSync(join(tmpdir(), 'sterna-registry-'));
    const folder = join(base, 'work');
    mkdirSync(folder);
    mkdirSync(join(base, 'bin'));
    symlinkSync(process.execPath, join(base, 'bin/node'));
    const packages = new Map<string, Published>();
    for (const file of pack(publishedFolders(), join(base, 'packed'))) {
      const manifest = JSON.parse(execFileSync('tar', ['-xzOf', file, 'package/package.json'], { encoding: 'utf8' }));
      packages.set(manifest.name, { manifest, file: file.split('/').at(-1)!, bytes: readFileSync(file) });
    }
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const registry = new PackedRegistry(folder, packages, server);
    server.on('request', ({ url = '/' }, response) => {
      const answer = registry.#answer(decodeURIComponent(url));
      if (answer === undefined) response.writeHead(302, { location: UPSTREAM + url }).end();
      else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(answer);
    });
    return registry;
  }

  get #url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer(path: string): Buffer | string | undefined {
    const tarball = [...this.#packages.values()].find(({ file }) => path === `/-/${file}`);
    if (tarball !== undefined) return tarball.bytes;
    const found = this.#packages.get(path.slice(1));
    if (found === undefined) return undefined;
    const { manifest, file, bytes } = found;
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    const version = { ...manifest, dist: { tarball: `${this.#url}/-/${file}`, integrity } };
    return JSON.stringify({
      name: manifest.name,
      'dist-tags': { latest: manifest.version },
      versions: { [manifest.version]: version },
    });
  }

  /** Environment in which `npm` uses this registry and `node` is the one that runs the tests. */
  get env(): NodeJS.ProcessEnv {
    // What npm told the tests of this repository is not for the commands in that folder.
    const clean = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|VITEST|INIT_CWD)/i.test(name));
    return {
      ...Object.fromEntries(clean),
      PATH: `${join(this.folder, '../bin')}${delimiter}${process.env['PATH'] ?? ''}`,
      npm_config_registry: this.#url,
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
      npm_config_yes: 'true',
    };
  }

  /** Runs a line of shell there. Never throws. */
  run(command: string, cwd: string = this.folder, timeoutMs = 240_000): Promise<Ran> {
    return new Promise((resolve) => {
      execFile(
        'sh',
        ['-c', command],
        { cwd, env: this.env, timeout: timeoutMs, maxBuffer: 64 << 20 },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
          resolve({ status: code, output: stdout + stderr });
        },
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    // A guide's commands may have left programs behind that run from here, in sessions of their own.
    spawnSync('pkill', ['-KILL', '-f', join(this.folder, '..')]);
    rmSync(join(this.folder, '..'), { recursive: true, force: true });
  }
}
