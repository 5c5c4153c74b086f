import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { test } from 'node:test'

const top = resolve(import.meta.dirname, '../..')
const files = globSync('ui/src/**/*.{ts,tsx}', { cwd: top }).filter((path) => !path.includes('.test.'))

test('the console knows of the server its client alone', () => {
  assert.ok(files.length > 40)
  for (const path of files)
    for (const [, target] of readFileSync(resolve(top, path), 'utf8').matchAll(/from '(\.[^']+)'/g)) {
      const found = relative(top, resolve(top, dirname(path), target!))
      assert.match(found, /^(?:ui\/|src\/surfaces\/client\/)/, path)
    }
})

test('colours, sizes and distances come from the theme', () => {
  for (const path of files)
    for (const [, names] of readFileSync(resolve(top, path), 'utf8').matchAll(
      /className=["{`'(]+([^"`'}]*)/g,
    ))
      assert.doesNotMatch(names!, /#[0-9a-f]{3}|(?:text|bg|border)-\[/i, path)
})
