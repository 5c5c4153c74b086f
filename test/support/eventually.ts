import assert from 'node:assert/strict'

/** Waits until `check` holds, at most ten seconds. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await check())) {
    assert.ok(performance.now() < end, 'it did not happen in time')
    await new Promise((done) => setTimeout(done, 5))
  }
}
