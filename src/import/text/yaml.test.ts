/** Quoted texts with too little indentation, which widespread parsers take, and what looking for them may cost. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { Lexer } from 'yaml'
import { readYaml } from './yaml.ts'

/** Keys with a text on two lines, the second of which is not indented. */
function quotedLines(count: number): string {
  return Array.from({ length: count }, (_, index) => `z${index}: "one\ntwo"\n`).join('')
}

/** What reading a text makes of it, and the characters that its repair lexes. */
function cost(text: string): { readonly read: unknown; readonly chars: number } {
  let chars = 0
  const lex = Lexer.prototype.lex
  const spy = mock.method(
    Lexer.prototype,
    'lex',
    function (this: Lexer, source: string, incomplete?: boolean) {
      chars += source.length
      return lex.call(this, source, incomplete)
    },
  )
  try {
    return { read: readYaml(text), chars }
  } catch (error) {
    return { read: error, chars }
  } finally {
    spy.mock.restore()
  }
}

test('a short text with several quoted texts that are not indented is read', () => {
  const { read } = cost(quotedLines(40))
  assert.deepEqual(
    read,
    Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`z${index}`, 'one two'])),
  )
})

test('a text of 8,000 characters with many of them costs no more than ten and a few passes over it', () => {
  const keys = Array.from({ length: 800 }, (_, index) => `k${index % 10}${index}: 1\n`).join('')
  const text = `${keys.slice(0, 6400)}${quotedLines(110)}`.slice(0, 8191)
  const { read, chars } = cost(text)
  assert.ok(read instanceof Error)
  assert.ok(chars <= 15 * text.length, `${chars / text.length} passes`)
})
