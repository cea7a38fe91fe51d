// Removes what an earlier build left, so that a deleted source cannot live on in `dist`.
import { rmSync } from 'node:fs';

for (const path of process.argv.slice(2)) rmSync(path, { recursive: true, force: true });
