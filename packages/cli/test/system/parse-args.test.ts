import { parseSystemArgs, systemHelp } from '@sterna/cli';
import { describe, expect, it } from 'vitest';

const parse = (text: string) => parseSystemArgs(text.split(' '));

describe('command line', () => {
  it('merges repeated -machine options', () => {
    expect(parse('-M microvm,acpi=off -machine rtc=on,accel=tcg -machine acpi=on,pic=off').machine).toEqual({
      type: 'microvm',
      acpi: 'on',
      rtc: 'on',
      pic: 'off',
    });
  });

  it('takes one dash or two', () => {
    expect(parse('--plugin ./a.ts -plugin b --nographic')).toMatchObject({ plugins: ['./a.ts', 'b'], nographic: true });
  });

  it('reads what a migration test starts', () => {
    const options = parse(
      '-M microvm,acpi=off -nodefaults -display none -cpu qemu64 -m 16 -smp 1 -kernel tiny.elf -append r ' +
        '-serial unix:a.ser,server=on,wait=off -qmp unix:a.qmp,server=on,wait=off -incoming defer -S',
    );
    expect(options).toMatchObject({
      machine: { type: 'microvm', acpi: 'off' },
      nodefaults: true,
      cpu: 'qemu64',
      ramSize: 16 * 2 ** 20,
      cpuCount: 1,
      kernel: 'tiny.elf',
      append: 'r',
      serials: ['unix:a.ser,server=on,wait=off'],
      monitors: [{ mode: 'control', chardev: 'unix:a.qmp,server=on,wait=off', pretty: false }],
      incoming: 'defer',
      autostart: false,
    });
  });

  it.each([
    ['-m 256', { ramSize: 256 * 2 ** 20 }],
    ['-m 1G', { ramSize: 2 ** 30 }],
    ['-m size=512M', { ramSize: 2 ** 29 }],
    ['-smp cpus=1', { cpuCount: 1, topology: { sockets: 1, cores: 1, threads: 1 } }],
    ['-smp 4', { cpuCount: 4, topology: { sockets: 1, cores: 4, threads: 1 } }],
    ['-smp 4,sockets=2', { cpuCount: 4, topology: { sockets: 2, cores: 2, threads: 1 } }],
    ['-smp 4,cores=1', { cpuCount: 4, topology: { sockets: 4, cores: 1, threads: 1 } }],
    ['-smp 8,threads=2', { cpuCount: 8, topology: { sockets: 1, cores: 4, threads: 2 } }],
    ['-smp 8,sockets=2,cores=2', { cpuCount: 8, topology: { sockets: 2, cores: 2, threads: 2 } }],
    ['-smp sockets=2,cores=3', { cpuCount: 6, topology: { sockets: 2, cores: 3, threads: 1 } }],
    ['-smp maxcpus=2', { cpuCount: 2, topology: { sockets: 1, cores: 2, threads: 1 } }],
    ['-smp sockets=1,cores=1,threads=1', { cpuCount: 1 }],
    ['-name box', { name: 'box' }],
    ['-name guest=box,process=p,debug-threads=on', { name: 'box', processName: 'p' }],
    ['-uuid 12345678-1234-1234-1234-123456789ABC', { uuid: '12345678-1234-1234-1234-123456789abc' }],
    ['-no-reboot -no-shutdown', { reboot: 'shutdown', shutdown: 'pause' }],
    ['-action reboot=shutdown,shutdown=pause', { reboot: 'shutdown', shutdown: 'pause' }],
    ['-global migration.send-configuration=off', { globals: { 'migration.send-configuration': 'off' } }],
    ['-global driver=a.b,property=c,value=d', { globals: { 'a.b.c': 'd' } }],
    ['-icount 3', { icountShift: 3 }],
    ['-gdb unix:x,server=on', { gdb: 'unix:x,server=on' }],
    ['-s -S', { gdb: 'tcp::1234', autostart: false }],
    ['-only-migratable', { onlyMigratable: true }],
    ['-icount shift=0', { icountShift: 0 }],
    ['-rtc base=2026-11-20T18:00:00,clock=vm', { rtc: { source: 'vm', baseNs: 1_795_197_600_000_000_000n } }],
    ['-rtc clock=host', { rtc: { source: 'host' } }],
    ['-monitor none', { monitors: [], defaultMonitor: false }],
    ['-mon chardev=c,mode=control', { monitors: [{ mode: 'control', chardev: 'chardev:c', pretty: false }] }],
    ['-mon c', { monitors: [{ mode: 'readline', chardev: 'chardev:c', pretty: false }] }],
    ['-chardev null,id=c', { chardevs: [{ id: 'c', mux: false, spec: { kind: 'null' } }] }],
    ['-device x,id=d,a=1', { devices: [{ driver: 'x', id: 'd', properties: [['a', '1']] }] }],
    [
      '-device {"driver":"x","id":"d","a":1,"b":true}',
      {
        devices: [
          {
            driver: 'x',
            properties: [
              ['a', '1'],
              ['b', 'on'],
            ],
          },
        ],
      },
    ],
    ['-device help', { info: 'devices' }],
    ['-device x,help', { info: { device: 'x' } }],
    ['-M help', { info: 'machines' }],
    ['-cpu help', { info: 'cpus' }],
    ['-h', { info: 'help' }],
    ['-no-user-config -vga none -net none -accel tcg,thread=single', { machine: {} }],
  ])('%s', (text, expected) => {
    expect(parse(text)).toMatchObject(expected);
  });

  it.each([
    ['-kernl x', 'STERNA_ERR_OPTION_UNKNOWN', /unknown option -kernl; did you mean '-kernel'/],
    ['-drive file=x,format=raw', 'STERNA_ERR_UNSUPPORTED', /-drive: 'if=virtio' needs a device/],
    ['-drive if=none,file=x', 'STERNA_ERR_UNSUPPORTED', /say format=raw/],
    ['-blockdev {"driver":', 'STERNA_ERR_OPTION_VALUE', /-blockdev: this is no JSON/],
    ['-netdev user', 'STERNA_ERR_UNSUPPORTED', /-netdev exists in QEMU/],
    ['disk.img', 'STERNA_ERR_UNSUPPORTED', /an IDE disk.*use -drive if=none/],
    ['-m', 'STERNA_ERR_OPTION_VALUE', /-m needs an argument/],
    ['-m 1X', 'STERNA_ERR_OPTION_VALUE', /not a size/],
    ['-m 1G,maxmem=2G', 'STERNA_ERR_UNSUPPORTED', /hotplug/],
    ['-smp 2,maxcpus=4', 'STERNA_ERR_UNSUPPORTED', /hotplug/],
    ['-smp 4,maxcpus=2', 'STERNA_ERR_OPTION_VALUE', /maxcpus 2 is below cpus 4/],
    ['-smp 4,sockets=3', 'STERNA_ERR_OPTION_VALUE', /is 3, not 4/],
    ['-smp 4,dies=2', 'STERNA_ERR_UNSUPPORTED', /dies/],
    ['-smp 0', 'STERNA_ERR_OPTION_VALUE', /cpus/],
    ['-accel kvm', 'STERNA_ERR_UNSUPPORTED', /'kvm' is not supported/],
    ['-machine microvm,accel=kvm', 'STERNA_ERR_UNSUPPORTED', /'kvm'/],
    ['-display gtk', 'STERNA_ERR_UNSUPPORTED', /'gtk'/],
    ['-serial stdoi', 'STERNA_ERR_CHARDEV', /did you mean 'stdio'/],
    ['-qmp unix:/x,sever=on', 'STERNA_ERR_OPTION_VALUE', /no option 'sever'/],
    ['-uuid 1', 'STERNA_ERR_OPTION_VALUE', /not a UUID/],
    ['-icount auto', 'STERNA_ERR_UNSUPPORTED', /auto/],
    ['-icount 11', 'STERNA_ERR_OPTION_VALUE', /0 to 10/],
    ['-rtc base=tomorrow', 'STERNA_ERR_OPTION_VALUE', /none of utc/],
    ['-rtc clock=moon', 'STERNA_ERR_OPTION_VALUE', /none of host/],
    ['-mon c,mode=chat', 'STERNA_ERR_OPTION_VALUE', /neither control nor readline/],
    ['-chardev null,id=c -chardev null,id=c', 'STERNA_ERR_OPTION_VALUE', /two with the id 'c'/],
    ['-device {"driver":"x","a":[1]}', 'STERNA_ERR_OPTION_VALUE', /'a' is neither/],
    ['-device {x', 'STERNA_ERR_OPTION_VALUE', /no JSON/],
  ])('refuses %s', (text, code, message) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  it('describes every option', () => {
    expect(systemHelp('p')).toMatch(/-machine or -M \[type=\]NAME/);
  });
});
