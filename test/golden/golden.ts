import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Compares a text with the file of that name in this folder, so that a change of a public face shows in the diff.
 * With `UPDATE_GOLDEN=1` in the environment the file is written anew.
 */
export function golden(name: string, actual: string): void {
  const file = join(import.meta.dirname, name)
  if (process.env['UPDATE_GOLDEN'] === '1') {
    writeFileSync(file, actual)
    return
  }
  let expected: string
  try {
    expected = readFileSync(file, 'utf8')
  } catch {
    expected = ''
  }
  assert.equal(actual, expected, `${name} differs; run with UPDATE_GOLDEN=1 if that is meant`)
}
