import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OriginAnswerReader } from './envelope.ts'
import { openSse, SseSession } from './sse-session.ts'

const KIB = 1024
const STREAM = (name: string): string | undefined =>
  name === 'content-type' ? 'text/event-stream' : undefined

async function open() {
  let reader: OriginAnswerReader | null = null
  const opening = openSse({
    url: 'http://127.0.0.1:1/sse',
    waitMs: 2 ** 40,
    read(_request, given) {
      reader = given
      return { abort() {} }
    },
  })
  const say = (text: string): boolean => {
    const bytes = Buffer.from(text)
    return reader!.piece(bytes, 0, bytes.length)
  }
  reader!.head(200, STREAM)
  // The timer has a time in which it can be named
  await new Promise((done) => setTimeout(done, 5))
  say('event: endpoint\ndata: /messages\n\n')
  const session = await opening
  assert.ok(session instanceof SseSession)
  return { session, say }
}

test('a session whose server goes on while nobody asks is given up; a sign of life now and then is none of that', async () => {
  const { session, say } = await open()
  const listener = { id: '1', heard() {}, replied() {}, broke: () => assert.fail() }
  for (let call = 0; call < 4; call++) {
    for (let count = 0; count < 200; count++) assert.equal(say(`:${'x'.repeat(KIB - 2)}\n`), true)
    const stop = session.listen(listener, null)
    // In a call it may say much
    assert.equal(say(`: ${'x'.repeat(900 * KIB)}\n`), true)
    stop()
  }
  let isOver = false
  session.whenOver(() => {
    isOver = true
  })
  for (let count = 0; count < 255; count++) say(`data: ${'x'.repeat(KIB - 8)}\n\n`)
  assert.equal(isOver, false)
  assert.equal(say('x'.repeat(2 * KIB)), false)
  assert.equal(isOver, true)
})
