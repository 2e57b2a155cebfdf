/** A bridge's control API without the bridge: it keeps the documents it is given and says what a test makes it say. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BridgeEvent, BridgeReport } from '../../protocol/control/events.ts';
import { signServiceToken, verifyServiceToken } from '../../protocol/control/service-token.ts';
import type { ConferenceSpec, EndpointSpec, Message, Transport } from '../../protocol/control/spec.ts';

const FINGERPRINT = { algorithm: 'sha-256', value: Array.from({ length: 32 }, () => 'AB').join(':') };

export class FakeBridge {
  readonly bridgeId: string;
  readonly region: string;
  readonly conferences = new Map<string, ConferenceSpec>();
  /** By endpoint id. */
  readonly endpoints = new Map<string, EndpointSpec>();
  readonly messages: Message[] = [];
  /** What it answers to `GET /v1/links`. */
  links: readonly object[] = [];
  state: BridgeReport['state'] = 'running';
  /** Answers instead of the usual ones, first come first served: a status, or null to break the connection. */
  readonly nextAnswers: (number | null)[] = [];
  readonly #secret: string;
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  readonly #states = new Map<string, BridgeEvent>();
  /** Kept: a report may be on its way when it has closed. */
  #port = 0;
  #bootId = 'boot-1';

  constructor(bridgeId: string, region: string, secret: string) {
    this.bridgeId = bridgeId;
    this.region = region;
    this.#secret = secret;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async start(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  get report(): BridgeReport {
    const load = { stress: 0, endpoints: 0, conferences: 0, sources: 0, cpu: 0, packetsPerSecond: 0 };
    return {
      peer: {
        bridgeId: this.bridgeId,
        region: this.region,
        octo: { address: '127.0.0.1', port: 4096 },
        fingerprint: FINGERPRINT,
      },
      bootId: this.#bootId,
      version: '0.0.0',
      controlUrl: `http://127.0.0.1:${this.#port}`,
      state: this.state,
      load: { ...load, bitrateInBps: 0, bitrateOutBps: 0 },
    };
  }

  /** Reports itself to a focus, as a bridge does every 2 s. */
  async register(focusUrl: string): Promise<void> {
    const response = await fetch(`${focusUrl}/v1/bridges/${this.bridgeId}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${await signServiceToken(this.#secret, this.bridgeId)}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(this.report),
    });
    if (response.status !== 204) throw new Error(`the focus answered a report with ${response.status}`);
  }

  /** A new process of the same name: it knows nothing. */
  restart(): void {
    this.#bootId = `${this.#bootId}+`;
    this.conferences.clear();
    this.endpoints.clear();
    this.#states.clear();
  }

  /** True when a focus listens to its events. */
  get isHeard(): boolean {
    return this.#streams.size > 0;
  }

  emit(event: BridgeEvent): void {
    // As a bridge does, it says again how each endpoint is when somebody begins to listen.
    if (event.kind === 'endpoint' && this.endpoints.has(event.endpointId)) {
      this.#states.set(`${event.conferenceId} ${event.endpointId}`, event);
    }
    for (const stream of this.#streams) stream.write(`${JSON.stringify(event)}\n`);
  }

  /** Says of every endpoint it has that its media is up. */
  connectAll(): void {
    for (const [conferenceId] of this.conferences) {
      for (const endpointId of this.endpoints.keys()) {
        this.emit({ kind: 'endpoint', conferenceId, endpointId, state: 'connected', reason: '' });
      }
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if ((await verifyServiceToken(this.#secret, request.headers.authorization)) === undefined) {
      response.writeHead(401).end();
      return;
    }
    const path = (request.url ?? '').split('?')[0];
    if (path === '/v1/events') {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(`${JSON.stringify({ kind: 'hello', report: this.report })}\n`);
      for (const state of this.#states.values()) response.write(`${JSON.stringify(state)}\n`);
      this.#streams.add(response);
      request.on('close', () => this.#streams.delete(response));
      return;
    }
    const body = await readBody(request);
    const instead = this.nextAnswers.shift();
    if (instead === null) request.socket.destroy();
    else if (instead !== undefined) response.writeHead(instead).end();
    else if (path === '/v1/bridge/state' || path === '/v1/links') this.#answerOperator(path, body, response);
    else this.#take(request.method ?? '', path.split('/').slice(3), body, response);
  }

  /** What operators ask of it. */
  #answerOperator(path: string, body: unknown, response: ServerResponse): void {
    if (path === '/v1/bridge/state') this.state = (body as Pick<BridgeReport, 'state'>).state;
    const answer = path === '/v1/links' ? { links: this.links } : this.report;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  #take(method: string, path: string[], body: unknown, response: ServerResponse): void {
    const [conferenceId, kind, endpointId] = path;
    if (kind === 'messages') {
      this.messages.push(body as Message);
      response.writeHead(204).end();
      return;
    }
    const documents = kind === undefined ? this.conferences : this.endpoints;
    const key = kind === undefined ? conferenceId : endpointId;
    if (method === 'DELETE') {
      documents.delete(key);
      this.#states.delete(`${conferenceId} ${endpointId}`);
      response.writeHead(204).end();
      return;
    }
    const document = body as EndpointSpec & ConferenceSpec;
    const known = documents.get(key)?.version ?? 0;
    if (document.version < known) {
      const error = { code: 'stale-version', message: 'a newer version is in force', version: known };
      response.writeHead(409).end(JSON.stringify({ error }));
      return;
    }
    documents.set(key, document as never);
    if (kind === undefined) response.writeHead(204).end();
    else response.writeHead(200).end(JSON.stringify(transportOf(document)));
  }
}

function transportOf({ version, iceGeneration }: EndpointSpec): Transport {
  return {
    version,
    ice: { ufrag: `brdg${iceGeneration}`, password: 'bridgebridgebridgebridge' },
    dtls: { setup: 'passive', fingerprint: FINGERPRINT },
    candidates: [{ address: '127.0.0.1', port: 10_000, kind: 'host' }],
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? null : JSON.parse(text);
}
