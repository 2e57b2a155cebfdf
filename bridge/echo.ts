/**
 * A source that is heard in a second conference (LiveKit's ForwardParticipant): an _echo_ is a source of that conference, with its own histories, subscribers and links, which is fed by the
 * original as by a client. Packets are copied once per echo, a burst at a time; what needs an answer from the publisher goes the other way: key frames, and which layers anybody watches.
 */
import { copyBytes } from './forward/copy-bytes.ts';
import type { MediaPacket } from './media-packet.ts';
import type { Source } from './source.ts';

/** Of nearly all sources: shared, so that asking costs nothing. */
export const NO_ECHOES: readonly Source[] = [];

/** From here on `echo` has what `origin` has. They have the same layers. */
export function connectEcho(origin: Source, echo: Source): void {
  if (echo.origin === origin) return;
  disconnectEcho(echo);
  echo.origin = origin;
  echo.originRequester = origin.conference.newRequester();
  origin.echoes = [...origin.echoes, echo];
  echo.setMuted(origin.isMuted);
}

export function disconnectEcho(echo: Source): void {
  const { origin } = echo;
  if (origin === undefined) return;
  echo.origin = undefined;
  const others = origin.echoes.filter(other => other !== echo);
  origin.echoes = others.length === 0 ? NO_ECHOES : others;
  for (const { keyFrames } of origin.layers) keyFrames.removeRequester(echo.originRequester);
  origin.handleDemand();
}

/** A source has ended, and whatever it was to others. */
export function endEchoes(source: Source): void {
  disconnectEcho(source);
  for (const echo of source.echoes) disconnectEcho(echo);
}

/** Copies a packet of `origin` into the history of `echo`, which `packet` stands on from then on. False when it goes no further there. */
export function takeEcho(origin: Source, echo: Source, packet: MediaPacket): boolean {
  const { layer: index, sequence, arrivedMs: nowMs, isRepeat } = packet;
  const { history } = origin.layers[index];
  const layer = echo.layers[index];
  const offset = history.offsetOf(sequence);
  if (offset < 0 || echo.isMuted) return false;
  const { ssrc } = packet.rtp;
  if (ssrc !== layer.ssrc) layer.restart(ssrc);
  const slot = layer.history.offsetFor(sequence);
  if (slot < 0) return false;
  const length = history.lengthOf(sequence);
  copyBytes(history.bytes, offset, layer.history.bytes, slot, length);
  packet.read(layer.history.bytes, slot, length, index, sequence, nowMs);
  packet.isRepeat = isRepeat;
  layer.history.commit(sequence, length, nowMs);
  const { rtp, audioLevel, startsFrame, startsKeyFrame } = packet;
  echo.payloadType = rtp.payloadType;
  layer.count(nowMs, length, startsFrame);
  if (audioLevel >= 0) echo.conference.handleAudioLevel(nowMs, echo, audioLevel, rtp.timestamp);
  if (startsKeyFrame && echo.kind === 'video') layer.handleKeyFrame(nowMs, sequence, rtp.timestamp);
  return true;
}
