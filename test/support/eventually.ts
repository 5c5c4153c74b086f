const DEADLINE_MS = 20_000
/** The longest pause between two checks. */
const PAUSE_MAX_MS = 25
/** A pause is this share of the time waited, so that a wait ends at most so much later than it could. */
const PAUSE_SHARE = 1 / 8

/**
 * Waits until `check` holds. Asks often at first and less often later: a check is often a call of a whole server, and
 * without pauses these calls took most of the CPU time of some test files.
 *
 * @param what what did not happen, for the error.
 */
export async function eventually(
  check: () => boolean | Promise<boolean>,
  what: () => string = () => 'it',
): Promise<void> {
  const start = performance.now()
  while (!(await check())) {
    const waited = performance.now() - start
    if (waited > DEADLINE_MS) throw new Error(`waited too long: ${what()}`)
    const pause = Math.min(PAUSE_MAX_MS, Math.max(1, waited * PAUSE_SHARE))
    await new Promise((done) => setTimeout(done, pause))
  }
}
