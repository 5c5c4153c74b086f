import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Invoked } from '../../operations/engine/call.ts'
import { boundedPage, LIST_BYTES_MAX, LIST_LIMIT } from './tools.ts'

/** A list of items of these sizes, whose cursor is the place of the next one. */
function listOf(sizes: readonly number[], from = 0) {
  const asked: unknown[] = []
  const ask = async (limit: unknown): Promise<Invoked> => {
    asked.push(limit)
    const end = from + Number(limit)
    const items = sizes.slice(from, end).map((size, at) => ({ at: from + at, text: 'é'.repeat(size / 2) }))
    const next_cursor = end < sizes.length ? String(end) : null
    return {
      status: 200,
      output: { items, next_cursor },
      revision: null,
      configRevision: null,
      pending: false,
      diff: null,
    }
  }
  return { ask, asked }
}

describe('a page for a model', () => {
  test('that fits is as it was answered, twenty items where nobody says how many', async () => {
    const { ask, asked } = listOf(Array.from({ length: 50 }, () => 100))
    const { output } = await boundedPage(ask, undefined)
    assert.equal((output['items'] as unknown[]).length, LIST_LIMIT)
    assert.deepEqual([output['next_cursor'], output['hint']], [String(LIST_LIMIT), undefined])
    assert.deepEqual(asked, [LIST_LIMIT])
  })

  test('that does not is cut at whole items, and its cursor goes on from there until the end', async () => {
    const sizes = Array.from({ length: 40 }, (_, at) => ((at * 7919) % 13) * 1000)
    const seen: number[] = []
    for (let from = 0, left = true; left; ) {
      const { output } = await boundedPage(listOf(sizes, from).ask, 30)
      const items = output['items'] as { at: number }[]
      assert.ok(items.length > 0)
      assert.ok(Buffer.byteLength(JSON.stringify(items)) <= LIST_BYTES_MAX + 2)
      seen.push(...items.map(({ at }) => at))
      left = output['next_cursor'] !== null
      if (left) assert.match(String(output['hint']), /Go on with next_cursor/)
      from = Number(output['next_cursor'])
    }
    assert.deepEqual(seen, [...sizes.keys()])
  })

  test('tells of an item that fits nowhere what is small', async () => {
    const { output } = await boundedPage(listOf([100_000, 10]).ask, 5)
    assert.deepEqual(output['items'], [{ at: 0 }])
    assert.equal(output['next_cursor'], '1')
    assert.match(String(output['hint']), /without its large members/)
  })

  test('leaves a limit of the wrong form to the operation', async () => {
    const { ask, asked } = listOf([10])
    await boundedPage(ask, 'many')
    assert.deepEqual(asked, ['many'])
  })
})
