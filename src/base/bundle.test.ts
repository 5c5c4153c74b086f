import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { findBundle, nextSlot, useBundle } from './bundle.ts'

const program = mkdtempSync(join(tmpdir(), 'postern-bundle-'))
after(() => rmSync(program, { recursive: true }))
mkdirSync(join(program, 'src'))
for (const slot of ['dist/a', 'dist/b']) {
  mkdirSync(join(program, slot), { recursive: true })
  writeFileSync(join(program, slot, 'command.js'), 'whole')
}
const source = join(program, 'src/one.ts')
writeFileSync(source, 'one')

test('a bundle is found while its sources have the content that they had', () => {
  assert.equal(findBundle(program), null)
  const slot = nextSlot(program)
  useBundle(program, slot, ['src/one.ts'], Date.now() + 1)
  assert.equal(findBundle(program), join(program, slot))
  // As a checkout does that goes to another commit and back
  utimesSync(source, 1, 1)
  assert.equal(findBundle(program), join(program, slot))
  writeFileSync(source, 'two')
  assert.equal(findBundle(program), null, 'of the same size')
  writeFileSync(source, 'three')
  assert.equal(findBundle(program), null)
  writeFileSync(source, 'one')
  assert.equal(findBundle(program), join(program, slot))
  rmSync(source)
  assert.equal(findBundle(program), null)
  writeFileSync(source, 'one')
})

test('a bundle is not used if a source has changed while it was made', () => {
  const slot = nextSlot(program)
  useBundle(program, slot, ['src/one.ts'], 0)
  assert.notEqual(findBundle(program), join(program, slot))
})

test('a bundle is never written over the one in use', () => {
  const slots = Array.from({ length: 4 }, () => {
    const slot = nextSlot(program)
    useBundle(program, slot, ['src/one.ts'], Date.now() + 1)
    return slot
  })
  assert.equal(new Set(slots).size, 2)
  assert.ok(slots.every((slot, at) => slot !== slots[at - 1]))
})

test('a bundle that is not whole is not used, and the next build makes one anew', () => {
  const slot = nextSlot(program)
  useBundle(program, slot, ['src/one.ts'], Date.now() + 1)
  const part = join(program, slot, 'command.js')
  for (const content of ['who', '', null]) {
    if (content === null) rmSync(part)
    else writeFileSync(part, content)
    assert.equal(findBundle(program), null)
  }
  writeFileSync(part, 'whole')
  assert.equal(findBundle(program), join(program, slot))
})

test('a manifest that cannot be read is as none', () => {
  useBundle(program, nextSlot(program), ['src/one.ts'], Date.now() + 1)
  for (const text of ['', '{', 'null', '{}', '{"slot":"dist/a"}']) {
    writeFileSync(join(program, 'dist/bundle.json'), text)
    assert.equal(findBundle(program), null)
    assert.equal(nextSlot(program), 'dist/a')
  }
})
