import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments } from './arguments.ts'

test('flags of node go to node, in both forms of a value, and are no test files', () => {
  const { files, flags, node } = readArguments([
    'src/a.test.ts',
    '--test-name-pattern',
    'a name',
    '--test-name-pattern=b=c',
    '--watch',
    '--inspect',
    '--inspect-brk=9230',
    '--all',
    'src/b.test.ts',
  ])
  assert.deepEqual(files, ['src/a.test.ts', 'src/b.test.ts'])
  assert.deepEqual([...flags], ['--all'])
  assert.deepEqual(node, [
    '--test-name-pattern=a name',
    '--test-name-pattern=b=c',
    '--watch',
    '--inspect',
    '--inspect-brk=9230',
  ])
})

test('a flag that nobody knows, and a pattern without a value, are refused', () => {
  for (const given of [['--ony-long'], ['--test-name-pattern'], ['--inspector'], ['--all=yes']])
    assert.throws(() => readArguments(given), Error, given.join())
})
