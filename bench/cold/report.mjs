/** CPU and wall milliseconds since the process began, on one line; and out, without waiting for idle connections. */
export function report() {
  const { user, system } = process.cpuUsage();
  const wallMs = performance.now();
  process.stdout.write(`${(user + system) / 1000} ${wallMs}`, () => process.exit());
}
