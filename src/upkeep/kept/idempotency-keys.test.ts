import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, mock, test } from 'node:test'
import { createClock } from '../../base/clock.ts'
import { IdempotencyMemory } from '../../gateway/idempotency/keys.ts'
import { toKept } from '../../gateway/kept-answer.ts'
import type { KeyStore } from '../../store/ports/places.ts'
import { openKeyStore } from '../../store/sqlite/idempotency-keys.ts'
import { createKeyKeeper, openIdempotencyKeys } from './idempotency-keys.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-keys-'))
after(() => rmSync(directory, { recursive: true }))

let files = 0
const newFile = (): string => join(directory, `${++files}.db`)

const HOUR = 3_600_000
const SEAL_KEY = Buffer.alloc(32, 1)
const ANSWER = toKept(
  201,
  'set-cookie: session=top-secret\r\nx-name: Zoë\r\n',
  Buffer.from('{"iban":"DE12"}\0\xff'),
)

interface Process {
  readonly sealKey?: Uint8Array
  readonly entriesMax?: number
  readonly report?: (error: unknown) => void
}

/** The memory as a process has it, until it ends. */
function started(store: KeyStore, now: () => number, { sealKey, entriesMax, report }: Process = {}) {
  const keeper = createKeyKeeper(store, sealKey ?? SEAL_KEY, report ?? assert.ifError)
  const keys = new IdempotencyMemory({ now, bytesMax: 1_000_000, entriesMax: entriesMax ?? 100, keeper })
  keys.restore(keeper.load())
  const claim = (key: string, fingerprint = 'f') => keys.claim(`cli_1 ${key}`, fingerprint, 0)
  const answer = (key: string, given: typeof ANSWER | null = ANSWER): void => {
    assert.equal(claim(key).state, 'claimed')
    keys.settle(`cli_1 ${key}`, given, 0)
  }
  return { keys, keeper, claim, answer, mend: () => keeper.mend(() => keys.all()) }
}

test('what is known of a key outlives a process that nobody ended, until a day has passed', () => {
  const file = newFile()
  let now = 1000
  const first = started(openKeyStore(file), () => now)
  assert.throws(() => statSync(file), 'without a key there is no file')
  first.answer('answered')
  first.answer('unkept', null)
  first.claim('open')
  first.claim('released')
  first.keys.release('cli_1 released', 0)

  const second = started(openKeyStore(file), () => now)
  assert.deepEqual(second.claim('answered'), { state: 'answered', answer: ANSWER })
  assert.equal(second.claim('answered', 'other').state, 'conflict')
  assert.equal(second.claim('unkept').state, 'forgotten')
  assert.equal(second.claim('open').state, 'cut_off')
  assert.equal(second.claim('open', 'other').state, 'conflict')
  assert.equal(second.claim('released').state, 'claimed')
  second.keys.settle('cli_1 released', ANSWER, 0)
  now += 23 * HOUR
  second.answer('late')
  now += HOUR
  second.keys.expire(2)
  assert.equal(second.keys.size, 3)
  second.keys.expire(2)

  const third = openKeyStore(file)
  assert.deepEqual(
    third.load().map(({ key }) => key),
    ['cli_1 late'],
  )
  assert.equal(started(third, () => now).claim('answered').state, 'claimed')
})

test('the file is for its owner alone, and its answers are sealed', () => {
  const file = newFile()
  const { answer } = started(openKeyStore(file), () => 0)
  answer('k')
  for (const part of [file, `${file}-wal`]) {
    assert.equal(statSync(part).mode & 0o777, 0o600, part)
    const bytes = readFileSync(part)
    for (const text of [
      'iban',
      'session',
      'top-secret',
      ...['iban', 'cookie'].map((word) => btoa(word).slice(0, 5)),
    ])
      assert.equal(bytes.includes(text), false, `${part} holds ${text}`)
  }
  const other = started(openKeyStore(file), () => 0, { sealKey: Buffer.alloc(32, 2) })
  assert.equal(other.claim('k').state, 'forgotten')
})

test('what is forgotten at the bounds is forgotten in the file, and a clock that was set back keeps nothing longer', () => {
  const file = newFile()
  const store = openKeyStore(file)
  let now = 48 * HOUR
  const first = started(store, () => now, { entriesMax: 2 })
  for (const key of ['a', 'b', 'c']) first.answer(key)
  assert.deepEqual(
    store
      .load()
      .map(({ key }) => key)
      .sort(),
    ['cli_1 b', 'cli_1 c'],
  )
  now = 0
  const second = started(openKeyStore(file), () => now, { entriesMax: 1 })
  assert.equal(second.keys.size, 1)
  now = 24 * HOUR
  assert.equal(second.claim('c').state, 'claimed')
})

test('a store that fails is told of once and holds up no call; when it works again, everything is kept', () => {
  const file = newFile()
  const store = openKeyStore(file)
  let isFull = true
  const refuse = (): void => {
    if (isFull) throw new Error('full')
  }
  const told: unknown[] = []
  const failing: KeyStore = {
    ...store,
    save(...given) {
      refuse()
      store.save(...given)
    },
    replace(rows) {
      refuse()
      store.replace(rows)
    },
  }
  const first = started(failing, () => 0, { report: (error) => told.push(String(error)) })
  first.answer('a')
  first.answer('b')
  assert.equal(first.claim('a').state, 'answered')
  assert.deepEqual(told, ['Error: full'])
  assert.throws(() => first.mend(), /full/)
  isFull = false
  first.answer('c')
  first.mend()
  first.answer('d')
  assert.deepEqual(
    store
      .load()
      .map(({ key }) => key)
      .sort(),
    ['a', 'b', 'c', 'd'].map((key) => `cli_1 ${key}`),
  )
})

test('a damaged file is told of and begun anew, one that cannot be opened is told of and does without', () => {
  const file = newFile()
  writeFileSync(file, 'damaged '.repeat(1000))
  const told: unknown[] = []
  const { answer } = started(openKeyStore(file), () => 0, { report: (error) => told.push(error) })
  assert.match(String(told), /store is damaged/)
  answer('k')
  assert.equal(started(openKeyStore(file), () => 0).claim('k').state, 'answered')
  const unopened: unknown[] = []
  const without = started(openKeyStore(directory), () => 0, { report: (error) => unopened.push(error) })
  assert.match(String(unopened), /cannot be opened/)
  without.answer('m')
  assert.equal(without.claim('m').state, 'answered')
})

test('what could not be written while the process ran is written when it ends', async () => {
  const parts = new AsyncDisposableStack()
  const told: string[] = []
  const file = join(directory, 'idempotency.db')
  const store = openKeyStore(file)
  parts.defer(() => store.close())
  const { keys } = openIdempotencyKeys({
    store,
    sealKey: SEAL_KEY,
    clock: createClock(),
    unwritable: null,
    fault: (error, at) => told.push(`${at}: ${error}`),
    parts,
  })
  keys.claim('cli_1 before', 'f', 0)
  const other = new DatabaseSync(file)
  other.exec('BEGIN IMMEDIATE')
  assert.equal(keys.claim('cli_1 k', 'f', 0).state, 'claimed')
  keys.settle('cli_1 k', ANSWER, 0)
  assert.match(
    told.join(),
    /^idempotency keys are not kept over a restart: StoreUnavailable: Another process holds/,
  )
  other.close()
  await parts.disposeAsync()
  const kept = started(openKeyStore(file), Date.now)
  assert.deepEqual(kept.claim('k'), { state: 'answered', answer: ANSWER })
  assert.equal(kept.claim('before').state, 'cut_off')
  assert.equal(told.length, 1)
})

test('a clock that jumps drops no key early and keeps none longer, in this process and in the next one', async () => {
  for (const jump of [500 * 24 * HOUR, -500 * 24 * HOUR]) {
    const store = openKeyStore(newFile())
    let wall = 1_800_000_000_000
    let passed = 0
    const clock = { now: () => wall, monotonic: () => passed }
    const pass = (ms: number): void => {
      wall += ms
      passed += ms
      // The work of each second
      mock.timers.tick(1000)
    }
    mock.timers.enable({ apis: ['setInterval'] })
    try {
      /** A process, until it is killed. */
      const begun = () => {
        const parts = new AsyncDisposableStack()
        const its = { store, sealKey: SEAL_KEY, clock, unwritable: null, parts, fault: assert.ifError }
        return { ...openIdempotencyKeys(its), parts }
      }
      const state = (keys: IdempotencyMemory): string => keys.claim('cli_1 key', 'f', 0).state
      const first = begun()
      assert.equal(state(first.keys), 'claimed')
      first.keys.settle('cli_1 key', ANSWER, 0)
      wall += jump
      pass(23 * HOUR)
      assert.equal(state(first.keys), 'answered')
      const second = begun()
      assert.equal(state(second.keys), 'answered', 'the file has times of the new clock')
      pass(HOUR)
      assert.equal(state(first.keys), 'claimed', 'a day has passed')
      assert.equal(state(second.keys), 'claimed')
    } finally {
      mock.timers.reset()
    }
  }
})
