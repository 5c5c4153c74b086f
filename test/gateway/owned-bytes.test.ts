/** What keeps bytes beyond their request holds exactly these bytes, and no slab that they were cut from. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteBuffer, ownedBytes, ownedText } from '../../src/base/memory/bytes.ts'
import { AnswerCache } from '../../src/gateway/cache/cache-entries.ts'
import { IdempotencyMemory, type KeptKey } from '../../src/gateway/idempotency/keys.ts'
import { toKept } from '../../src/gateway/kept-answer.ts'
import { listAnswer } from '../../src/mcp/http/relay.ts'
import { createBatchWriter } from '../../src/record/batch.ts'
import { toBlock } from '../../src/record/block.ts'
import { createKeptValueMemory, openKeptValues } from '../../src/shared-state/memory/kept-values.ts'
import { FragmentText, PackedFragments } from '../../src/snapshot/packed-fragments.ts'
import type { KeyRow, KeyStore } from '../../src/store/ports/places.ts'
import { createKeyKeeper } from '../../src/upkeep/kept/idempotency-keys.ts'
import { CallerMemory } from '../../src/wire/caller-memory.ts'
import { Unread } from '../../src/wire/native/outlet.ts'
import { Tapped } from '../../src/wire/native/tapped.ts'
import { recordFields } from '../programs/record-fields.ts'

/** A view as Node cuts it out of a slab. */
function cut(text: string): Buffer {
  const bytes = Buffer.from(text)
  assert.ok(bytes.buffer.byteLength > bytes.length, 'the test needs bytes of a slab')
  return bytes
}

/** A body as the tap of a response sees it. */
function tapped(text: string): Uint8Array {
  let seen: Uint8Array | null = null
  const tap = new Tapped({
    keepBytesMax: 1024,
    budget: new CallerMemory(100_000).open('a'),
    head: () => null,
    end: (_status, _fields, body) => {
      seen = body
    },
  })
  tap.begin(200, '')
  // In two pieces: the second block has room that is not used
  const bytes = cut(text)
  tap.piece(bytes, 0, 10, false)
  tap.piece(bytes, 10, 12, false)
  tap.piece(bytes, 12, bytes.length, true)
  return seen!
}

const BODY = '{"charge":"ch_1234567890","amount":100,"currency":"EUR"}'

/** A store of keys that keeps rows as SQLite gives them. */
function memoryStore(): KeyStore {
  const rows = new Map<string, KeyRow>()
  return {
    load: () => [...rows.values()],
    loadUnwritable: () => [],
    save(gone, put) {
      for (const key of gone) rows.delete(key)
      for (const row of put) rows.set(row.key, row)
    },
    replace() {},
    look() {},
    close() {},
  } as KeyStore
}

/** What each keeper keeps of small bytes that came out of a slab. */
const KEEPERS: Record<string, () => Uint8Array | readonly Uint8Array[]> = {
  'a response for the cache'() {
    const cache = new AnswerCache(10_000)
    const now = { proxy: {} as never, credential: null, guardrails: '' }
    cache.put('k', {
      ...toKept(200, '', tapped(BODY)),
      ...now,
      keptAt: 0,
      bornAt: 0,
      freshUntil: 10,
      staleUntil: 10,
    })
    return cache.get('k', now, 1)!.body
  },
  'a response for an idempotency key'() {
    const keys = new IdempotencyMemory({ now: () => 0, bytesMax: 10_000, entriesMax: 10 })
    keys.claim('c k', 'f', 0)
    keys.settle('c k', toKept(200, '', tapped(BODY)), 0)
    const [kept] = [...keys.all()]
    return kept!.answer!.body
  },
  'a response that was read from the file of keys'() {
    const keeper = createKeyKeeper(memoryStore(), Buffer.alloc(32), assert.ifError)
    const kept: KeptKey = { key: 'c k', fingerprint: 'f', answer: toKept(200, '', cut(BODY)), until: 1 }
    keeper.keep([], kept)
    return keeper.load().map(({ answer }) => answer!.body)
  },
  'a value of a workflow'() {
    const values = openKeptValues(createKeptValueMemory(8, 1024), 0)
    values.set('k', cut('{"a":1}'), { keptAt: 0, freshUntil: 10, staleUntil: 10 })
    return values.get('k', 0)!.bytes
  },
  'a block of records'() {
    const writer = createBatchWriter(1024)
    writer.add(recordFields({ path: '/orders/7' }))
    const { numbers, text } = toBlock(writer.take())
    return [numbers, text]
  },
  'the response with a list of tools': () => {
    const answer = listAnswer({ json: '[{"name":"tool"}]' }, 'tools', true)
    assert.ok(answer.kind === 'result' && answer.bytes !== undefined)
    return answer.bytes
  },
  'the published configuration': () =>
    PackedFragments.NONE.with([new FragmentText('client:1', 'hash', '{"a":1}')], []).pieces,
}

for (const [what, keep] of Object.entries(KEEPERS))
  test(`${what} holds no more bytes than it has`, () => {
    const views = [keep()].flat()
    assert.ok(views.length > 0)
    for (const { buffer, byteLength } of views) assert.deepEqual(buffer.byteLength, byteLength)
  })

test('bytes that are gathered hold what their budget counts, whatever their pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 5000 }), { minLength: 1, maxLength: 8 }), (lengths) => {
      const all = new CallerMemory(2 ** 30)
      const kept = new ByteBuffer(all.open('a'))
      for (const length of lengths) kept.add(Buffer.alloc(length), 0, length)
      const whole = kept.whole()
      assert.ok(whole.buffer.byteLength <= all.bytes)
      assert.equal(ownedBytes(whole).buffer.byteLength, whole.length)
    }),
  )
})

test('the beginning of a request that a slow client sends holds no slab', () => {
  const unread = new Unread()
  unread.add(cut('GET /ord'), 8)
  unread.keep()
  assert.ok(unread.bytes.buffer.byteLength <= 16)
  unread.add(cut('ers HTTP/1.1'), 12)
  assert.ok(unread.bytes.buffer.byteLength <= 40)
})

test('an owned copy has the same bytes, and bytes that own their buffer are not copied', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat({ max: 9 }), (bytes, before) => {
      const view = Buffer.concat([Buffer.alloc(before), bytes]).subarray(before)
      const owned = ownedBytes(view)
      assert.deepEqual([...owned], [...bytes])
      assert.equal(owned.buffer.byteLength, bytes.length)
      assert.equal(ownedBytes(owned), owned)
    }),
  )
  assert.equal(Buffer.from(ownedText('Zoë')).toString(), 'Zoë')
})
