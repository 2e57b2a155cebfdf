/** Lost flights, on a virtual clock. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SRTP_PROFILES } from '../../protocol/srtp/profiles.ts';
import { alice, bob } from './dtls-endpoint.pair.ts';
import { DtlsEndpoint } from './dtls-endpoint.ts';

/** Two ends and the datagrams between them; `isLost` sees each in order of sending. */
class Wire {
  readonly log: string[] = [];
  sent = 0;
  readonly #underway: { readonly to: 'client' | 'server'; readonly datagram: Buffer }[] = [];
  readonly #isLost: (index: number) => boolean;
  readonly client: DtlsEndpoint;
  readonly server: DtlsEndpoint;

  constructor(isLost: (index: number) => boolean, isAddressValidated = true, serverRepeats = true) {
    this.#isLost = isLost;
    const end = (role: 'client' | 'server') =>
      new DtlsEndpoint({
        role,
        certificate: role === 'client' ? alice : bob,
        fingerprints: [role === 'client' ? bob.fingerprint : alice.fingerprint],
        srtpProfiles: SRTP_PROFILES,
        isAddressValidated,
        repeatsFlights: role === 'client' || serverRepeats,
        sink: {
          send: datagram => {
            if (!this.#isLost(this.sent++))
              this.#underway.push({ to: role === 'client' ? 'server' : 'client', datagram });
          },
          onConnected: () => this.log.push(`${role} connected`),
          onData: () => {},
          onFailed: reason => this.log.push(`${role} failed ${reason}`),
          onClosed: () => {},
        },
      });
    this.server = end('server');
    this.client = end('client');
    this.server.start();
    this.client.start();
    this.settle();
  }

  settle(): void {
    for (let next = this.#underway.shift(); next !== undefined; next = this.#underway.shift()) {
      this[next.to].handleDatagram(next.datagram);
    }
  }

  close(): void {
    this.client.close();
    this.server.close();
  }
}

/** Lets `ms` pass, 10 at a time. */
function advance(context: TestContext, wire: Wire, ms: number): void {
  for (let passedMs = 0; passedMs < ms; passedMs += 10) {
    context.mock.timers.tick(10);
    wire.settle();
  }
}

const BOTH = ['server connected', 'client connected'];

test('a client whose address is known connects with four datagrams, one that has to show a cookie with six', () => {
  for (const [isAddressValidated, datagrams] of [
    [true, 4],
    [false, 6],
  ] as const) {
    const wire = new Wire(() => false, isAddressValidated);
    assert.deepEqual([wire.log, wire.sent], [BOTH, datagrams]);
    wire.close();
  }
});

test('any one lost datagram is made good by the first repetition', context => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  for (const isAddressValidated of [true, false]) {
    for (let lost = 0; lost < (isAddressValidated ? 4 : 6); lost++) {
      const wire = new Wire(index => index === lost, isAddressValidated);
      assert.notDeepEqual(wire.log, BOTH);
      advance(context, wire, 300);
      assert.deepEqual(wire.log, BOTH, `datagram ${lost}`);
      wire.close();
    }
  }
});

test('a repeated hello gets its answer again, though the server has no timer', context => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  for (const isAddressValidated of [true, false]) {
    const wire = new Wire(index => index === 1, isAddressValidated, false);
    advance(context, wire, 300);
    assert.deepEqual(wire.log, BOTH);
    wire.close();
  }
});

test('repetitions come ever more slowly, end after ten, and end at once with the handshake', context => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const silent = new Wire(() => true);
  const counts = [300, 600, 1200, 2400].map(ms => {
    advance(context, silent, ms);
    return silent.sent;
  });
  assert.deepEqual(counts, [2, 3, 4, 5]);
  advance(context, silent, 30_000);
  assert.deepEqual([silent.sent, silent.log], [11, ['client failed dtls-silence']]);

  const connected = new Wire(() => false);
  const abandoned = new Wire(() => true);
  abandoned.close();
  const sent = [connected.sent, abandoned.sent];
  advance(context, connected, 30_000);
  assert.deepEqual([connected.sent, abandoned.sent], sent);
  connected.close();
});
