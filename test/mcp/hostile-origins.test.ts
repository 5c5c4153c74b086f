import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hurried } from '../support/hurried.ts'
import { BEHAVIOURS, type BehaviourName } from './hostile/behaviours.ts'
import { type HostileOrigin, startHostileOrigin } from './hostile/hostile.ts'
import { ERAS, type Era, type RawAnswer, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const TIMEOUTS = { connect: '1s', first_byte: '400ms', idle: '400ms', total: '600ms' }
/** With what a loaded machine adds. */
const ENOUGH_MS = 10_000
const LARGE_BYTES = 24 * 1024 * 1024

/** The honest answer comes through these, because what is odd about them is legal or does no harm. */
const HONEST: ReadonlySet<BehaviourName> = new Set<BehaviourName>([
  'odd_stream',
  'answer_after_end',
  'many_ids',
  'no_type',
  'false_gzip',
  'unasked',
  'list_changed_storm',
  'unasked_requests',
  'false_progress',
  'new_session',
  'sets_cookie',
])
/** A result comes through these, for which its origin alone answers. */
const RESULT: ReadonlySet<BehaviourName> = new Set<BehaviourName>([
  'proto_keys',
  'strange_text',
  'wrong_shape',
])

/** A deadline ends these, which is short, so that the tests are. All others get the usual time, also on a busy machine. */
const IN_TIME = /^(silent|endless|slow|progress_for_ever)/
/** The deadline of the first byte ends these, or that of the next. */
const SILENT: ReadonlySet<BehaviourName> = new Set<BehaviourName>(['silent', 'silent_stream'])

const NAMES = Object.keys(BEHAVIOURS) as BehaviourName[]
const rejections: unknown[] = []
const keep = (reason: unknown): void => void rejections.push(reason)
process.on('unhandledRejection', keep)
after(() => {
  process.off('unhandledRejection', keep)
  assert.deepEqual(rejections, [])
})

for (const originEra of ERAS) {
  let hostile: HostileOrigin
  let hasty: VirtualMcp
  let patient: VirtualMcp
  before(async () => {
    hostile = await startHostileOrigin({ eras: originEra, largeBytes: LARGE_BYTES, slowMs: 20 })
    hasty = await startVirtualMcp({ hostile: hostile.url }, { timeouts: TIMEOUTS })
    patient = await startVirtualMcp({ hostile: hostile.url })
  })
  after(async () => {
    await hasty[Symbol.asyncDispose]()
    await patient[Symbol.asyncDispose]()
    await hostile[Symbol.asyncDispose]()
  })

  for (const clientEra of ERAS)
    for (const name of NAMES)
      test(`${clientEra} client, ${originEra} origin: ${name}`, async () => {
        const desk = IN_TIME.test(name) ? hasty : patient
        const client = await rawClient(desk, clientEra)
        const [sent, startedAt] = [hostile.bytesSent, performance.now()]
        const asked = client.ask('tools/call', {
          name: `hostile_${name}`,
          arguments: { a: 1 },
          _meta: { progressToken: 'mine' },
        })
        const answer = await (SILENT.has(name) ? hurried(desk.served.moveClock, asked) : asked)
        judge(name, answer, clientEra)
        assert.ok(performance.now() - startedAt < ENOUGH_MS)
        assert.ok(hostile.bytesSent - sent < 512 * 1024 * 1024)
        desk.served.moveClock(60_000)
        const honest = await client.ask('tools/call', { name: 'echo', arguments: { a: 1 } })
        assert.match(honest.text, /\{\\"a\\":1\}/)
        assert.ok(hostile.requests.length < 1000)
      })
}

function judge(name: BehaviourName, { status, headers, messages, text }: RawAnswer, era: Era): void {
  assert.equal(status, 200, text.slice(0, 500))
  for (const field of ['set-cookie', 'location', 'www-authenticate']) assert.equal(headers.get(field), null)
  const response = messages.at(-1)!
  for (const message of messages.slice(0, -1)) {
    // Clients of earlier revisions get log messages without asking for them
    if (era === 'legacy' && message.method === 'notifications/message') continue
    assert.equal(message.method, 'notifications/progress')
    assert.equal(message.params?.['progressToken'], 'mine')
  }
  assert.doesNotMatch(text, /somebody else|of-nobody|second answer|of-others/)
  if (HONEST.has(name)) assert.match(text, /\{\\"a\\":1\}/)
  else if (name === 'strange_error') assert.equal(response.error?.code, -32_000)
  else if (name === 'old_error' || name === 'both_members') assert.equal(response.error?.code, -32_603)
  else if (!RESULT.has(name)) {
    assert.equal(response.result?.['isError'], true, text.slice(0, 500))
    assert.match(text, /The origin \\+"hostile\\+" did not answer the call/)
  }
  const code = response.error?.code ?? 0
  assert.ok(code > -32_020 || code < -32_099, String(code))
  assert.equal(
    response.result?.['resultType'],
    era === 'modern' && response.error === undefined ? 'complete' : undefined,
  )
}
