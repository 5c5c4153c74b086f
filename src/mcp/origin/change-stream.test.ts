import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ODD } from '../../../test/support/any-json.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { StandingStream } from './change-stream.ts'
import type { OriginAnswerReader, SendToOrigin } from './envelope.ts'

const event = (message: object): string => `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`
const STREAM = (name: string): string | undefined =>
  name === 'content-type' ? 'text/event-stream' : undefined

/** A stream that stands at an origin of an era, whose bytes the test gives. Its clock stands still but for what the test moves it by. */
async function start(version: string) {
  let at = 0
  const readers: OriginAnswerReader[] = []
  let answers = 0
  const body = Buffer.from('{"jsonrpc":"2.0","id":"initialize","result":{}}')
  const send: SendToOrigin = async ({ body: sent }) => {
    if (sent?.includes('"method"') === false) answers++
    return { ok: true, status: 200, header: () => 'application/json', body, truncated: false }
  }
  const nothing = (): void => {}
  const stream = new StandingStream(
    {
      send,
      sse: null,
      read(_request, reader) {
        readers.push(reader)
        reader.head(200, STREAM)
        return { abort: nothing }
      },
      own: { name: 'postern', version: '0' },
      requestIds: () => 'id',
      version,
      capabilities: { tools: { listChanged: true } },
      clock: { now: () => at, monotonic: () => at },
      waits: { first: 1, last: 1 },
    },
    {
      opened: nothing,
      reopened: nothing,
      listsChanged: nothing,
      updated: nothing,
      failed: nothing,
    },
  )
  stream.want({ lists: true, uris: new Set() })
  await eventually(() => readers.length === 1)
  return {
    stream,
    answers: () => answers,
    move(ms: number) {
      at += ms
    },
    /** False once the stream is to end. */
    say(text: string): boolean {
      const bytes = Buffer.from(text)
      return readers[0]!.piece(bytes, 0, bytes.length)
    },
  }
}

for (const version of ['2025-11-25', '2026-07-28'])
  test(`whatever a server of ${version} says on a standing stream is bounded`, async () => {
    const kinds = [
      event({ method: 'notifications/tools/list_changed' }),
      event({ method: 'notifications/else' }),
      ...(version === '2025-11-25' ? [event({ id: 1, method: 'ping' }), event({ id: 1, result: {} })] : []),
    ]
    for (const kind of kinds) {
      const { stream, answers, move, say } = await start(version)
      assert.equal(say(kind.repeat(1000)), true, kind)
      move(10_001)
      assert.equal(say(kind.repeat(1000)), true, kind)
      assert.equal(say(kind), false, kind)
      assert.ok(answers() <= 50)
      stream.close()
    }
  })

test('a resource whose URI is no text has not changed', async () => {
  const { stream, say } = await start('2025-11-25')
  for (const uri of [...ODD, ['a'], null, 1])
    assert.equal(say(event({ method: 'notifications/resources/updated', params: { uri } })), true)
  stream.close()
})

test('comments, and events that are no messages, are bounded by their bytes', async () => {
  const MIB = 1024 * 1024
  for (const kind of [
    `:${'x'.repeat(MIB - 2)}\n`,
    `data: ${'x'.repeat(126)}\n\n`.repeat(MIB / 134),
    'x'.repeat(MIB),
  ]) {
    const { stream, say } = await start('2025-11-25')
    let said = 0
    while (said <= 8 * MIB && say(kind)) said += kind.length
    assert.ok(said <= 4 * MIB, String(said))
    stream.close()
  }
})
