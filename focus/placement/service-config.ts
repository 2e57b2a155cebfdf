/** `placement.http.*` of a focus's configuration: the external service that `placement.kind: http` asks. */
import { type Static, Type } from 'typebox';
import { POLICY_KINDS, type PolicyKind } from './policy.ts';

type Fallback = Exclude<PolicyKind, 'http'>;

const FALLBACKS = POLICY_KINDS.filter((kind): kind is Fallback => kind !== 'http');

export const PlacementServiceSchema = Type.Object(
  {
    url: Type.String({
      default: '',
      maxLength: 2048,
      description: 'is sent a POST for each join of a room with kind http; empty: there is no such service',
    }),
    timeout_ms: Type.Integer({
      minimum: 10,
      maximum: 5_000,
      default: 200,
      unit: 'ms',
      description:
        'a join waits so long for the answer, then the fallback decides; clients give up a join after some 15 s',
    }),
    secret: Type.String({
      default: '',
      maxLength: 4096,
      secret: true,
      description: 'sent as Authorization: Bearer; empty: no such header',
    }),
    headers: Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]{1,128}$' }), Type.String({ maxLength: 4096 }), {
      default: {},
      secret: true,
      description: 'further headers of the request, such as an API key by another name',
    }),
    fallback: Type.Union(
      FALLBACKS.map(kind => Type.Literal(kind)),
      { default: 'region', description: 'rule set for joins that the service has no answer for, in time' },
    ),
    failures_max: Type.Integer({
      minimum: 1,
      maximum: 1_000,
      default: 3,
      description: 'after so many failures in a row joins do not wait for it any more, until it has answered a probe',
    }),
    pause_ms_min: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 1_000,
      unit: 'ms',
      description: 'before the first probe; it doubles with each that fails',
    }),
    pause_ms_max: Type.Integer({
      minimum: 100,
      maximum: 3_600_000,
      default: 60_000,
      unit: 'ms',
      description: 'longest pause between probes',
    }),
  },
  { additionalProperties: false, default: {} },
);

export type PlacementServiceConfig = Static<typeof PlacementServiceSchema>;

/** What no schema can say. `kind` is the one of the configuration. */
export function placementServiceProblems(kind: PolicyKind, config: PlacementServiceConfig): string[] {
  const { url, pause_ms_min: minimum, pause_ms_max: maximum } = config;
  const problems: string[] = [];
  if (kind === 'http' && url === '') problems.push('placement.http.url is required with placement.kind http');
  if (url !== '' && !isHttp(url)) problems.push('placement.http.url is no URL; allowed: an http or https URL');
  else if (url !== '' && new URL(url).username !== '') {
    problems.push('placement.http.url has a user in it; allowed: a URL without, and placement.http.secret or headers');
  }
  if (minimum > maximum) {
    problems.push(
      `placement.http.pause_ms_min is ${minimum}; allowed: at most placement.http.pause_ms_max (${maximum})`,
    );
  }
  return problems;
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);
}
