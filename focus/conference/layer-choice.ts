/** From what a subscriber asks for, in LiveKit's words, to layers. */
import { type TrackInfo, type UpdateTrackSettings, type VideoLayer, VideoQuality } from '@livekit/protocol';

export interface TrackSettings {
  readonly isDisabled: boolean;
  /** 0 to 2. */
  readonly layerMax: number;
  /** 0 to 3, where 3 is all. */
  readonly temporalMax: number;
}

export const LAYER_MAX = 2;
export const TEMPORAL_MAX = 3;
export const DEFAULT_SETTINGS: TrackSettings = { isDisabled: false, layerMax: LAYER_MAX, temporalMax: TEMPORAL_MAX };

/** A layer a little smaller than the element it is shown in does: scaling up by a tenth is not seen. */
const SIZE_TOLERANCE = 0.9;
/** What cameras send. The frame rate of a layer is not signalled, so a wish in frames per second is set against this. */
const FULL_FRAME_RATE = 30;

/** Dimensions, where given, count before the quality. */
export function settingsOf(request: UpdateTrackSettings, info: TrackInfo): TrackSettings {
  return {
    isDisabled: request.disabled || request.quality === VideoQuality.OFF,
    layerMax:
      request.width > 0 && request.height > 0
        ? layerForSize(info.layers, request.width, request.height)
        : layerForQuality(info.layers, request.quality),
    temporalMax: temporalLayerFor(request.fps),
  };
}

/** The highest layer of at most that quality. Without known layers LiveKit's qualities are the layers. */
function layerForQuality(layers: readonly VideoLayer[], quality: VideoQuality): number {
  if (layers.length === 0) return Math.min(quality, LAYER_MAX);
  return Math.max(0, layers.filter(layer => layer.quality <= quality).length - 1);
}

/** The smallest layer that fills the element; the largest when none does. */
function layerForSize(layers: readonly VideoLayer[], width: number, height: number): number {
  const wanted = Math.min(width, height) * SIZE_TOLERANCE;
  const index = layers.findIndex(layer => Math.min(layer.width, layer.height) >= wanted);
  return index < 0 ? LAYER_MAX : index;
}

/** VP8 as clients send it halves the frame rate with each of its three temporal layers left out. */
function temporalLayerFor(framesPerSecond: number): number {
  if (framesPerSecond === 0 || framesPerSecond > FULL_FRAME_RATE / 2) return TEMPORAL_MAX;
  return framesPerSecond > FULL_FRAME_RATE / 4 ? 1 : 0;
}
