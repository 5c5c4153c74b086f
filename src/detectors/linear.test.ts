import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { acted, compileAction } from './act.ts'
import { compileDetectors } from './compile.ts'

const RUNS = process.env['FUZZ_LONG'] === 'true' ? 5_000 : 150

const detectors = compileDetectors([
  { detector: 'pii' },
  { detector: 'secrets' },
  { detector: 'injection' },
  { detector: 'size', depth: 1000, items: 1_000_000, bytes: 100_000_000 },
])
const mask = compileAction({ action: 'mask' })

/** Each begins many values, or most of one. */
const HOSTILE = [
  ...['@', 'a@', 'a@a.', 'a.a@', '@a.', 'a', 'a.', 'a-', '.', '-', '_', '~', '8Q~', 'aaa8Q~', '%'],
  ...[
    '1',
    '1 ',
    '1.',
    '1-',
    '1/',
    '11 ',
    '4111 ',
    '4111-',
    '0 ',
    '012 345 ',
    '1.1.1.',
    '+',
    '+1',
    '+49 ',
    '(',
    '(1',
    '(1)',
    '(0',
    '+(0)',
  ],
  ...[':', '::', 'a:', 'a::', ':a', '1:', '://', 'a://', 'a://b:', 'a://b:c@', '://:@', 'a://:'],
  ...[
    '-----',
    '-----BEGIN ',
    '-----BEGIN PRIVATE KEY-----',
    '-----BEGIN PRIVATE KEY-----\n-----END ',
    '-----BEGIN A A A ',
  ],
  ...[
    'eyJ',
    'eyJ.',
    '.eyJ',
    '-eyJ',
    'eyJa.eyJ',
    'eyJaaaaaaaaaa.',
    'sk-',
    'ghp_',
    'xoxb-',
    'SG.',
    'hvs.',
    'pst_',
    'AKIA',
    'ya29.',
    'glpat-a.',
  ],
  ...[
    'password',
    'password=',
    'password="',
    '"password":"',
    'password:\\"',
    'password=\\',
    'api_key=a1',
    'token: bearer ',
  ],
  ...['DE89', 'DE89 ', 'DE', 'AB ', 'AB 12 ', 'X1234567', '1234567-'],
  ...[
    '](',
    '](//',
    '](//a?',
    '](//?=',
    '![](http://a/?=',
    '[',
    '![',
    '<',
    '<img ',
    '<a href=',
    '<img src="//a?',
    '<img src="//?{',
    '[inst',
  ],
  ...[
    'ignore ',
    'ignore all ',
    'ignore all previous ',
    'do not ',
    'do not tell ',
    'before using this tool ',
    'forget everything ',
    'you are ',
    'all ',
    'send all the ',
    'pass it as in ',
  ],
  ...[
    '\u200b',
    '\u200ba',
    '\u202a',
    '\u{e0041}',
    '\u{e0100}',
    '🏴',
    '🏴\u{e0067}',
    '\ufe0f',
    '忽',
    '忽略',
    'и',
    'é',
    '\ud800',
    '\udb40',
  ],
  ...[
    '%',
    '%25',
    '%34',
    '%EF%BC%94',
    '\\u0034',
    '\\u',
    '&#52;',
    '&amp;',
    '４',
    '4\u00ad',
    '%4\u200b1',
    '4  1 - ',
  ],
  ...['"', '\\', '\\"', '{', '[[', ',', '{"a":', '\n', ' ', '\t'],
]

/** What a loop over a run of any length looks like in the source of a regular expression. */
const UNBOUNDED = /[^\\][*+]|\{\d+,\}/
/** Characters of a text that any regular expression may read: what stands around a place. */
const SLICE_MAX = 1024

/**
 * The characters that a regular expression has read. Without a loop of any length it reads a bounded number at each place; one with such a loop
 * may only read slices.
 */
function readByPattern(pattern: RegExp, text: string, from: number, match: RegExpExecArray | null): number {
  const isBounded = !UNBOUNDED.test(pattern.source.replaceAll(/\[(?:[^\]\\]|\\.)*\]/g, 'c'))
  assert.ok(isBounded || text.length <= SLICE_MAX, `${pattern} reads any number of characters`)
  if (pattern.sticky) return Math.min(text.length - from, SLICE_MAX / 8)
  return (match === null ? text.length : match.index + match[0].length) - from
}

/** Runs something and counts the characters that it reads, by methods of strings and by regular expressions. */
function charactersRead(run: () => void): number {
  const { charCodeAt, codePointAt, slice, startsWith, toLowerCase, lastIndexOf, indexOf } = String.prototype
  const { exec } = RegExp.prototype
  let read = 0
  let isCounting = true
  Object.assign(RegExp.prototype, {
    exec(this: RegExp, text: string) {
      const from = this.global || this.sticky ? this.lastIndex : 0
      const match = exec.call(this, text)
      if (isCounting) {
        isCounting = false
        read += readByPattern(this, text, from, match)
        isCounting = true
      }
      return match
    },
  })
  Object.assign(String.prototype, {
    charCodeAt(this: string, at: number) {
      read++
      return charCodeAt.call(this, at)
    },
    codePointAt(this: string, at: number) {
      read++
      return codePointAt.call(this, at)
    },
    slice(this: string, from: number, to: number) {
      const part = slice.call(this, from, to)
      read += part.length
      return part
    },
    startsWith(this: string, text: string, at: number) {
      read += text.length
      return startsWith.call(this, text, at)
    },
    toLowerCase(this: string) {
      read += this.length
      return toLowerCase.call(this)
    },
    lastIndexOf(this: string, text: string, at: number) {
      read += this.length
      return lastIndexOf.call(this, text, at)
    },
    indexOf(this: string, text: string, at: number) {
      read += this.length
      return indexOf.call(this, text, at)
    },
  })
  try {
    run()
  } finally {
    Object.assign(RegExp.prototype, { exec })
    Object.assign(String.prototype, {
      charCodeAt,
      codePointAt,
      slice,
      startsWith,
      toLowerCase,
      lastIndexOf,
      indexOf,
    })
  }
  return read
}

const finding = (text: string) => () => {
  detectors.find(text)
}

/** Of any place: the words and characters around it that recognisers look at. */
const READ_MAX = 700

test('each character of a hostile text is read a bounded number of times, by regular expressions too, however long the text is', () => {
  for (const unit of HOSTILE) {
    const text = unit.repeat(Math.ceil(20_000 / unit.length))
    const once = charactersRead(finding(text)) / text.length
    const twice = charactersRead(finding(text + text)) / (2 * text.length)
    assert.ok(once < READ_MAX, `${JSON.stringify(unit)}: ${once}`)
    assert.ok(twice < once * 1.1 + 1, `${JSON.stringify(unit)}: ${once} to ${twice}`)
  }
})

test('any mixture of hostile parts is read as often when it is twice as long', () => {
  const mixed = fc
    .array(fc.constantFrom(...HOSTILE), { minLength: 1, maxLength: 12 })
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(mixed, (unit) => {
      const text = unit.repeat(Math.ceil(6_000 / unit.length))
      const once = charactersRead(finding(text)) / text.length
      const twice = charactersRead(finding(text + text)) / (2 * text.length)
      assert.ok(once < READ_MAX && twice < once * 1.2 + 1, `${JSON.stringify(unit)}: ${once} to ${twice}`)
    }),
    { numRuns: RUNS },
  )
})

test('any text is read without a fault, spans lie within it, and acting on them leaves the rest', () => {
  const any = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.array(fc.constantFrom(...HOSTILE), { maxLength: 60 }).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(any, (text) => {
      const spans = detectors.find(text)
      for (const { start, end, confidence } of spans) {
        assert.ok(start >= 0 && start < end && end <= text.length)
        assert.ok(confidence >= 0.5 && confidence <= 1)
      }
      const kept = [...Array(text.length).keys()].filter(
        (at) => !spans.some(({ start, end }) => at >= start && at < end),
      )
      assert.equal(
        acted(text, spans, () => ''),
        kept.map((at) => text[at]).join(''),
      )
      acted(text, spans, mask)
    }),
    { numRuns: RUNS * 5 },
  )
})
