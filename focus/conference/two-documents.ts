/** The documents of a participant that is two endpoints on its bridge: only those that say something new. */
import { isDeepStrictEqual } from 'node:util';
import { type EndpointDocument, endpointDocument, type RemoteTrack, receivingDocument } from './endpoint-spec.ts';
import type { Participant } from './participant.ts';
import type { ReceivingSide } from './receiving-side.ts';
import type { RoomOutput } from './room-output.ts';

export function twoDocuments(
  participant: Participant,
  receiving: ReceivingSide,
  remote: (trackSid: string) => RemoteTrack | undefined,
): RoomOutput[] {
  const outputs: RoomOutput[] = [];
  const { bridgeId } = participant;
  const put = (
    side: { readonly endpointId: Participant['endpointId']; revision: number; document: EndpointDocument | null },
    document: EndpointDocument,
  ): void => {
    side.document = document;
    side.revision++;
    outputs.push({ kind: 'endpoint', bridgeId, endpointId: side.endpointId, revision: side.revision, document });
  };
  if (needsPublishing(participant)) {
    const document = endpointDocument(participant, remote);
    const isAwaited = participant.answer?.revision === 0;
    if (isAwaited || !isDeepStrictEqual(document, participant.document)) put(participant, document);
    if (participant.answer !== null && isAwaited) participant.answer.revision = participant.revision;
  }
  if (receiving.isNeeded) {
    const document = receivingDocument(participant, receiving, remote);
    const isAwaited = receiving.generationRevision === 0;
    if (isAwaited || !isDeepStrictEqual(document, receiving.document)) put(receiving, document);
    if (isAwaited) receiving.generationRevision = receiving.revision;
  }
  return outputs;
}

/** From the beginning for whoever may send something, so that a bridge that drains later takes it still. */
function needsPublishing({ offer, permissions, receiving, revision }: Participant): boolean {
  if (offer !== null || revision > 0 || receiving?.isPrimary !== true) return true;
  return permissions.canPublish || permissions.canPublishData;
}
