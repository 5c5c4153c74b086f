import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { AuditEntry } from '../../model/access/audit.ts'
import { COLUMNS, csvHeader, csvRow } from './jobs.ts'

/** A reader of RFC 4180 that knows nothing of the writer. */
function read(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1)!.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'))
    if (end === '\r\n') rows.push([])
  }
  assert.deepEqual(rows.pop(), [], 'the last row ends too')
  return rows
}

test('any text is read back as it was, but for the apostrophe before what looks like a formula', () => {
  const texts = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(texts, (cells) => {
      const item = Object.fromEntries(cells.map((cell, index) => [`c${index}`, cell]))
      const columns = Object.keys(item)
      const [header, row] = read(csvHeader(columns) + csvRow(columns, item))
      assert.deepEqual(header, columns)
      assert.deepEqual(
        row,
        cells.map((cell) => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell)),
      )
    }),
  )
})

test('no cell of a text begins with what a spreadsheet runs', () => {
  for (const start of ['=', '+', '-', '@', '\t', '\r']) {
    const [[cell]] = read(csvRow(['name'], { name: `${start}HYPERLINK("http://a.test")` })) as [[string]]
    assert.equal(cell, `'${start}HYPERLINK("http://a.test")`)
  }
})

test('numbers stand as they are, nothing as nothing, and what lies deeper by its path', () => {
  const item = { n: -5, yes: true, none: null, http: { status: 200 }, list: [{ op: 'add' }] }
  assert.equal(
    csvRow(['n', 'yes', 'none', 'http.status', 'http.url', 'none.more', 'list'], item),
    '-5,true,,200,,,"[{""op"":""add""}]"\r\n',
  )
})

test('the columns of audit entries are all that entries have', () => {
  const leaves = (schema: z.ZodType, path: string): string[] => {
    const inner = schema instanceof z.ZodNullable ? (schema.unwrap() as z.ZodType) : schema
    if (!(inner instanceof z.ZodObject)) return [path]
    return Object.entries(inner.shape).flatMap(([name, member]) =>
      leaves(member as z.ZodType, path === '' ? name : `${path}.${name}`),
    )
  }
  assert.deepEqual([...COLUMNS.audit].sort(), leaves(AuditEntry, '').sort())
})
