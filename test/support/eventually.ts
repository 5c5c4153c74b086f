const DEADLINE_MS = 20_000

/** Waits until `check` holds. @param what what did not happen, for the error. */
export async function eventually(
  check: () => boolean | Promise<boolean>,
  what: () => string = () => 'it',
): Promise<void> {
  const end = performance.now() + DEADLINE_MS
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`waited too long: ${what()}`)
    await new Promise((done) => setTimeout(done, 1))
  }
}
