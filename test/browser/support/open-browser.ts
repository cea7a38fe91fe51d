import { type Browser, chromium } from 'playwright-core';
import { findChromium, installCommand, launchArguments } from '../../support/chromium.mjs';

/** The browser of this machine, or undefined: then it has been said what is missing. */
export async function openBrowser(whatIsSkipped: string): Promise<Browser | undefined> {
  const found = await findChromium();
  if (found === undefined) {
    console.log(`skipped: ${whatIsSkipped}; no Chromium here: ${installCommand}`);
    return undefined;
  }
  return chromium.launch({ ...found, args: launchArguments });
}
