import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { findBundle } from './bundle.ts'
import { PROGRAM } from './program.ts'
import { SourceLines } from './source-map.ts'

test('a place is found as Node finds it, in lines with and without mappings', () => {
  const payload = {
    version: 3,
    file: 'out.js',
    sources: ['a.ts', 'b.ts'],
    names: ['x'],
    // Mappings of one, four and five fields, an empty line, and numbers of several digits
    mappings: 'AAAA,gBAAgB,CCk+/BFA;;iCDxxBX;AACA',
    sourcesContent: [],
    sourceRoot: '',
  }
  const lines = new SourceLines(payload)
  const judge = new SourceMap(payload as unknown as SourceMapPayload)
  for (const [line, column] of [
    [0, 0],
    [0, 15],
    [0, 16],
    [0, 17],
    [0, 500],
    [2, 40],
    [3, 3],
  ] as const) {
    const found = lines.find(line, column)
    const { originalSource, originalLine, originalColumn } = judge.findEntry(
      line,
      column,
    ) as SourceMap extends {
      findEntry(line: number, column: number): infer R
    }
      ? Extract<R, { originalSource: string }>
      : never
    assert.deepEqual(found, { source: originalSource, line: originalLine, column: originalColumn })
  }
  assert.equal(lines.find(1, 0), null)
  assert.equal(lines.find(9, 0), null)
})

const bundle = findBundle(PROGRAM)
test('places of a bundle are found as Node finds them', {
  skip: bundle === null ? 'there is no bundle: npm run build' : false,
}, () => {
  const name = readdirSync(bundle!).find((file) => file === 'recorder.js.map')!
  const payload = JSON.parse(readFileSync(join(bundle!, name), 'utf8')) as SourceMapPayload
  const code = readFileSync(join(bundle!, name.slice(0, -4)), 'utf8').split('\n')
  const lines = new SourceLines(payload)
  const judge = new SourceMap(payload)
  let found = 0
  for (const [line, text] of code.entries())
    for (let column = 0; column < text.length; column += 7) {
      const place = lines.find(line, column)
      if (place === null) continue
      found++
      const { originalSource, originalLine } = judge.findEntry(line, column) as {
        originalSource: string
        originalLine: number
      }
      assert.deepEqual([place.source, place.line], [originalSource, originalLine], `${line}:${column}`)
    }
  assert.ok(found > 500)
})
