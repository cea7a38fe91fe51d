import { scheduleSuite } from './world/schedule-suite.js';

// Two files, so that two processors share the work.
scheduleSuite(0);
