/** A bridge's control API, as a focus speaks it. */
import type { LinkSnapshot } from '../../../bridge/relay/relay.ts';
import type { BridgeReport } from '../../../protocol/control/events.ts';
import { signServiceToken } from '../../../protocol/control/service-token.ts';
import type { BridgePeer, ConferenceSpec, EndpointSpec, Transport } from '../../../protocol/control/spec.ts';

/** Well inside a token's 60 s. */
const TOKEN_MS_MAX = 30_000;

export class ControlClient {
  readonly #url: string;
  readonly #secret: string;
  #token = '';
  #signedMs = Number.NEGATIVE_INFINITY;

  constructor(url: string, secret: string) {
    this.#url = url;
    this.#secret = secret;
  }

  async peer(): Promise<BridgePeer> {
    const report = (await this.#call('GET', '/v1/bridge')) as BridgeReport;
    return report.peer;
  }

  async links(): Promise<readonly LinkSnapshot[]> {
    return ((await this.#call('GET', '/v1/links')) as { links: LinkSnapshot[] }).links;
  }

  async putConference(id: string, spec: ConferenceSpec): Promise<void> {
    await this.#call('PUT', `/v1/conferences/${id}`, spec);
  }

  async deleteConference(id: string): Promise<void> {
    await this.#call('DELETE', `/v1/conferences/${id}`);
  }

  async putEndpoint(conferenceId: string, id: string, spec: EndpointSpec): Promise<Transport> {
    return (await this.#call('PUT', `/v1/conferences/${conferenceId}/endpoints/${id}`, spec)) as Transport;
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await this.#authorization()}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }

  async #authorization(): Promise<string> {
    if (performance.now() - this.#signedMs > TOKEN_MS_MAX) {
      this.#token = await signServiceToken(this.#secret, 'bench');
      this.#signedMs = performance.now();
    }
    return this.#token;
  }
}
