/** The meeting page: a lobby, then a meeting, then the lobby again. */

import { openLobby, showLobbyMessage } from './lobby.ts';
import { enterMeeting } from './meeting.ts';
import { Preview } from './preview.ts';
import { readSettings } from './settings.ts';

const settings = readSettings();
const preview = new Preview(settings);
openLobby(settings, preview, access => enterMeeting(access, preview, showLobbyMessage));
