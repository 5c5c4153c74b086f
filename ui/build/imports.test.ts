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

/** Values that the scales of the theme cannot hold: columns of a grid, and parts of the window or characters of a text. */
const FREE = /^grid-(?:cols|rows)-\[[\w(),-]+\]$|-\[\d+(?:dvh|ch)\]$/

test('colours, sizes and distances come from the theme', () => {
  for (const path of files) {
    const text = readFileSync(resolve(top, path), 'utf8')
    assert.doesNotMatch(
      text,
      /["'`[(: ]#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\b/i,
      `${path} has a colour of its own`,
    )
    assert.doesNotMatch(text, /\b(?:rgba?|hsla?|oklch)\(/, `${path} has a colour of its own`)
    for (const [value] of text.matchAll(/(?<=[\s"'`:])[a-z][a-z-]*-\[[^\]\s]*\]/g))
      assert.match(value, FREE, `${path} has a value of its own`)
  }
})

test('the style sheet names colours in its theme alone', () => {
  const sheet = readFileSync(resolve(top, 'ui/src/styles.css'), 'utf8')
  const [, after] = sheet.split(/@theme \{[^}]*\}/)
  assert.ok(after !== undefined && after.length > 100)
  assert.doesNotMatch(after, /#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|oklch)\(/i)
})

test('a grid with columns for wide windows has columns that shrink in narrow ones', () => {
  // Without a template the one column is as wide as its widest text, and the page scrolls sideways
  for (const path of files)
    for (const [, classes] of readFileSync(resolve(top, path), 'utf8').matchAll(
      /["'`]([^"'`]*\w:grid-cols-[^"'`]*)["'`]/g,
    ))
      assert.match(classes!, /(?:^|\s)(?:max-\w+:)?grid-cols-/, `${path}: ${classes}`)
})

test('an effect returns nothing but a function that ends it', () => {
  // React calls what it returns; newer browsers return a promise where older ones returned nothing, as by `scrollTo`
  for (const path of files)
    assert.doesNotMatch(
      readFileSync(resolve(top, path), 'utf8'),
      /use(?:Layout)?Effect\(\s*\(\) =>\s*[^\s{]/,
      `${path} has an effect without braces`,
    )
})
