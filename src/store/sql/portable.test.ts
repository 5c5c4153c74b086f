import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

/** What only one engine reads, or reads as no other does. JSON is text: queries look in columns and facets. */
const FORBIDDEN = [
  /\bjson/,
  /->>?/,
  /@>|\?\|/,
  /\b(instr|strpos|char|chr|iif|ifnull|nullif|substr|printf|strftime|unixepoch|datetime|group_concat|total|last_insert_rowid)\s*\(/,
  /\b(glob|rowid|pragma|autoincrement|ilike|returning|regexp)\b/,
  /\binsert or\b/,
]

test('the common queries use no JSON function and nothing that only one engine knows', () => {
  const texts: string[] = []
  for (const name of readdirSync(import.meta.dirname).filter((one) => !one.endsWith('.test.ts'))) {
    const source = readFileSync(join(import.meta.dirname, name), 'utf8')
    assert.doesNotMatch(source, /from '(node:sqlite|pg)'|\bSqlite|\bPostgres|\.limit\(-/, name)
    for (const [, text = ''] of source.matchAll(/\bsql(?:<[^`]*?>)?`([^`]*)`/g))
      texts.push(`${name}: ${text}`)
  }
  assert.ok(texts.length > 3, 'the texts were found')
  for (const text of texts) for (const word of FORBIDDEN) assert.doesNotMatch(text.toLowerCase(), word, text)
})
