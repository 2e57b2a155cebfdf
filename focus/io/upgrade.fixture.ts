/** What a client gets instead of a WebSocket: node's own does not tell. For tests. */
import { get } from 'node:http';
import { text } from 'node:stream/consumers';

export interface UpgradeRefusal {
  readonly status: number;
  readonly text: string;
}

export const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

/** Rejects when it gets a WebSocket. */
export function refusal(url: URL, headers: Readonly<Record<string, string>> = UPGRADE): Promise<UpgradeRefusal> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers, agent: false });
    request.once('response', response => {
      text(response).then(body => resolve({ status: response.statusCode ?? 0, text: body }), reject);
    });
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('the focus let it in'));
    });
    request.once('error', reject);
  });
}
