import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lineIn } from './lines.ts'

const TEXT = `# a policy
kind: policy
spec:
  limits:
    - name: minute
      max: 3
    - {name: day, max: 4}
---
- kind: client
  a/b: 1
`

test('a pointer leads to the line of its member, and one that leads nowhere to the nearest above', () => {
  const cases: readonly (readonly [number, string, number | null])[] = [
    [0, '', 2],
    [0, '/spec/limits/0/max', 6],
    [0, '/spec/limits/1/max', 7],
    [0, '/spec/limits/5', 4],
    [0, '/spec/name', 3],
    [1, '/0/a~1b', 10],
    [2, '', null],
  ]
  for (const [index, pointer, line] of cases) assert.equal(lineIn(TEXT, index, pointer), line, pointer)
  assert.equal(lineIn('{\n "a": {\n  "b": 1\n }\n}', 0, '/a/b'), 3)
})

test('any text and any pointer give a line of the text, or none', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[-a:{}[\],&* \n]{0,40}$/))
  fc.assert(
    fc.property(text, fc.nat(2), fc.array(fc.constantFrom('a', '0', '1', '')), (given, index, steps) => {
      const line = lineIn(given, index, steps.map((step) => `/${step}`).join(''))
      assert.ok(line === null || (line >= 1 && line <= given.split(/\r?\n|\r/).length + 1), String(line))
    }),
    { numRuns: 500 },
  )
})
