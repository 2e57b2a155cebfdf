/** One line of a bridge's event stream (protocol/control/events.ts). */
import { Value } from 'typebox/value';
import { type BridgeEvent, BridgeReportSchema } from '../../protocol/control/events.ts';
import { StreamSpecSchema } from '../../protocol/control/spec.ts';
import { DecodeError } from '../../protocol/errors.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Throws DecodeError for anything that is not an event this focus knows. Fields it does not know are passed over. */
export function readBridgeEvent(line: string): BridgeEvent {
  const event = parse(line);
  const check = CHECKS[String(event['kind'])];
  if (check === undefined || !check(event)) throw new DecodeError('bridge-event');
  return event as unknown as BridgeEvent;
}

const CHECKS: Readonly<Record<string, ((event: Fields) => boolean) | undefined>> = {
  hello: event => Value.Check(BridgeReportSchema, event['report']),
  report: event => Value.Check(BridgeReportSchema, event['report']),
  alive: () => true,
  link: event => texts(event, 'bridgeId', 'state'),
  endpoint: event => texts(event, 'conferenceId', 'endpointId', 'state', 'reason'),
  speakers: event =>
    texts(event, 'conferenceId') &&
    rows(
      event['speakers'],
      row => texts(row, 'endpointId') && numbers(row, 'level') && typeof row['active'] === 'boolean',
    ),
  quality: event =>
    texts(event, 'conferenceId') &&
    rows(
      event['endpoints'],
      row => texts(row, 'endpointId', 'quality') && numbers(row, 'score') && round(row['rttMs']),
    ) &&
    rows(event['links'], row => texts(row, 'bridgeId') && round(row['rttMs'])),
  'needed-layers': event => texts(event, 'conferenceId', 'endpointId') && numbers(event, 'sourceId', 'layers'),
  streams: event =>
    texts(event, 'conferenceId', 'endpointId') &&
    rows(
      event['streams'],
      row =>
        numbers(row, 'sourceId') && typeof row['isRtx'] === 'boolean' && Value.Check(StreamSpecSchema, streamOf(row)),
    ),
  source: event => texts(event, 'conferenceId', 'endpointId', 'codec') && numbers(event, 'sourceId'),
};

function streamOf({ ssrc, layer, isRtx }: Fields): Fields {
  return { ssrc, layer, isRtx };
}

function parse(line: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new DecodeError('bridge-event-json');
  }
  if (!isObject(value)) throw new DecodeError('bridge-event-json');
  return value;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function texts(fields: Fields, ...names: string[]): boolean {
  return names.every(name => typeof fields[name] === 'string');
}

function numbers(fields: Fields, ...names: string[]): boolean {
  return names.every(name => Number.isFinite(fields[name]));
}

function round(rttMs: unknown): boolean {
  return rttMs === null || Number.isFinite(rttMs);
}

function rows(value: unknown, check: (row: Fields) => boolean): boolean {
  return Array.isArray(value) && value.every(row => isObject(row) && check(row));
}
