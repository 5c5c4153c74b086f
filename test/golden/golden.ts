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
  // A whole document in an assertion helps nobody: the first line that differs does.
  const [is, was] = [actual.split('\n'), expected.split('\n')]
  const at = is.findIndex((line, index) => line !== was[index])
  const line = at === -1 ? is.length : at
  assert.fail(
    `${name} is stale from line ${line + 1} (npm run golden writes it anew)\n- ${was[line] ?? '(end)'}\n+ ${is[line] ?? '(end)'}`,
  )
}
