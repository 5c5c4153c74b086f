/** While the imports of a program load, its starter may end already. */
const STARTER = process.ppid
const LOOK_MS = 500

/**
 * Resolves when the process has to stop, with the reason: SIGINT, SIGTERM, or the end of the npm script that started it.
 * npm passes signals on to the shell of a script, and that shell ends without passing them on: what it runs would stay.
 * Started in other ways, a process may outlive its starter.
 */
export function stopSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve)
  if (process.env['npm_lifecycle_event'] !== undefined) {
    const look = setInterval(() => {
      if (process.ppid !== STARTER) resolve('the script that started it has ended')
    }, LOOK_MS)
    void promise.then(() => clearInterval(look))
  }
  return promise
}
