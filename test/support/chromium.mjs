import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installedProgram } from './installed-program.mjs';

/**
 * A Chromium to start: its path, and the environment it needs.
 * @typedef {{ executablePath: string, env: Record<string, string> }} Chromium
 */

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge-stable'];
const usualPlaces = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** What brings a browser when none was found. */
export const installCommand = '`npm ci` brings one on Linux x64; elsewhere install Chrome, or set CHROME_PATH';

/** For every browser of the tests: containers have no user namespaces, and a small /dev/shm. */
export const launchArguments = ['--no-sandbox', '--disable-dev-shm-usage'];

/**
 * Finds a Chromium: `CHROME_PATH`, then those of the machine, then the one that npm installed. Undefined when there is none.
 * @returns {Promise<Chromium | undefined>}
 */
export async function findChromium() {
  const installed = installedProgram({ variable: 'CHROME_PATH', names, places: usualPlaces });
  return installed === undefined ? bundled() : { executablePath: installed, env: environment() };
}

/** @returns {Promise<Chromium | undefined>} */
async function bundled() {
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  const manifest = join(modules, '@sparticuz/chromium/package.json');
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(manifest)) return undefined;
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  const home = join(modules, '.cache', `chromium-${version}`);
  if (!existsSync(home)) await unpack(home);
  return {
    executablePath: join(home, 'chromium'),
    env: environment({ LD_LIBRARY_PATH: join(home, 'al2023/lib'), FONTCONFIG_PATH: join(home, 'fonts') }),
  };
}

// The package's own configuration looks for the fonts at fixed places outside of it.
const fontsConfiguration = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/**
 * Beside its place, then renamed: no other process ever sees half a browser. The package unpacks into TMPDIR, and its libraries only where it
 * believes to be on Lambda.
 * @param {string} home
 */
async function unpack(home) {
  const part = `${home}.${process.pid}`;
  mkdirSync(part, { recursive: true });
  const before = { ...process.env };
  Object.assign(process.env, { TMPDIR: part, AWS_LAMBDA_JS_RUNTIME: '24.x' });
  try {
    const { default: chromium } = await import('@sparticuz/chromium');
    await chromium.executablePath();
    writeFileSync(join(part, 'fonts/fonts.conf'), fontsConfiguration);
    renameSync(part, home);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(home)) throw error;
  } finally {
    rmSync(part, { recursive: true, force: true });
    for (const name of ['TMPDIR', 'AWS_LAMBDA_JS_RUNTIME', 'LD_LIBRARY_PATH', 'FONTCONFIG_PATH']) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

/**
 * @param {Record<string, string>} [more]
 * @returns {Record<string, string>}
 */
function environment(more = {}) {
  /** @type {Record<string, string>} */
  const all = {};
  for (const [name, value] of Object.entries({ ...process.env, ...more })) if (value !== undefined) all[name] = value;
  return all;
}
