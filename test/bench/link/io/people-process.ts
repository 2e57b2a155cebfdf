/** The process of real clients (libwebrtc): what they see, hear and are told, and when. Times are ms of the wall clock. */
import { Client } from '../../../e2e/client.ts';
import { serve } from '../../forward/io/child.ts';

const ROOM = 'bench-link';
const clients = new Map<string, Client>();

export interface Experience {
  /** When each decoded frame of `from` was shown. */
  readonly shownAtMs: readonly number[];
  /** When each 10 ms of `from`'s tone were heard. */
  readonly heardAtMs: readonly number[];
  /** Texts of `from`, in the order they came. */
  readonly messages: readonly { readonly text: string; readonly atMs: number }[];
}

const handlers = {
  join: async ({ identity, url }: { identity: string; url: string }) => {
    const client = new Client(identity, clients.size, other => clients.get(other)?.index ?? 0);
    clients.set(identity, client);
    await client.connect(url, ROOM);
  },

  /** Camera and microphone. */
  publish: async ({ identity }: { identity: string }) => {
    await clientOf(identity).publishMicrophone();
    await clientOf(identity).publishCamera();
  },

  send: ({ identity, text }: { identity: string; text: string }) => clientOf(identity).send(text, { reliable: true }),

  experience: ({ identity, from }: { identity: string; from: string }): Experience => {
    const client = clientOf(identity);
    const wall = (ms: number) => performance.timeOrigin + ms;
    return {
      shownAtMs: (client.seen.get(from)?.shownAtMs ?? []).map(wall),
      heardAtMs: (client.heardAtMs.get(from) ?? []).map(wall),
      messages: client.messages
        .filter(message => message.from === from)
        .map(({ text, atMs }) => ({ text, atMs: wall(atMs) })),
    };
  },
};

function clientOf(identity: string): Client {
  const client = clients.get(identity);
  if (client === undefined) throw new Error(`nobody is called ${identity}`);
  return client;
}

export type PeopleHandlers = typeof handlers;

serve(handlers, async () => {
  await Promise.allSettled([...clients.values()].map(client => client.close()));
});
