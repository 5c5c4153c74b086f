import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createClock } from '../../src/base/clock.ts'
import { FIELD_RULES } from '../../src/gateway/fields.ts'
import { createRunningCalls } from '../../src/mcp/http/running.ts'
import { probeOrigin } from '../../src/mcp/origin/probe.ts'
import { createVirtualDoor } from '../../src/mcp/virtual/door.ts'
import { toOriginAnswer } from '../../src/mcp/virtual/origin-call.ts'
import { OriginSpec } from '../../src/model/origin.ts'
import { VirtualMcpSpec } from '../../src/model/virtual-mcp.ts'
import { createThreadEvents } from '../../src/shared-state/memory/events.ts'
import { compileCatalogue, compileOrigin, compileVirtualMcp } from '../../src/snapshot/compile/mcp.ts'
import { PEERS } from '../support/mcp-clients.ts'
import { type SdkServer, startSdkServer } from '../support/mcp-server.ts'
import { createSessionMemory } from '../support/session-memory.ts'
import { client, profile, token } from './fragments.ts'
import { type Served, serve } from './serve.ts'

const NO_NAMES = { tools: [], prompts: [], resources: [], resource_templates: [] }
const acme = token('tok_acme')
const other = token('tok_other')
let served: Served
let sums: SdkServer

before(async () => {
  sums = await startSdkServer()
  let door: ReturnType<typeof createVirtualDoor> | null = null
  served = await serve(
    () => [
      client('acme', {
        virtual_mcps: ['vmc_desk'],
        profiles: [profile('key', { auth: 'token', tokens: [acme.fragment] })],
      }),
      client('other', { profiles: [profile('other-key', { auth: 'token', tokens: [other.fragment] })] }),
    ],
    {
      reserved(incoming, exchange, gateway) {
        door ??= createVirtualDoor({
          gateway,
          sealKey: new Uint8Array(32).fill(7),
          ...createSessionMemory(),
          running: createRunningCalls(createThreadEvents(() => {})),
          origin: 'http://localhost:8080',
          allowsOrigin: () => false,
          corsLines: () => '',
          version: '0.0.0',
          clock: createClock(),
          requestId: () => exchange.requestId,
          taken: [...FIELD_RULES.take, ...FIELD_RULES.peek],
          fault: (error) => assert.fail(String(error)),
          isPersonal: gateway.isPersonal,
        })
        door(incoming)
      },
    },
  )
  const origin = { id: 'ori_sums', slug: 'sums', spec: OriginSpec.parse({ name: 'Sums', url: sums.url }) }
  const fragment = compileOrigin(origin, null)
  const { steps, found } = await probeOrigin({
    send: async (request) => toOriginAnswer(await served.gateway.askOrigin(fragment, request)),
    clock: createClock(),
    own: { name: 'postern', version: '0' },
  })
  assert.ok(found !== null, JSON.stringify(steps))
  const spec = VirtualMcpSpec.parse({ name: 'Desk', members: [{ origin: 'ori_sums' }] })
  served.apply([
    compileOrigin(origin, found),
    compileCatalogue(origin, found),
    compileVirtualMcp({
      virtualMcp: { id: 'vmc_desk', slug: 'desk', spec },
      origins: new Map([['ori_sums', { slug: 'sums', catalogue: found.catalogue }]]),
      names: NO_NAMES,
      approved: {},
    }),
  ])
})
after(async () => {
  await served.close()
  await sums[Symbol.asyncDispose]()
})

for (const [name, connect] of Object.entries(PEERS))
  test(`${name} lists the tools of an origin at its virtual MCP, and calls one`, async () => {
    const url = `http://127.0.0.1:${served.port}/mcp/desk`
    const peer = await connect(url, { authorization: `Bearer ${acme.text}` })
    const tools = await peer.tools()
    assert.deepEqual(
      tools.map((tool) => tool.name),
      ['add'],
    )
    const result = await peer.call('add', { a: 19, b: 23 })
    assert.deepEqual(result.content, [{ type: 'text', text: '42' }])
    await peer.close()
  })
