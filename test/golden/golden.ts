import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

const top = resolve(import.meta.dirname, '../..')

/**
 * Compares `actual` with a file that is kept in the repository, so that a change of a surface shows in the diff.
 * `npm run golden` writes the files anew.
 * @param name File in test/golden, or a path from the top of the repository such as `docs/settings.md`.
 */
export function golden(name: string, actual: string): void {
  const file = name.includes('/') ? resolve(top, name) : resolve(import.meta.dirname, name)
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, actual)
    return
  }
  assert.ok(existsSync(file), `${name} is missing; npm run golden writes it`)
  const expected = readFileSync(file, 'utf8')
  if (actual === expected) return
  const [now, before] = [actual.split('\n'), expected.split('\n')]
  const line = now.findIndex((text, i) => text !== before[i])
  const at = line === -1 ? now.length : line
  assert.fail(
    `${name} is stale; npm run golden writes it anew. Line ${at + 1} was ${before[at]} and is ${now[at]}`,
  )
}

/**
 * Compares `actual` with a part of a page, which stands between the comments `<!-- printed by npm run golden: NAME -->` and `<!-- end: NAME -->`.
 * The rest of the page is written by hand.
 */
export function goldenPart(page: string, name: string, actual: string): void {
  const text = readFileSync(resolve(top, page), 'utf8')
  const [start, end] = [`<!-- printed by npm run golden: ${name} -->\n`, `<!-- end: ${name} -->`]
  const [from, to] = [text.indexOf(start) + start.length, text.indexOf(end)]
  assert.ok(from >= start.length && to >= from, `${page} has no place for the part ${name}`)
  golden(`./${page}`, `${text.slice(0, from)}${actual}${text.slice(to)}`)
}
