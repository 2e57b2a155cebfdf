/** The bar at the bottom and its keys: m microphone, v camera, s screen, c chat. */
import type { Room } from 'livekit-client';
import type { Chat } from './chat.ts';
import { byId } from './dom.ts';
import { explainDeviceFailure, isOwnDecision } from './explain.ts';
import { type IconName, icon } from './icons.ts';

const microphoneButton = byId('control-microphone', HTMLButtonElement);
const cameraButton = byId('control-camera', HTMLButtonElement);
const screenButton = byId('control-screen', HTMLButtonElement);
const chatButton = byId('control-chat', HTMLButtonElement);
const leaveButton = byId('control-leave', HTMLButtonElement);

export class Controls {
  readonly #room: Room;
  readonly #chat: Chat;
  readonly #showFailure: (text: string) => void;
  readonly #closed = new AbortController();

  constructor(room: Room, chat: Chat, showFailure: (text: string) => void) {
    this.#room = room;
    this.#chat = chat;
    this.#showFailure = showFailure;
    const { signal } = this.#closed;
    for (const button of [microphoneButton, cameraButton, screenButton]) button.disabled = false;
    microphoneButton.addEventListener('click', () => void this.toggleMicrophone(), { signal });
    cameraButton.addEventListener('click', () => void this.toggleCamera(), { signal });
    screenButton.addEventListener('click', () => void this.toggleScreen(), { signal });
    chatButton.addEventListener('click', () => this.toggleChat(), { signal });
    leaveButton.addEventListener('click', () => void room.disconnect(), { signal });
    document.addEventListener('keydown', event => this.#onKey(event), { signal });
    // Phones cannot share their screen.
    screenButton.hidden = navigator.mediaDevices?.getDisplayMedia === undefined;
    face(leaveButton, 'leave', 'Leave');
    this.show();
  }

  /** Makes the buttons what the room is. */
  show(): void {
    const { isMicrophoneEnabled, isCameraEnabled, isScreenShareEnabled } = this.#room.localParticipant;
    toggleFace(microphoneButton, isMicrophoneEnabled, ['microphone', 'Mute (m)'], ['microphone-off', 'Unmute (m)']);
    toggleFace(cameraButton, isCameraEnabled, ['camera', 'Camera off (v)'], ['camera-off', 'Camera on (v)']);
    face(screenButton, 'screen', isScreenShareEnabled ? 'Stop sharing (s)' : 'Share screen (s)');
    screenButton.classList.toggle('is-on', isScreenShareEnabled);
    screenButton.setAttribute('aria-pressed', String(isScreenShareEnabled));
    face(chatButton, 'chat', this.#chat.isOpen ? 'Close chat (c)' : 'Chat (c)');
    chatButton.setAttribute('aria-pressed', String(this.#chat.isOpen));
  }

  showUnread(count: number): void {
    if (count === 0) delete chatButton.dataset['count'];
    else chatButton.dataset['count'] = count > 99 ? '99+' : String(count);
  }

  async toggleMicrophone(): Promise<void> {
    const { localParticipant } = this.#room;
    await this.#run(microphoneButton, 'microphone', () =>
      localParticipant.setMicrophoneEnabled(!localParticipant.isMicrophoneEnabled),
    );
  }

  async toggleCamera(): Promise<void> {
    const { localParticipant } = this.#room;
    await this.#run(cameraButton, 'camera', () => localParticipant.setCameraEnabled(!localParticipant.isCameraEnabled));
  }

  async toggleScreen(): Promise<void> {
    const { localParticipant } = this.#room;
    await this.#run(screenButton, 'screen', () =>
      localParticipant.setScreenShareEnabled(!localParticipant.isScreenShareEnabled, { audio: true }),
    );
  }

  toggleChat(): void {
    this.#chat.toggle();
    this.show();
  }

  close(): void {
    this.#closed.abort();
    this.showUnread(0);
  }

  /** One press at a time; what fails is said, and the button shows what is. */
  async #run(button: HTMLButtonElement, device: 'camera' | 'microphone' | 'screen', change: () => Promise<unknown>) {
    if (button.disabled) return;
    button.disabled = true;
    try {
      await change();
    } catch (error) {
      if (!(device === 'screen' && isOwnDecision(error))) this.#showFailure(explainDeviceFailure(device, error));
    }
    button.disabled = false;
    this.show();
  }

  #onKey(event: KeyboardEvent): void {
    const isTyping = event.target instanceof HTMLElement && event.target.closest('input, textarea, select') !== null;
    if (event.key === 'Escape' && this.#chat.isOpen) return this.toggleChat();
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === 'm') void this.toggleMicrophone();
    if (event.key === 'v') void this.toggleCamera();
    if (event.key === 's' && !screenButton.hidden) void this.toggleScreen();
    if (event.key === 'c') {
      event.preventDefault();
      this.toggleChat();
    }
  }
}

type Face = readonly [name: IconName, label: string];

function toggleFace(button: HTMLButtonElement, isOn: boolean, on: Face, off: Face): void {
  const [name, label] = isOn ? on : off;
  face(button, name, label);
  button.classList.toggle('is-off', !isOn);
  button.setAttribute('aria-pressed', String(isOn));
}

function face(button: HTMLButtonElement, name: IconName, label: string): void {
  button.replaceChildren(icon(name));
  button.setAttribute('aria-label', label);
  button.title = label;
}
