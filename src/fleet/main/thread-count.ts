/** Decides how many gateway threads run: one if the system cannot share a port. */
export interface ThreadCount {
  /** Gateway threads that there are to be. */
  readonly count: number
  /** They listen on the same port. */
  readonly reusePort: boolean
}

/** `reusePort` with balancing between sockets: Linux and the BSDs that Node knows (see `listen` in node:net). */
const SHARING: readonly string[] = ['linux', 'freebsd']

/** As many gateway threads as are set; one where the system cannot share a port, which the log is told. */
export function threadCountOf(
  workers: number,
  log: (level: 'warn', message: string) => void,
  platform: string = process.platform,
): ThreadCount {
  const reusePort = SHARING.includes(platform)
  if (!reusePort && workers > 1)
    log(
      'warn',
      `this system cannot share a port between threads; running 1 gateway thread instead of ${workers}`,
    )
  return { count: reusePort ? workers : 1, reusePort }
}
