import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { suite, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { SrtpSession } from '../../protocol/srtp/session.ts';
import { SLOT_BYTES } from '../arena.ts';
import { compareDatapaths } from './compare-datapaths.ts';
import { chooseDatapath, type Datapath, fastDatapath, portableDatapath } from './datapath.ts';
import { NOT_HERE } from './native/native.platform.ts';

/** A datapath that works, with one thing about it changed. */
function portableBut(change: Partial<Datapath>): Datapath {
  return { ...portableDatapath('a test'), ...change };
}

/** Sessions with one operation changed. */
function sessionsWith(change: (session: SrtpSession) => Partial<SrtpSession>): Partial<Datapath> {
  const { createSrtpSession } = portableDatapath('a test');
  return {
    createSrtpSession: (profile, keys) => {
      const session = createSrtpSession(profile, keys);
      return {
        protectRtp: (bytes, offset, length) => session.protectRtp(bytes, offset, length),
        protectRtpAgain: (bytes, offset, length) => session.protectRtpAgain(bytes, offset, length),
        protectRtcp: (bytes, offset, length) => session.protectRtcp(bytes, offset, length),
        unprotectRtp: (bytes, offset, length) => session.unprotectRtp(bytes, offset, length),
        unprotectRtcp: (bytes, offset, length) => session.unprotectRtcp(bytes, offset, length),
        close: () => session.close(),
        ...change(session),
      };
    },
  };
}

/** A port whose datagrams come as `change` has it: changed, or not at all. */
function portWith(change: (bytes: Buffer, offset: number, count: number) => boolean): Partial<Datapath> {
  const { openPort } = portableDatapath('a test');
  return {
    openPort: options => {
      let count = 0;
      const handler: typeof options.handler = (bytes, offset, length, peer) => {
        if (change(bytes, offset, count++)) options.handler(bytes, offset, length, peer);
      };
      return openPort({ ...options, handler });
    },
  };
}

/** A log that is not to be written to. */
const SILENT = { warn: (details: object, message: string) => assert.fail(`${message}: ${JSON.stringify(details)}`) };

const { frameCiphers } = portableDatapath('a test');

/** What can be wrong with a datapath, and the reason that is told. */
const BROKEN: readonly (readonly [name: string, make: () => Datapath, reason: RegExp])[] = [
  [
    'does not load',
    () => {
      throw new Error('libc has no sendmmsg');
    },
    /^libc has no sendmmsg$/,
  ],
  [
    'cannot open a port',
    () => portableBut({ openPort: () => Promise.reject(new Error('uv_poll_init failed with -22')) }),
    /^uv_poll_init failed with -22$/,
  ],
  [
    'makes a wrong SRTP tag',
    () =>
      portableBut(
        sessionsWith(session => ({
          protectRtp: (bytes, offset, length) => {
            const secretLength = session.protectRtp(bytes, offset, length);
            bytes[offset + secretLength - 1] ^= 1;
            return secretLength;
          },
        })),
      ),
    /^SRTP profile 7, RTP of 12 bytes is protected differently$/,
  ],
  [
    'encrypts wrongly only where packets lie in slots',
    () =>
      portableBut(
        sessionsWith(session => ({
          protectRtcp: (bytes, offset, length) => {
            const secretLength = session.protectRtcp(bytes, offset, length);
            if (bytes.length > SLOT_BYTES && length > 100) bytes[offset + 100] ^= 1;
            return secretLength;
          },
        })),
      ),
    /^SRTP profile 7, RTCP of 128 bytes is protected differently$/,
  ],
  [
    'writes behind the packet',
    () =>
      portableBut(
        sessionsWith(session => ({
          protectRtp: (bytes, offset, length) => {
            const secretLength = session.protectRtp(bytes, offset, length);
            bytes[offset + secretLength] = 1;
            return secretLength;
          },
        })),
      ),
    /^SRTP profile 7, RTP of 12 bytes is protected differently$/,
  ],
  [
    'believes a forged packet',
    () =>
      portableBut(
        sessionsWith(session => ({
          unprotectRtp: (bytes, offset, length) => {
            const plainLength = session.unprotectRtp(bytes, offset, length);
            return plainLength < 0 ? length - 16 : plainLength;
          },
        })),
      ),
    /^SRTP profile 7, RTP of 12 bytes is taken although it is forged$/,
  ],
  [
    'does not open what it should',
    () => portableBut(sessionsWith(() => ({ unprotectRtcp: () => -3 }))),
    /^SRTP profile 7, RTCP of 8 bytes does not come back$/,
  ],
  [
    'uses 32 bits of a frame’s sequence number',
    () =>
      portableBut({
        frameCiphers: {
          sealer: (key, salt) => {
            const sealer = frameCiphers.sealer(key, salt);
            return {
              seal: (bytes, offset, length, sequence) => sealer.seal(bytes, offset, length, sequence % 2 ** 32),
              close: () => sealer.close(),
            };
          },
          opener: frameCiphers.opener,
        },
      }),
    /^an Octo frame of 20 bytes is protected differently$/,
  ],
  [
    'loses a datagram',
    () => portableBut(portWith((_bytes, _offset, count) => count !== 1)),
    /^of 4 datagrams sent to itself, 3 arrived$/,
  ],
  [
    'changes a datagram',
    () =>
      portableBut(
        portWith((bytes, offset) => {
          bytes[offset + 600] ^= 1;
          return true;
        }),
      ),
    /^datagrams sent to itself arrive changed, or in another order$/,
  ],
];

/** Runs the clock of the comparison, which waits for lost datagrams. */
async function settled<T>(context: TestContext, promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let result: PromiseSettledResult<T> | undefined;
  void Promise.allSettled([promise]).then(([first]) => {
    result = first;
  });
  for (let turns = 0; result === undefined; turns++) {
    assert.ok(turns < 1000, 'it does not end');
    // Datagrams on loopback need a few turns; then time passes.
    if (turns > 20) context.mock.timers.tick(1_000);
    await turn();
  }
  context.mock.timers.reset();
  return result;
}

suite('choosing a datapath', () => {
  for (const [name, make, reason] of BROKEN) {
    test(`a fast datapath that ${name} is not taken: auto says why in one line and is portable, fast rejects with that`, async context => {
      const lines: { reason?: string; message: string }[] = [];
      const log = { warn: (details: object, message: string) => void lines.push({ ...details, message }) };
      const chosen = await settled(context, chooseDatapath('auto', log, make));
      assert.ok(chosen.status === 'fulfilled', String((chosen as PromiseRejectedResult).reason));
      assert.equal(chosen.value.name, 'portable');
      assert.match(chosen.value.reason, reason);
      assert.equal(lines.length, 1);
      assert.equal(lines[0].reason, chosen.value.reason);
      assert.match(lines[0].message, /portable/);

      const refused = await settled(context, chooseDatapath('fast', log, make));
      assert.ok(refused.status === 'rejected');
      assert.equal(
        (refused.reason as Error).message,
        `datapath is fast, and that does not work here: ${chosen.value.reason}`,
      );
      assert.equal(lines.length, 1);
    });
  }

  test('the fast datapath agrees with the portable one here, and auto takes it without a word', {
    skip: NOT_HERE,
  }, async () => {
    const datapath = await chooseDatapath('auto', SILENT);
    assert.deepEqual([datapath.name, datapath.reason], ['fast', 'it works here']);
    assert.equal((await chooseDatapath('fast', SILENT)).reason, 'configured');
    await compareDatapaths(portableDatapath('a test'), fastDatapath('a test'));
  });

  test('datagrams that strangers send to the port under test change nothing', async () => {
    const { openPort } = portableDatapath('a test');
    const datapath = portableBut({
      openPort: async options => {
        const stranger = await openPort<string>({ address: '127.0.0.1', port: 0, arenaSlots: 4, handler: () => {} });
        const port = await openPort(options);
        const slot = stranger.reserve();
        stranger.commit(slot, stranger.outgoing.write('x', slot), stranger.adopt('127.0.0.1', port.port, 'port'));
        await stranger.close();
        return port;
      },
    });
    const chosen = await chooseDatapath('auto', SILENT, () => datapath);
    assert.equal(chosen, datapath);
  });

  test('portable does not touch native code: it works whole without any', () => {
    const { stdout, stderr } = inChild(`
      process.getBuiltinModule = name => { throw new Error(name + ' was asked for'); };
      const { chooseDatapath, portableDatapath } = await import('${import.meta.resolve('./datapath.ts')}');
      const { compareDatapaths } = await import('${import.meta.resolve('./compare-datapaths.ts')}');
      const datapath = await chooseDatapath('portable', { warn: console.log });
      await compareDatapaths(datapath, portableDatapath('a test'));
      console.log(datapath.name + ', ' + datapath.reason);
    `);
    assert.deepEqual([stdout.trim(), stderr], ['portable, configured', '']);
  });

  for (const [name, change, reason] of [
    [
      'another platform',
      `Object.defineProperty(process, 'platform', { value: 'sunos' })`,
      'it needs Linux, this is sunos',
    ],
    ['a Node without ffi', 'process.getBuiltinModule = () => undefined', `Node ${process.version} has no node:ffi`],
    [
      'a missing symbol',
      `process.getBuiltinModule = () => ({ dlopen: () => { throw new Error('no symbol recvmmsg'); } })`,
      'no symbol recvmmsg',
    ],
  ] as const) {
    test(`${name} is no obstacle to auto`, { skip: name === 'another platform' ? false : NOT_HERE }, () => {
      const { stdout, stderr } = inChild(`
        ${change};
        const { chooseDatapath } = await import('${import.meta.resolve('./datapath.ts')}');
        const datapath = await chooseDatapath('auto', { warn: ({ reason }) => console.log('because: ' + reason) });
        console.log(datapath.name + ', ' + datapath.reason);
      `);
      assert.deepEqual([stdout.trim().split('\n'), stderr], [[`because: ${reason}`, `portable, ${reason}`], '']);
    });
  }
});

function inChild(script: string): { stdout: string; stderr: string } {
  const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
  return spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 20_000 });
}
