import type { RunState } from '@sterna/core';
import type { MachineActions, MonitorEvent, MonitorMigration, MonitorTarget } from '@sterna/qmp';

/** A machine without a machine: remembers what it was told. */
export class FakeTarget implements MonitorTarget {
  readonly name = 'box';
  readonly uuid = '12345678-1234-1234-1234-123456789abc';
  readonly version = '0.1.0';
  readonly pid = 4711;
  runState: RunState = 'prelaunch';
  readonly calls: string[] = [];
  readonly cpus = [
    {
      index: 0,
      target: 'x86_64' as const,
      type: 'qemu64-x86_64-cpu',
      path: '/machine/unattached/device[0]',
      place: { socket: 0, core: 0, thread: 0 },
      describe: () => 'EAX=00000000\n',
    },
  ];
  readonly chardevs: MonitorTarget['chardevs'] = [
    { label: 'serial0', filename: 'stdio', frontendOpen: true },
    {
      label: 'ring',
      filename: 'ringbuf',
      frontendOpen: false,
      ring: {
        read: (size) => new TextEncoder().encode('hello').slice(0, size),
        write: (bytes) => void this.calls.push(`ring ${bytes.length}`),
      },
    },
  ];
  readonly yanked: string[] = [];
  readonly #listeners = new Set<(event: MonitorEvent) => void>();
  status = 'none';
  readonly migration: MonitorMigration = {
    migrate: ({ uri }) => {
      this.calls.push(`migrate ${uri}`);
      if (uri?.startsWith('bad:')) throw new RangeError('unknown scheme');
    },
    incoming: ({ uri }, exitOnError) => void this.calls.push(`incoming ${uri} ${exitOnError}`),
    cancel: () => void this.calls.push('cancel'),
    resumeSwitchover: (state) => void this.calls.push(`continue ${state}`),
    setCapabilities: (changes) =>
      void this.calls.push(`caps ${changes.map((c) => `${c.capability}=${c.state}`).join()}`),
    capabilities: () => [{ capability: 'events', state: true }],
    setParameters: (changes) => void this.calls.push(`params ${JSON.stringify(changes)}`),
    parameters: () => ({ 'downtime-limit': 300, 'tls-creds': '', 'direct-io': false }) as never,
    info: () => (this.status === 'none' ? {} : ({ status: this.status, 'total-time': 5 } as never)),
  };

  readonly kept: string[] = [];
  readonly descriptors: NonNullable<MonitorTarget['descriptors']> = {
    add: (name, fd) => void this.kept.push(`${name}=${fd}`),
    close: (name) => void this.kept.push(`close ${name}`),
    has: (name) => name === 'known',
    addToSet: (fd, id = 0, opaque = '') => {
      this.kept.push(`set ${id}: ${fd} ${opaque}`);
      return id;
    },
    removeFromSet: (id, fd) => void this.kept.push(`remove ${id} ${fd}`),
    sets: [{ id: 7, fds: [{ fd: 13, opaque: 'x' }, { fd: 14 }] }],
    discard: (fd) => void this.kept.push(`discard ${fd}`),
  };

  readonly ramSize = 128 * 2 ** 20;
  injectNmi(): void {
    this.calls.push('nmi');
  }
  setActions(actions: MachineActions): void {
    this.calls.push(`actions ${JSON.stringify(actions)}`);
  }
  saveMemory(address: number, size: number, path: string, cpu?: number): void {
    this.calls.push(`save ${address} ${size} ${path}${cpu === undefined ? '' : ` cpu ${cpu}`}`);
  }
  yankable(): ReturnType<MonitorTarget['yankable']> {
    const one = (type: 'chardev' | 'migration', id?: string) => ({
      instance: { type, ...(id === undefined ? {} : { id }) },
      yank: () => void this.yanked.push(id ?? type),
    });
    return [one('migration'), one('chardev', 'serial0')];
  }

  describeTranslation(): string {
    return 'Regions 3\n';
  }

  async stop(): Promise<void> {
    this.calls.push('stop');
    await Promise.resolve();
    this.runState = 'paused';
    this.emit({ event: 'STOP' });
  }

  cont(): void {
    this.calls.push('cont');
    this.runState = 'running';
    this.emit({ event: 'RESUME' });
  }

  quit(): void {
    this.calls.push('quit');
  }

  readonly canWakeUp = true;
  wakeUp(): void {
    this.calls.push('wakeup');
  }

  reset(): void {
    this.calls.push('reset');
  }

  powerDown(): void {
    this.calls.push('powerDown');
  }

  describeDevices(): string {
    return 'bus: main-system-bus\n';
  }

  wallNs(): bigint {
    return 1_795_199_250_498_311_999n;
  }

  onEvent(listener: (event: MonitorEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  emit(event: MonitorEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}
