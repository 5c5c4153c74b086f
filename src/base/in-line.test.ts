import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InLine } from './in-line.ts'

test('of each key so many pieces run at the same time, in order; a piece that fails gives its place back', async () => {
  const line = new InLine(2)
  const began: string[] = []
  const ends = new Map<string, { resolve(): void; reject(error: Error): void }>()
  const run = (key: string, name: string): Promise<void> =>
    line.run(key, () => {
      began.push(name)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      ends.set(name, { resolve, reject })
      return promise
    })
  const turn = (): Promise<void> => new Promise((done) => setImmediate(done))
  const all = ['a', 'b', 'c', 'd'].map((name) => run('one', name))
  const other = run('other', 'x')
  await turn()
  assert.deepEqual(began, ['a', 'b', 'x'])
  ends.get('b')!.reject(new Error('no'))
  await assert.rejects(all[1]!, /no/)
  await turn()
  assert.deepEqual(began, ['a', 'b', 'x', 'c'])
  ends.get('a')!.resolve()
  ends.get('c')!.resolve()
  await turn()
  ends.get('d')!.resolve()
  ends.get('x')!.resolve()
  await Promise.all([all[0], all[2], all[3], other])
  assert.deepEqual(began, ['a', 'b', 'x', 'c', 'd'])
})
