import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOriginWatch } from './origin-probing.ts'

/** A watch whose clock is moved by hand. `answers` is what each probe comes to. */
function watching() {
  let now = 1_000_000
  const asked: string[] = []
  const faults: unknown[] = []
  const own = {
    answers: true as boolean | null | Error,
    hold: null as Promise<void> | null,
    meanwhile: () => {},
    down: new Set<string>(),
  }
  const watch = createOriginWatch({
    clock: { monotonic: () => now },
    async refresh(origin) {
      asked.push(origin)
      own.meanwhile()
      await own.hold
      if (own.answers instanceof Error) throw own.answers
      return own.answers
    },
    outages: async () => own.down,
    fault: (error) => faults.push(error),
  })
  return {
    watch,
    own,
    asked,
    faults,
    /** What is asked within so long, looked at each quarter of a second as serve.ts does. */
    async within(ms: number): Promise<readonly string[]> {
      asked.length = 0
      for (const end = now + ms; now < end; now += 250) await watch.tick()
      return [...asked]
    },
  }
}

test('a change is read once, soon, however often it was told; the next one after the least interval', async () => {
  const { watch, within } = watching()
  for (let count = 0; count < 100; count++) watch.news('a', 'changed')
  assert.deepEqual(await within(1000), ['a'])
  watch.news('a', 'changed')
  watch.news('b', 'changed')
  assert.deepEqual(await within(3500), ['b'])
  assert.deepEqual(await within(1500), ['a'])
  assert.deepEqual(await within(60_000), [])
})

test('a storm is read each 5 seconds, and what it says last is read', async () => {
  const { watch, within } = watching()
  let reads = 0
  for (let second = 0; second < 60; second++) {
    watch.news('a', 'changed')
    reads += (await within(1000)).length
  }
  assert.ok(reads >= 11 && reads <= 12, `${reads}`)
  watch.news('a', 'changed')
  assert.deepEqual(await within(5250), ['a'])
})

test('what is told while an origin is read leads to another read', async () => {
  const { watch, own, within } = watching()
  own.meanwhile = () => {
    own.meanwhile = () => {}
    watch.news('a', 'changed')
  }
  watch.news('a', 'changed')
  assert.deepEqual(await within(1000), ['a'])
  assert.deepEqual(await within(6000), ['a'])
  assert.deepEqual(await within(60_000), [])
})

test('the first stream since the start leads to no read; that of another thread does', async () => {
  const { watch, within } = watching()
  watch.news('a', 'opened')
  assert.deepEqual(await within(10_000), [])
  watch.news('a', 'opened')
  assert.deepEqual(await within(1000), ['a'])
})

test('a stream that broke off and stands again leads to few reads', async () => {
  const { watch, within } = watching()
  let reads = 0
  for (let minute = 0; minute < 20; minute++) {
    watch.news('a', 'reopened')
    reads += (await within(60_000)).length
  }
  assert.ok(reads >= 4 && reads <= 5, `${reads}`)
})

test('failed calls have the origin asked at once, and less and less often while it answers', async () => {
  const { watch, own, within } = watching()
  const failing = async (seconds: number): Promise<number> => {
    let reads = 0
    for (let second = 0; second < seconds; second++) {
      watch.failed('a')
      reads += (await within(1000)).length
    }
    return reads
  }
  assert.equal(await failing(1), 1)
  const early = await failing(60)
  assert.ok(early <= 4, `${early}`)
  assert.ok((await failing(300)) <= 6)
  own.answers = false
  await failing(60)
  assert.ok((await failing(60)) >= 11)
})

test('an origin that is down is asked each 15 seconds, however often calls fail', async () => {
  const { watch, own, within } = watching()
  own.answers = false
  watch.failed('a')
  own.meanwhile = () => {
    own.down = new Set(['a'])
  }
  assert.deepEqual(await within(1000), ['a'])
  let reads = 0
  for (let second = 0; second < 60; second++) {
    watch.failed('a')
    reads += (await within(1000)).length
  }
  assert.ok(reads === 4 || reads === 3, `${reads}`)
  own.meanwhile = () => {}
  own.answers = true
  own.down = new Set()
  await within(20_000)
  assert.deepEqual(await within(60_000), [])
})

test('one that other processes have found down is asked too', async () => {
  const { own, within } = watching()
  assert.deepEqual(await within(10_000), [])
  own.down = new Set(['b'])
  assert.deepEqual(await within(10_000), ['b'])
  assert.deepEqual(await within(14_000), ['b'])
})

test('an origin that cannot be asked now is asked again; one that is gone is not', async () => {
  const { watch, own, faults, within } = watching()
  own.answers = new Error('no thread answers')
  watch.news('a', 'changed')
  assert.deepEqual(await within(1000), ['a'])
  assert.equal(faults.length, 1)
  own.answers = null
  assert.deepEqual(await within(6000), ['a'])
  assert.deepEqual(await within(60_000), [])
})

test('few origins are asked at once, and the others after them', async () => {
  const { watch, own, asked, within } = watching()
  let release = (): void => {}
  own.hold = new Promise((resolve) => {
    release = resolve
  })
  for (let count = 0; count < 20; count++) watch.failed(`o${count}`)
  const first = [watch.tick(), watch.tick()]
  await new Promise((done) => setImmediate(done))
  own.hold = null
  assert.equal(asked.length, 8)
  release()
  await Promise.all(first)
  assert.equal((await within(1000)).length, 12)
})
