import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FIELD_RULES } from '../../gateway/request-headers.ts'
import type { ConsoleCall, ConsoleCaller } from '../../model/access/caller.ts'
import type { Incoming } from '../../wire/port.ts'
import { createConsoleMcp } from './console.ts'

const SESSION = 'S'.repeat(43)
const VALUES: Readonly<Record<string, string>> = {
  'x-postern-console': '1',
  cookie: `a=b; postern_console=${SESSION}`,
  origin: 'http://127.0.0.1:8081',
}

/** A door, one request at it, and the answer that the main thread is to give. */
function atDoor(values: Readonly<Record<string, string>> = VALUES, origin = 'http://127.0.0.1:8081') {
  const { promise, resolve } = Promise.withResolvers<ConsoleCaller>()
  const asked: ConsoleCall[] = []
  const handed: Incoming[] = []
  const refused: string[] = []
  const door = createConsoleMcp({
    callers: {
      ask(call) {
        asked.push(call)
        return promise
      },
    },
    virtual: (incoming) => handed.push(incoming),
    consoleOrigins: [origin],
    host: 'gateway.example',
    trace: () => ({ ip: '192.0.2.1', requestId: 'req_1' }),
    refuse: (_, code) => refused.push(code),
    fault: (error) => assert.fail(String(error)),
  })
  // The door reads these alone
  const incoming = {
    path: '/console/mcp/desk',
    host: '127.0.0.1:8081',
    taken: [...FIELD_RULES.take, ...FIELD_RULES.peek].map((name) => values[name]),
    pass: 'Sec-Fetch-Site: same-origin\r\n',
    state: { before: true },
  } as unknown as Incoming
  return { door, incoming, asked, handed, refused, resolve }
}

const settled = (): Promise<void> => new Promise((done) => setImmediate(done))

test('a message goes on with the token of the person, and without what the browser says of itself', async () => {
  const { door, incoming, asked, handed, resolve } = atDoor()
  door.answer(incoming)
  assert.deepEqual([asked[0]?.sessions, asked[0]?.resource], [[SESSION], '/mcp/desk'])
  resolve({ ok: true, token: 'at' })
  await settled()
  const [moved] = handed
  assert.deepEqual([moved?.path, moved?.host, moved?.state], ['/mcp/desk', 'gateway.example', null])
  assert.deepEqual(
    moved?.taken.filter((value) => value !== undefined),
    ['Bearer at', '1'],
  )
})

test('a message whose sender has left meanwhile is dropped', async () => {
  const { door, incoming, handed, refused, resolve } = atDoor()
  door.answer(incoming)
  door.finished(incoming)
  resolve({ ok: true, token: 'at' })
  await settled()
  assert.deepEqual([handed.length, refused.length], [0, 0])
})

test('over HTTPS only the cookie with a prefix is a session', () => {
  const cookie = `postern_console=planted; __Host-postern_console=${SESSION}`
  const { door, incoming, asked } = atDoor({ ...VALUES, cookie }, 'https://console.example')
  door.answer(incoming)
  assert.deepEqual(asked[0]?.sessions, [SESSION])
})

test('without the header of the console no session is looked at', () => {
  const { door, incoming, asked, refused } = atDoor({ ...VALUES, 'x-postern-console': '0' })
  door.answer(incoming)
  assert.deepEqual([asked.length, refused], [0, ['credentials_missing']])
})
