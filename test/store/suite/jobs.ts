import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MakePlace } from '../place.ts'

const NOW = 1_800_000_000_000
const EVERY_MS = 1000

/** Claims of work that one process does for all. */
export function jobsSuite(name: string, make: MakePlace): void {
  test(`${name}: of two that share a store, one gets the claim of each period`, async () => {
    const place = await make()
    const a = await place.open()
    const b = place.isOfOneProcess ? a : await place.open()
    assert.equal(await a.claimJob('sweep', EVERY_MS, NOW), true)
    assert.equal(await b.claimJob('sweep', EVERY_MS, NOW), false)
    assert.equal(await b.claimJob('sweep', EVERY_MS, NOW + EVERY_MS - 1), false)
    assert.equal(await b.claimJob('sweep', EVERY_MS, NOW + EVERY_MS), true)
    assert.equal(await a.claimJob('sweep', EVERY_MS, NOW + EVERY_MS), false)
    assert.equal(await a.claimJob('other', EVERY_MS, NOW), true, 'another name has a claim of its own')
    for (let period = 2; period < 12; period++) {
      const now = NOW + period * EVERY_MS
      const claims = await Promise.all([a, b, b, a].map((store) => store.claimJob('sweep', EVERY_MS, now)))
      assert.equal(claims.filter(Boolean).length, 1, `period ${period}`)
    }
    await a.close()
    if (b !== a) await b.close()
  })

  test(`${name}: a claim is there when the store is opened again`, async () => {
    const place = await make()
    const first = await place.open()
    assert.equal(await first.claimJob('sweep', EVERY_MS, NOW), true)
    await first.close()
    const again = await place.open()
    assert.equal(await again.claimJob('sweep', EVERY_MS, NOW + EVERY_MS - 1), false)
    await again.close()
  })

  test(`${name}: a clock that is a little back claims nothing twice, and one set far back does not wait`, async () => {
    const store = await (await make()).open()
    assert.equal(await store.claimJob('sweep', EVERY_MS, NOW), true)
    assert.equal(await store.claimJob('sweep', EVERY_MS, NOW - EVERY_MS), false)
    assert.equal(await store.claimJob('sweep', EVERY_MS, NOW - EVERY_MS - 1), true)
    assert.equal(await store.claimJob('sweep', EVERY_MS, NOW - EVERY_MS), false)
    await store.close()
  })
}
