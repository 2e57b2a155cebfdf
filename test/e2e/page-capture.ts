/** What the browsers of the page tests capture: a drawn person for a camera, and a voice for a microphone. */
import { writeFileSync } from 'node:fs';

type Colour = readonly [red: number, green: number, blue: number];

/** Colours of a drawn person. The wall is what tells whose picture arrived: walls differ by far more than an encoder changes. */
export interface Looks {
  readonly wall: Colour;
  readonly shirt: Colour;
  readonly skin: Colour;
  readonly hair: Colour;
  readonly hasLongHair: boolean;
}

/** Ada, Grace and Junko. */
export const LOOKS: Readonly<Record<'ada' | 'grace' | 'junko', Looks>> = {
  ada: {
    wall: [58, 96, 122],
    shirt: [226, 190, 120],
    skin: [240, 203, 176],
    hair: [74, 48, 36],
    hasLongHair: true,
  },
  grace: {
    wall: [138, 84, 76],
    shirt: [46, 66, 98],
    skin: [232, 186, 156],
    hair: [176, 172, 168],
    hasLongHair: false,
  },
  junko: {
    wall: [82, 118, 86],
    shirt: [208, 96, 84],
    skin: [226, 182, 142],
    hair: [34, 30, 34],
    hasLongHair: true,
  },
};

/**
 * Puts a drawn person of 640 x 360 at 10 frames/s in the camera's place. Runs inside the page, before its own modules, so it can use nothing
 * of this file. Microphone and screen stay the browser's.
 */
export function installCamera(looks: Looks): void {
  const devices = navigator.mediaDevices;
  const captureNatively = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (constraints = {}) => {
    if (!constraints.video) return captureNatively(constraints);
    const camera = openCamera();
    if (!constraints.audio) return camera;
    const microphone = await captureNatively({ audio: constraints.audio });
    return new MediaStream([...camera.getTracks(), ...microphone.getTracks()]);
  };

  function openCamera(): MediaStream {
    const canvas = document.createElement('canvas');
    canvas.width = 640;
    canvas.height = 360;
    const context = canvas.getContext('2d')!;
    let frame = 0;
    draw(context, frame);
    const stream = canvas.captureStream(10);
    const timer = setInterval(() => {
      if (stream.getVideoTracks()[0]?.readyState === 'ended') clearInterval(timer);
      else draw(context, ++frame);
    }, 100);
    return stream;
  }

  function draw(context: CanvasRenderingContext2D, frame: number): void {
    const sway = 5 * Math.sin(frame / 9);
    const nod = 2 * Math.sin(frame / 5);
    context.fillStyle = css(looks.wall);
    context.fillRect(0, 0, 640, 360);
    context.fillStyle = 'rgb(255 255 255 / 16%)';
    context.fillRect(452, 48, 130, 150);
    context.fillStyle = 'rgb(0 0 0 / 14%)';
    context.fillRect(0, 286, 640, 74);
    const x = 320 + sway;
    const y = 158 + nod;
    context.fillStyle = css(looks.hair);
    if (looks.hasLongHair) ellipse(context, x, y + 34, 88, 116);
    context.fillStyle = css(looks.shirt);
    ellipse(context, x, 388, 152, 118);
    context.fillStyle = css(looks.skin);
    context.fillRect(x - 25, y + 50, 50, 62);
    ellipse(context, x, y + 112, 40, 22);
    context.fillStyle = css(looks.hair);
    ellipse(context, x, y - 22, 77, 80);
    context.fillStyle = css(looks.skin);
    ellipse(context, x, y + 8, 64, 76);
    context.fillStyle = '#22262b';
    const isBlinking = frame % 37 === 0;
    for (const side of [-1, 1]) ellipse(context, x + side * 25, y, 6, isBlinking ? 1 : 7);
    context.fillStyle = '#8f3f46';
    ellipse(context, x, y + 44, 20, 5 + 4 * Math.abs(Math.sin(frame * 0.9)));
  }

  function ellipse(context: CanvasRenderingContext2D, x: number, y: number, radiusX: number, radiusY: number): void {
    context.beginPath();
    context.ellipse(x, y, radiusX, radiusY, 0, 0, 2 * Math.PI);
    context.fill();
  }

  function css(colour: Colour): string {
    return `rgb(${colour.join(' ')})`;
  }
}

const SAMPLE_RATE_HZ = 48_000;
const DURATION_S = 4;
const PITCH_HZ = 150;
const HARMONICS = 12;
/** Chromium's own fake microphone beeps once a second, which nobody takes for speech. */
const SYLLABLES_PER_SECOND = 4;

/** Writes a voice as a WAV file (PCM, mono, 16 bits), to be played in a loop: whole periods and syllables fit into it. */
export function writeVoice(path: string): void {
  const samples = SAMPLE_RATE_HZ * DURATION_S;
  const data = Buffer.alloc(44 + samples * 2);
  data.write('RIFF', 0);
  data.writeUInt32LE(data.length - 8, 4);
  data.write('WAVEfmt ', 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(SAMPLE_RATE_HZ, 24);
  data.writeUInt32LE(SAMPLE_RATE_HZ * 2, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write('data', 36);
  data.writeUInt32LE(samples * 2, 40);
  for (let index = 0; index < samples; index++) {
    data.writeInt16LE(Math.round(9_000 * voiceAt(index / SAMPLE_RATE_HZ)), 44 + index * 2);
  }
  writeFileSync(path, data);
}

/** Between -1 and 1: a buzz like that of vocal cords, opened and closed in the rhythm of syllables. */
function voiceAt(timeS: number): number {
  const opening = Math.max(0, Math.sin(2 * Math.PI * SYLLABLES_PER_SECOND * timeS)) ** 0.5;
  let buzz = 0;
  for (let harmonic = 1; harmonic <= HARMONICS; harmonic++) {
    buzz += Math.sin(2 * Math.PI * PITCH_HZ * harmonic * timeS) / harmonic;
  }
  return (opening * buzz) / 2;
}
