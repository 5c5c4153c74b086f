import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import { ServiceFailure } from '../socket.ts'
import { SmtpReplies } from './session.ts'

const code = fc.integer({ min: 200, max: 599 })
const texts = fc.array(fc.stringMatching(/^[ -~]{0,30}$/), { minLength: 1, maxLength: 5 })

test('a reply is read as it was written, in whatever pieces it comes, and the next one after it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(code, texts), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 20 }),
      (all, size) => {
        const replies = new SmtpReplies()
        for (const [code, lines] of all) {
          const written = lines
            .map((line, at) => `${code}${at === lines.length - 1 ? ' ' : '-'}${line}\r\n`)
            .join('')
          for (let at = 0; at < written.length; at += size) {
            const came = replies.take(Buffer.from(written.slice(at, at + size)))
            if (at + size >= written.length) assert.deepEqual(came, { code, lines })
            else assert.equal(came, undefined)
          }
        }
      },
    ),
    { numRuns: fuzzCases(500, 20_000) },
  )
})

test('any bytes are a reply, part of one, or refused', () => {
  let refused = 0
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.stringMatching(/^[2-6][0-9]{2}[ -]?[a-z]{0,5}\r?\n?$/).map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const replies = new SmtpReplies()
      try {
        for (const bytes of pieces) replies.take(Buffer.from(bytes))
      } catch (error) {
        assert.ok(error instanceof ServiceFailure, String(error))
        refused++
      }
    }),
    { numRuns: fuzzCases(2000, 200_000) },
  )
  assert.ok(refused > 100, `${refused}`)
})
