// From here Node finds the ky that tokenkeep uses; from `peers` it would look among the peers.
export { default as ky } from 'ky';
