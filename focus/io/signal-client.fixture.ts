/** A LiveKit client's signalling, without the client: speaks protobuf over a WebSocket and waits for what it is sent. */
import { ConnectionSettings, JoinRequest, SignalRequest, SignalResponse } from '@livekit/protocol';
import { SignJWT } from 'jose';
import { writeJoinRequest } from '../signal/join-request.ts';

type Message = SignalResponse['message'];
type MessageOf<Case extends Message['case']> = Extract<Message, { case: Case }>['value'];
type JoinFields = ConstructorParameters<typeof JoinRequest>[0];

export interface TokenOptions {
  readonly identity?: string;
  readonly video?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly key?: string;
  readonly secret?: string;
  /** From now; negative: it has expired. Null: no `exp` at all. */
  readonly lifetimeSeconds?: number | null;
}

export async function accessToken(options: TokenOptions = {}): Promise<string> {
  const video = options.video ?? { roomJoin: true, room: 'talk' };
  const token = new SignJWT({ video, ...options.claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(options.key ?? 'devkey')
    .setSubject(options.identity ?? 'alice');
  const lifetime = options.lifetimeSeconds === undefined ? 600 : options.lifetimeSeconds;
  if (lifetime !== null) token.setExpirationTime(Math.floor(Date.now() / 1000) + lifetime);
  return token.sign(new TextEncoder().encode(options.secret ?? 'secret'));
}

export function joinParameter(fields: JoinFields = {}): string {
  const connectionSettings = new ConnectionSettings({ autoSubscribe: true });
  return writeJoinRequest(new JoinRequest({ connectionSettings, ...fields }));
}

/** `focusUrl` may have a path, as a geo-proxy in development has one for each region. */
export function signalUrl(focusUrl: string, token: string, join: JoinFields = {}, path = '/rtc/v1'): URL {
  const url = new URL(focusUrl);
  url.pathname = url.pathname.replace(/\/$/, '') + path;
  url.searchParams.set('access_token', token);
  url.searchParams.set('join_request', joinParameter(join));
  return url;
}

export class SignalClient {
  readonly received: Message[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #socket: WebSocket;
  #wake = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    const closed = Promise.withResolvers<{ code: number; reason: string }>();
    this.closed = closed.promise;
    socket.addEventListener('message', ({ data }) => {
      const response =
        typeof data === 'string'
          ? SignalResponse.fromJsonString(data)
          : SignalResponse.fromBinary(new Uint8Array(data));
      this.received.push(response.message);
      this.#notify();
    });
    socket.addEventListener('close', ({ code, reason }) => {
      closed.resolve({ code, reason });
      this.#notify();
    });
  }

  /** Rejects when the upgrade is refused. */
  static open(focusUrl: string, token: string, join: JoinFields = {}): Promise<SignalClient> {
    return SignalClient.openUrl(signalUrl(focusUrl, token, join));
  }

  /** The same by the path of clients with two PeerConnections. */
  static openOlder(focusUrl: string, token: string, parameters: Record<string, string> = {}): Promise<SignalClient> {
    const query = new URLSearchParams({ access_token: token, protocol: '15', sdk: 'go', ...parameters });
    return SignalClient.openUrl(new URL(`/rtc?${query}`, focusUrl));
  }

  private static async openUrl(url: URL): Promise<SignalClient> {
    url.protocol = 'ws:';
    const socket = new WebSocket(url);
    const client = new SignalClient(socket);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error('the focus refused the socket')));
    });
    return client;
  }

  /** Opens as an identity and waits for the join response. */
  static async join(focusUrl: string, identity: string, join: JoinFields = {}): Promise<SignalClient> {
    const client = await SignalClient.open(focusUrl, await accessToken({ identity }), join);
    await client.next('join');
    return client;
  }

  send(message: SignalRequest['message']): void {
    this.sendBytes(new SignalRequest({ message }).toBinary());
  }

  sendBytes(data: Uint8Array | string): void {
    this.#socket.send(data as Uint8Array<ArrayBuffer>);
  }

  /** The first message of a kind that nobody took yet; waits for it. Rejects when the socket closes first. */
  async next<Case extends NonNullable<Message['case']>>(name: Case): Promise<MessageOf<Case>> {
    for (;;) {
      const index = this.received.findIndex(message => message.case === name);
      if (index >= 0) return this.received.splice(index, 1)[0].value as MessageOf<Case>;
      if (this.#socket.readyState === WebSocket.CLOSED) throw new Error(`the socket closed without ${name}`);
      await this.#wake.promise;
    }
  }

  /** Waits for a message that fits; takes it and all of its kind before it. */
  async until<Case extends NonNullable<Message['case']>>(
    name: Case,
    fits: (value: MessageOf<Case>) => boolean,
  ): Promise<MessageOf<Case>> {
    for (;;) {
      const value = await this.next(name);
      if (fits(value)) return value;
    }
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  close(): void {
    this.#socket.close();
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
