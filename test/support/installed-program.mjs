import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * A program of this machine: what `variable` names, else the first of `names` in the PATH, else the first of `places`. Undefined when there is none.
 * @param {{ variable: string, names: readonly string[], places: readonly string[] }} wanted
 * @returns {string | undefined}
 */
export function installedProgram({ variable, names, places }) {
  const chosen = process.env[variable];
  if (chosen) {
    if (!isExecutable(chosen)) throw new Error(`${variable} names no program: ${chosen}`);
    return chosen;
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places].find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
