import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Role } from '../../src/access/principal.ts'
import { allows } from '../../src/access/roles.ts'
import { ROLES } from '../../src/model/access.ts'
import { OPERATIONS } from '../../src/operations/registry.ts'
import { API_ROOT, nameOf, routeOf } from '../../src/surfaces/route.ts'
import { call, startTestServer, type TestServer } from './server.ts'

let server: TestServer
const tokens = new Map<Role, string>()
before(async () => {
  server = await startTestServer()
  for (const role of ROLES)
    tokens.set(role, (await server.running.issueToken({ role, ttl: '1h', name: `test-${role}` })).token)
})
after(() => server.stop())

/** Operations that were denied to the holder of a token by this name. */
async function denied(actor: string): Promise<string[]> {
  const page = await server.manage('GET', `/audit?outcome=denied&limit=200&actor=${actor}`)
  assert.equal(page.json.next_cursor, null, page.text)
  return page.json.items.map(({ operation }: { operation: string }) => operation)
}

for (const role of ROLES) {
  test(`${role}: every operation is refused or let through as the table says`, async () => {
    const refused: string[] = []
    for (const operation of OPERATIONS) {
      const { method, path } = routeOf(operation)
      const url = `${server.running.controlUrl}${API_ROOT}${path.replace('{id}', 'nothing-here')}`
      // An input that no write accepts: whoever is let in is told that, and changes nothing
      const body = method === 'GET' ? {} : { body: { no_such_member: true } }
      const reply = await call(method, url, { token: tokens.get(role), ...body })
      const name = nameOf(operation)
      if (allows(role, operation.permission)) {
        assert.ok(![401, 403, 500].includes(reply.status), `${name}: ${reply.text}`)
        continue
      }
      assert.equal(reply.status, 403, `${name}: ${reply.text}`)
      assert.equal(reply.json.code, 'permission_denied')
      assert.ok(reply.json.detail.includes(operation.permission), 'the missing permission is named')
      refused.push(name)
    }
    assert.deepEqual((await denied(`test-${role}`)).sort(), refused.sort(), 'each denial is one audit entry')
  })
}
