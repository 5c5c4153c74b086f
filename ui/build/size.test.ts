import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'

const dist = resolve(import.meta.dirname, '../dist')
const manifest = resolve(dist, 'manifest.json')
const isBuilt = existsSync(manifest)
/** Bytes after gzip: what the first page loads, and what another page adds. */
const FIRST_MAX = 200 * 1024
const ROUTE_MAX = 60 * 1024
/** The canvas of workflows is loaded only by people who choose it. */
const CANVAS_MAX = 90 * 1024

interface Chunk {
  readonly file: string
  readonly css?: readonly string[]
  readonly imports?: readonly string[]
  readonly isEntry?: boolean
}

test('the first load and each further chunk stay small', {
  skip: isBuilt ? false : 'the console is not built: npm run build',
}, () => {
  const chunks = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, Chunk>
  const sizeOf = (file: string): number => {
    const zipped = resolve(dist, `${file}.gz`)
    return existsSync(zipped) ? statSync(zipped).size : 0
  }
  const first = new Set<string>()
  const load = (name: string): void => {
    const chunk = chunks[name]!
    if (first.has(chunk.file)) return
    for (const file of [chunk.file, ...(chunk.css ?? [])]) first.add(file)
    for (const other of chunk.imports ?? []) load(other)
  }
  const [entry] = Object.entries(chunks).find(([, { isEntry }]) => isEntry === true)!
  load(entry)
  const total = [...first].reduce((sum, file) => sum + sizeOf(file), 0)
  assert.ok(total > 50_000 && total <= FIRST_MAX, `the first load is ${total} bytes`)
  for (const { file } of Object.values(chunks))
    if (!first.has(file)) {
      const max = file.startsWith('assets/canvas-') ? CANVAS_MAX : ROUTE_MAX
      assert.ok(sizeOf(file) <= max, `${file} is ${sizeOf(file)} bytes`)
    }
})
