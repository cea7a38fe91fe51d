import { scheduleSuite } from './world/schedule-suite.js';

scheduleSuite(1);
