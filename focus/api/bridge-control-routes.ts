/** What operators ask of bridges, by way of the focus: they are on a private network and know service tokens only. */
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { BridgeId } from '../../protocol/ids.ts';
import { FocusError } from '../errors.ts';
import type { BridgeAnswer } from '../io/bridge-client.ts';
import type { BridgeWatch } from '../io/bridge-watch.ts';
import { type AdminAccess, adminScope } from './admin-access.ts';

/** Answers undefined for a bridge that is not up; rejects when it does not answer. */
export type AskBridge = (
  bridgeId: BridgeId,
  method: 'GET' | 'PUT',
  path: string,
  body?: unknown,
) => Promise<BridgeAnswer | undefined>;

export interface BridgeControlOptions extends AdminAccess {
  readonly askBridge: AskBridge;
  readonly bridges: Pick<BridgeWatch, 'bridges'>;
  readonly nowMs: () => number;
}

/** Of what a bridge says about a link, the part that is shown for the whole network. */
const BridgeLinkSchema = Type.Object({
  bridgeId: Type.String(),
  state: Type.String(),
  rttMs: Type.Union([Type.Number(), Type.Null()]),
  lossOut: Type.Number({ description: 'share of frames to the other bridge that were lost, before repair' }),
  sentBps: Type.Number(),
  sendBudgetBps: Type.Union([Type.Number({ description: 'what the path allows' }), Type.Null()]),
  conferences: Type.Integer(),
});
const LinkSchema = Type.Object({ from: Type.String(), to: Type.String(), ...linkFields() });
type Link = Static<typeof LinkSchema>;

/** Adds `GET /v1/links`. */
export function registerBridgeControlRoutes(app: FastifyInstance, options: BridgeControlOptions): void {
  const { askBridge, bridges, nowMs } = options;
  const route = { tags: ['admin'], security: [{ bearer: [] }] };

  const linksSchema = {
    ...route,
    summary: 'Links between bridges, as each end sees them',
    response: {
      200: Type.Object({
        links: Type.Array(LinkSchema),
        silent: Type.Array(Type.String(), { description: 'bridges that did not answer' }),
      }),
    },
  };
  app.get('/v1/links', { schema: linksSchema }, async request => {
    const scope = await adminScope(options, request, nowMs());
    if (scope.kind !== 'all') throw new FocusError('permission-denied');
    const names = bridges.bridges().map(({ bridgeId }) => bridgeId);
    const answers = await Promise.all(names.map(linksOf));
    return {
      links: answers.flatMap(links => links ?? []),
      silent: names.filter((_, index) => answers[index] === undefined),
    };
  });

  async function linksOf(from: BridgeId): Promise<Link[] | undefined> {
    const answer = await askBridge(from, 'GET', '/v1/links').catch(() => undefined);
    const links = (answer?.body as { readonly links?: unknown } | null | undefined)?.links;
    if (!Array.isArray(links)) return undefined;
    return links
      .filter(link => Value.Check(BridgeLinkSchema, link))
      .map(({ bridgeId: to, ...link }) => ({ from, to, ...link }));
  }
}

function linkFields() {
  const { bridgeId: _, ...fields } = BridgeLinkSchema.properties;
  return fields;
}
