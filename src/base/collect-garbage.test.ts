import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { collectGarbage } from './collect-garbage.ts'

test('what nothing refers to is collected, the rest stays, and programs see no collector', async () => {
  const kept = { large: new Array(1000).fill('kept') }
  const gone = new WeakRef({ large: new Array(1000).fill('gone') })
  // A WeakRef keeps its target until the turn has ended
  await turn()
  collectGarbage()
  assert.equal(gone.deref(), undefined)
  assert.equal(kept.large.length, 1000)
  assert.equal('gc' in globalThis, false)
})
