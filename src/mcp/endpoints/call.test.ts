import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ENDPOINTS, fakeGateway } from '../../../test/support/fake-gateway.ts'
import type { InnerAnswer } from '../../gateway/port.ts'
import type { Sender } from '../http/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { callOffer, createProgress, EVERY_MS, FIRST_MS, TICK_MS } from './call.ts'

const [endpoint] = ENDPOINTS
const OFFER = {
  proxy: endpoint!.proxy.id,
  method: 'GET',
  places: { limit: ['query', 'limit'] },
  hasBody: false,
  collection: { fragment: endpoint!.collection },
  route: { route: '/files/v1/raw', fragment: { path: '/v1/raw' } },
} as const

for (const method of ['tools/call', 'prompts/get'])
  test(`the client of a ${method} that stands for an endpoint is told how long it lasts, until it ends`, (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let at = 0
    const move = (ms: number): void => {
      at += ms
      t.mock.timers.tick(TICK_MS)
    }
    let answer = (_: Partial<InnerAnswer>): void => assert.fail('not called')
    const gateway = {
      ...fakeGateway(),
      call: (_: unknown, done: (answer: InnerAnswer) => void) => {
        // As far as it is read
        answer = (given) =>
          done({ status: 200, code: null, fields: '', body: Buffer.from('{}'), ...given } as InnerAnswer)
        return { abort() {}, park() {} }
      },
    }
    const told: string[] = []
    const given: RelayedAnswer[] = []
    const params = { name: 'read', arguments: { limit: 1 }, _meta: { progressToken: 'p' } }
    callOffer(
      {
        gateway,
        running: { begin() {}, end() {}, cancel() {} },
        progress: createProgress({ now: () => at, monotonic: () => at }),
        fault: (error) => assert.fail(String(error)),
      },
      { requestId: 'req_1', incoming: {} } as Sender,
      {
        id: 1,
        method,
        params,
        isModern: true,
        received: { agent: { name: '', version: '' }, sessionId: '', trace: {} },
        notify: (text: string) => told.push(text),
      } as unknown as RelayedRequest,
      OFFER,
      'read',
      params,
      undefined,
      (one) => given.push(one),
    )
    move(FIRST_MS)
    move(EVERY_MS)
    assert.deepEqual(
      told.map((text) => JSON.parse(text).params.progress),
      [FIRST_MS / 1000, (FIRST_MS + EVERY_MS) / 1000],
    )
    answer({})
    move(EVERY_MS)
    assert.equal(told.length, 2)
    assert.deepEqual(
      given.map(({ kind }) => kind),
      ['result'],
    )
  })
