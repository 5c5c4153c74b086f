import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Compares text with the file of that name beside this one, so that a change of a surface shows in the diff.
 * With `GOLDEN=write` in the environment the file is written instead.
 */
export function golden(name: string, actual: string): void {
  const file = join(import.meta.dirname, name)
  if (process.env['GOLDEN'] === 'write') {
    writeFileSync(file, actual)
    return
  }
  let expected: string
  try {
    expected = readFileSync(file, 'utf8')
  } catch {
    assert.fail(`${name} is missing; run the test with GOLDEN=write and read what it wrote`)
  }
  assert.equal(actual, expected, `${name} differs; if that is meant, run the test with GOLDEN=write`)
}
