import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '../access/principal.ts'
import { hashToken } from '../base/crypto/token.ts'
import { refuse } from '../base/refusal.ts'
import type { ConsoleToken } from '../oauth/server/console-tokens.ts'
import { createConsoleCallers } from './console-callers.ts'

const CALL = {
  sessions: ['S'.repeat(43)],
  resource: '/mcp/desk',
  ip: '192.0.2.1',
  userAgent: null,
  requestId: 'req_1',
} as const
const [SESSION] = CALL.sessions

/** Callers over one session. Tokens are issued when the test says so. */
function callersOf() {
  const state = { isOver: false, issued: 0 }
  const waiting: (() => void)[] = []
  const ended: string[] = []
  const gone = new Set<string>()
  const callers = createConsoleCallers({
    sessions: {
      verify: async () => {
        if (state.isOver) throw refuse('credential_invalid', { inner: 'no such console session' })
        return { id: 'usr_1' } as Principal
      },
    },
    tokens: {
      async mcpToken(): Promise<ConsoleToken> {
        await new Promise<void>((resolve) => waiting.push(resolve))
        const grant = `grant ${++state.issued}`
        return { ok: true, token: `token ${state.issued}`, grant, host: 'hst_1', until: 900_000 }
      },
      holds: async ({ grant }) => !gone.has(grant),
      endMcpTokens: async (grants) => void ended.push(...grants),
    },
    clock: { now: () => 0, monotonic: () => 0 },
    fault: (error) => assert.fail(String(error)),
  })
  /** Lets what was asked for be issued. */
  const issue = async (): Promise<void> => {
    await settled()
    for (const resolve of waiting.splice(0)) resolve()
  }
  return { callers, state, ended, gone, issue, waiting }
}

const settled = (): Promise<void> => new Promise((done) => setImmediate(done))

test('a token that is issued while the session ends is ended, and nobody calls with it', async () => {
  const { callers, state, ended, issue } = callersOf()
  const answer = callers.answer(CALL)
  await settled()
  state.isOver = true
  const over = callers.ended(SESSION)
  await issue()
  assert.deepEqual(await answer, {
    ok: false,
    code: 'credential_invalid',
    detail: 'The session of the console has ended. Sign in again.',
  })
  await over
  assert.deepEqual(ended, ['grant 1'])
})

test('the tokens of a session that another node has ended are ended by the node that issued them', async () => {
  const { callers, ended, issue } = callersOf()
  const answer = callers.answer(CALL)
  await issue()
  await answer
  callers.endedElsewhere(hashToken('T'.repeat(43)))
  callers.endedElsewhere(hashToken(SESSION))
  await settled()
  assert.deepEqual(ended, ['grant 1'])
})

test('a token whose grant has ended is replaced, once for all messages that wait', async () => {
  const { callers, gone, issue, state } = callersOf()
  const first = callers.answer(CALL)
  await issue()
  assert.deepEqual(await first, { ok: true, token: 'token 1' })
  assert.deepEqual(await callers.answer(CALL), { ok: true, token: 'token 1' })
  gone.add('grant 1')
  const answers = Promise.all([callers.answer(CALL), callers.answer(CALL), callers.answer(CALL)])
  await issue()
  assert.deepEqual(
    (await answers).map((answer) => answer.ok && answer.token),
    ['token 2', 'token 2', 'token 2'],
  )
  assert.equal(state.issued, 2)
})
