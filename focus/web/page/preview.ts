/** The lobby's look at oneself, and what is to be on in the meeting. A device that fails is explained and stays off; joining goes on. */
import { createLocalVideoTrack, type LocalVideoTrack } from 'livekit-client';
import { byId } from './dom.ts';
import { explainDeviceFailure } from './explain.ts';
import { icon } from './icons.ts';

const video = byId('preview-video', HTMLVideoElement);
const note = byId('preview-note', HTMLParagraphElement);
const cameraButton = byId('preview-camera', HTMLButtonElement);
const microphoneButton = byId('preview-microphone', HTMLButtonElement);

export class Preview {
  wantsMicrophone: boolean;
  wantsCamera: boolean;
  #track: LocalVideoTrack | undefined;
  #isBusy = false;

  constructor(wants: { wantsCamera: boolean; wantsMicrophone: boolean }) {
    this.wantsCamera = wants.wantsCamera;
    this.wantsMicrophone = wants.wantsMicrophone;
    cameraButton.addEventListener('click', () => void this.turnCamera(!this.wantsCamera || this.#track === undefined));
    microphoneButton.addEventListener('click', () => {
      this.wantsMicrophone = !this.wantsMicrophone;
      this.#show();
    });
    this.#show();
  }

  async turnCamera(isOn: boolean): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.wantsCamera = isOn;
    let failure = '';
    if (isOn && this.#track === undefined) {
      note.textContent = 'Starting the camera…';
      try {
        this.#track = await createLocalVideoTrack();
        this.#track.attach(video);
      } catch (error) {
        this.wantsCamera = false;
        failure = explainDeviceFailure('camera', error);
      }
    }
    if (!isOn) this.stop();
    this.#isBusy = false;
    this.#show(failure);
  }

  /** Hands the camera over to the meeting: the one who takes the track stops it. */
  takeTrack(): LocalVideoTrack | undefined {
    const track = this.#track;
    track?.detach(video);
    this.#track = undefined;
    return track;
  }

  stop(): void {
    this.takeTrack()?.stop();
  }

  #show(failure = ''): void {
    note.textContent = failure || (this.wantsCamera ? 'The camera starts when you join' : 'Camera is off');
    note.hidden = this.#track !== undefined;
    video.hidden = this.#track === undefined;
    showToggle(cameraButton, 'camera', this.wantsCamera);
    showToggle(microphoneButton, 'microphone', this.wantsMicrophone);
  }
}

function showToggle(button: HTMLButtonElement, device: 'camera' | 'microphone', isOn: boolean): void {
  button.replaceChildren(icon(isOn ? device : `${device}-off`));
  button.classList.toggle('is-off', !isOn);
  button.setAttribute('aria-pressed', String(isOn));
  button.title = `Join with the ${device} ${isOn ? 'on' : 'off'}`;
}
