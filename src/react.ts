export { useSession } from './react/use-session.js';
