/** What a focus says of a session that it relays: who was let in, from where, and the place it took for them, if it did. */
import { ClientInfo, JoinRequest } from '@livekit/protocol';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { DecodeError } from '../../protocol/errors.ts';
import { accessTokenOf } from '../api/access-token.ts';
import type { Placed } from '../placement/placement.ts';
import type { ClientRegion } from '../region.ts';
import type { Admission } from '../signal/admission.ts';

/** A place in the store and why it is this one. */
export type TakenPlace = Pick<Extract<Placed, { kind: 'placed' }>, 'conference' | 'participant' | 'placement'>;

export interface Opening {
  readonly admission: Admission;
  readonly region: ClientRegion;
  /** The client's address as the entry sees it, for the log. */
  readonly address: string | null;
  /** Null: the home takes the place itself. */
  readonly place: TakenPlace | null;
}

const id = Type.Integer({ minimum: 1, maximum: 0xffff_ffff });

const ConferenceSchema = Type.Object({
  conferenceId: id,
  room: Type.String(),
  roomSid: Type.String(),
  owner: Type.String(),
  version: Type.Integer(),
  createdAtMs: Type.Number(),
});

const ParticipantSchema = Type.Object({
  conferenceId: id,
  endpointId: id,
  sid: Type.String(),
  identity: Type.String(),
  bridgeId: Type.String(),
  region: Type.String(),
  owner: Type.String(),
  placedAtMs: Type.Number(),
});

/** The list of candidates stays where it was decided: that focus is asked for explanations. */
const PlacementSchema = Type.Object({
  bridgeId: Type.String(),
  bridgeRegion: Type.Union([Type.String(), Type.Null()]),
  stress: Type.Union([Type.Number(), Type.Null()]),
  rule: Type.String(),
  policy: Type.Object({ kind: Type.String() }),
  region: Type.String(),
  placedFor: Type.String(),
  considered: Type.Integer(),
  candidates: Type.Array(Type.Unknown(), { maxItems: 0 }),
  at: Type.Number(),
});

const OpeningSchema = Type.Object(
  {
    apiKey: Type.String(),
    claims: Type.Record(Type.String(), Type.Unknown()),
    request: Type.String({ description: 'JoinRequest, base64' }),
    mayCreateRoom: Type.Boolean(),
    hasTwoConnections: Type.Boolean(),
    metadata: Type.String(),
    attributes: Type.Record(Type.String(), Type.String()),
    region: Type.Object({ region: Type.String(), rule: Type.String() }),
    address: Type.Union([Type.String(), Type.Null()]),
    place: Type.Union([
      Type.Null(),
      Type.Object(
        { conference: ConferenceSchema, participant: ParticipantSchema, placement: PlacementSchema },
        { additionalProperties: false },
      ),
    ]),
  },
  { additionalProperties: false },
);

export function writeOpening({ admission, region, address, place }: Opening): Uint8Array {
  const { token, request, mayCreateRoom, hasTwoConnections, metadata, attributes } = admission;
  const opening = {
    apiKey: token.apiKey,
    claims: token.claims,
    request: Buffer.from(request.toBinary()).toString('base64'),
    mayCreateRoom,
    hasTwoConnections,
    metadata,
    attributes,
    region,
    address,
    place: place === null ? null : withoutCandidates(place),
  };
  return Buffer.from(JSON.stringify(opening));
}

/** Throws DecodeError for anything that {@link writeOpening} does not write. The token was verified by the other focus, which is trusted. */
export function readOpening(bytes: Uint8Array): Opening {
  const opening = parse(bytes);
  const { region, address, place, apiKey, claims, request: encoded, ...rest } = opening;
  const { token, grant, request } = admitted(apiKey, claims, encoded);
  const admission = {
    ...rest,
    token,
    grant,
    room: grant.room,
    request,
    client: request.clientInfo ?? new ClientInfo(),
  };
  // The schema has checked what it knows; the brands and unions are those of the focus that wrote it.
  return { admission, region: region as ClientRegion, address, place: place as TakenPlace | null };
}

/** Parts of a placement are made when they are read, which a copy does not do: each is named. */
function withoutCandidates({ conference, participant, placement }: TakenPlace): TakenPlace {
  const { bridgeId, bridgeRegion, stress, rule, policy, policyFrom, service, region, placedFor } = placement;
  const { roundTrips, sticky, considered, at } = placement;
  const decided = { bridgeId, bridgeRegion, stress, rule, policy, policyFrom, service, region, placedFor };
  return { conference, participant, placement: { ...decided, roundTrips, sticky, considered, candidates: [], at } };
}

function parse(bytes: Uint8Array): Static<typeof OpeningSchema> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new DecodeError('peer-opening');
  }
  if (!Value.Check(OpeningSchema, value)) throw new DecodeError('peer-opening');
  return value;
}

function admitted(apiKey: string, claims: Record<string, unknown>, encoded: string) {
  try {
    const token = accessTokenOf(apiKey, claims);
    if (token.video !== null) {
      return { token, grant: token.video, request: JoinRequest.fromBinary(Buffer.from(encoded, 'base64')) };
    }
  } catch {
    // Falls through: claims and request are as wrong as a missing grant.
  }
  throw new DecodeError('peer-opening');
}
