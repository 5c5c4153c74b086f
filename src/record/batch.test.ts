import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { recordFields } from '../../test/programs/record-fields.ts'
import { createBatchWriter } from './batch.ts'
import { decodeBatch, mergeBlocks, readBlock, toBlock } from './block.ts'
import {
  CALL_REASON_CHARS_MAX,
  CUT_MARK,
  FIRST_ROW_BYTES,
  RECORD_CHARS_MAX,
  type RecordFields,
  ROW_BYTES,
  SECOND_ROW_BYTES,
} from './fields.ts'

/** Any UTF-16, control characters, separators and lone surrogates included. */
const text = (maxLength: number) =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength }),
    fc.string({ unit: 'grapheme', maxLength: Math.floor(maxLength / 12) }),
    fc.constantFrom('', '\0', '\ud800', '","', '\n\t', '\ufeff', '[]'),
  )
const float = fc.float({ min: 0, max: 1e6, noNaN: true, noDefaultInfinity: true })
const plain = { noNullPrototype: true } as const
const fields: fc.Arbitrary<RecordFields> = fc.record(
  {
    id: text(128),
    timeMs: fc.integer({ min: 0, max: 4e12 }),
    surface: fc.constantFrom(0, 1, 2),
    method: text(20),
    path: text(300),
    route: text(40),
    collection: text(10),
    proxy: text(10),
    virtualMcp: text(10),
    origin: text(10),
    client: text(10),
    profile: text(10),
    credentialId: text(10),
    user: text(10),
    subject: text(40),
    agentHost: text(20),
    ip: text(45),
    status: fc.integer({ min: 0, max: 599 }),
    code: text(10),
    reason: text(100),
    stoppedAt: fc.integer({ min: -1, max: 19 }),
    check: text(10),
    durationMs: float,
    upstreamMs: fc.oneof(fc.constant(-1), float),
    bytesIn: fc.maxSafeNat(),
    bytesOut: fc.maxSafeNat(),
    upstreamStatus: fc.integer({ min: -1, max: 599 }),
    upstreamTarget: text(40),
    retries: fc.integer({ min: -1, max: 254 }),
    cache: fc.integer({ min: 0, max: 4 }),
    nearestLimit: text(20),
    workflowTrace: fc.oneof(
      fc.constant(''),
      text(300),
      fc.constant('x'.repeat(RECORD_CHARS_MAX.workflowTrace)),
    ),
    traceId: fc.constantFrom('', 'a'.repeat(32), '0af7651916cd43dd8448eb211c80319c'),
    aborted: fc.boolean(),
    isStream: fc.boolean(),
    argumentBytes: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    count: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    guardrailHits: fc.constantFrom(
      '',
      '[{"rule":"gdr_1","detector":"pii","leg":"request","action":"mask","observed":false,"count":3}]',
    ),
    agent: fc.option(
      fc.record(
        {
          name: text(30),
          version: text(10),
          sessionId: text(30),
          conversationId: text(30),
          mcpMethod: text(30),
          tool: text(30),
          mcpRequestId: text(30),
          reason: text(100),
        },
        plain,
      ),
    ),
  },
  plain,
)

/** What survives storing: UTF-8 has no lone surrogates. Agents and words are JSON, which has. */
function wellFormed(record: RecordFields): RecordFields {
  const { id, method, path, ip, reason, workflowTrace } = record
  return {
    ...record,
    id: id.toWellFormed(),
    method: method.toWellFormed(),
    path: path.toWellFormed(),
    ip: ip.toWellFormed(),
    reason: reason.toWellFormed(),
    workflowTrace: workflowTrace.toWellFormed(),
  }
}

function batchOf(records: readonly RecordFields[]) {
  const writer = createBatchWriter(records.length)
  for (const record of records) writer.add(record)
  return writer.take()
}

test('whatever text a caller sends, a batch decodes to the records that were added', () => {
  fc.assert(
    fc.property(fc.array(fields, { minLength: 1, maxLength: 20 }), (records) => {
      const batch = batchOf(records)
      const moved = structuredClone(batch, { transfer: [batch.numbers] })
      assert.equal(batch.numbers.byteLength, 0, 'the numbers were transferred')
      assert.deepEqual(decodeBatch(moved), records)
    }),
    { numRuns: 200 },
  )
})

test('a stored block reads as the records it was made of, and merging blocks keeps them in order', () => {
  const lists = fc.array(fc.array(fields, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(lists, (groups) => {
      const blocks = groups.map((records) => toBlock(batchOf(records)))
      const merged = readBlock(mergeBlocks(blocks))
      const expected = groups.flat().map(wellFormed)
      assert.deepEqual(
        Array.from({ length: merged.count }, (_, row) => merged.fields(row)),
        expected,
      )
    }),
    { numRuns: 100 },
  )
})

test('a writer that was emptied starts anew and leaves what it gave alone', () => {
  const writer = createBatchWriter(4)
  writer.add(recordFields({ id: 'first', path: '/a' }))
  const first = writer.take()
  writer.add(recordFields({ id: 'second', path: '/bb', client: 'cli_other' }))
  assert.equal(decodeBatch(first)[0]?.id, 'first')
  assert.deepEqual(
    decodeBatch(writer.take()).map(({ id, client }) => [id, client]),
    [['second', 'cli_other']],
  )
})

test('every text of a record is cut at its bound with a mark, and does not reach into the next record', () => {
  const long = '\0'.repeat(100_000)
  const agent = {
    name: long,
    version: long,
    sessionId: long,
    conversationId: long,
    mcpMethod: long,
    tool: long,
    mcpRequestId: long,
    reason: long,
  }
  const plain = recordFields()
  const texts = Object.entries(plain).filter(
    ([name, value]) => typeof value === 'string' && name !== 'traceId' && name !== 'workflowTrace',
  )
  const monster = { ...plain, ...Object.fromEntries(texts.map(([name]) => [name, long])), agent }
  const records = decodeBatch(batchOf([monster, recordFields({ id: 'next' })]))
  const { agent: cut, ...first } = records[0]!
  const bounds = new Map<string, number>(Object.entries(RECORD_CHARS_MAX))
  for (const [name] of texts) {
    const value = String(Object.entries(first).find(([other]) => other === name)?.[1])
    assert.equal(value.length, bounds.get(name) ?? RECORD_CHARS_MAX.word, name)
    assert.ok(value.endsWith(CUT_MARK), name)
  }
  for (const [name, value] of Object.entries(cut!)) {
    assert.equal(value.length, name === 'reason' ? CALL_REASON_CHARS_MAX : RECORD_CHARS_MAX.agentField, name)
    assert.ok(value.endsWith(CUT_MARK), name)
  }
  assert.deepEqual(records[1], recordFields({ id: 'next' }))
})

test('blocks of earlier releases, with shorter rows, read with what is missing as missing', () => {
  const cut = (record: RecordFields, rowBytes: number): RecordFields => ({
    ...record,
    virtualMcp: '',
    origin: '',
    argumentBytes: 0,
    ...(rowBytes === SECOND_ROW_BYTES
      ? {}
      : {
          check: '',
          user: '',
          subject: '',
          agentHost: '',
          upstreamTarget: '',
          nearestLimit: '',
          retries: -1,
          count: 1,
        }),
  })
  const cases = fc.tuple(
    fc.array(fields, { minLength: 1, maxLength: 8 }),
    fc.constantFrom(FIRST_ROW_BYTES, SECOND_ROW_BYTES),
  )
  fc.assert(
    fc.property(cases, ([records, rowBytes]) => {
      const block = toBlock(batchOf(records))
      const numbers = new Uint8Array(records.length * rowBytes)
      for (const row of records.keys())
        numbers.set(block.numbers.subarray(row * ROW_BYTES, row * ROW_BYTES + rowBytes), row * rowBytes)
      const old = { ...block, numbers }
      const expected = records.map((record) => cut(wellFormed(record), rowBytes))
      for (const rows of [readBlock(old), readBlock(mergeBlocks([old]))])
        assert.deepEqual(
          Array.from({ length: rows.count }, (_, row) => rows.fields(row)),
          expected,
        )
    }),
    { numRuns: 100 },
  )
})

test('a damaged block is refused and not misread', () => {
  const block = toBlock(batchOf([recordFields(), recordFields()]))
  assert.throws(() => readBlock({ ...block, rows: 3 }), /wrong size/)
  assert.throws(() => readBlock({ ...block, text: block.text.subarray(1) }).fields(0), /wrong length/)
})
