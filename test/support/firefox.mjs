import { installedProgram } from './installed-program.mjs';

const names = ['firefox-esr', 'firefox'];
const places = ['/Applications/Firefox.app/Contents/MacOS/firefox', 'C:\\Program Files\\Mozilla Firefox\\firefox.exe'];

/** What brings one when none was found. */
export const installCommand = '`apt-get install firefox-esr`, or set FIREFOX_PATH';

/** The path of a Firefox: `FIREFOX_PATH`, then those of the machine. Undefined when there is none. */
export const findFirefox = () => installedProgram({ variable: 'FIREFOX_PATH', names, places });
