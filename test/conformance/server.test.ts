/**
 * The official conformance suite of MCP, as servers pass it. Each target stands for one way from the suite to a server: a
 * target that fails while the fixture itself passes has a fault on the way.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startFixture } from '../mcp/fixture/fixture.ts'
import { startLegacyOrigin } from '../mcp/legacy.ts'
import { startVirtualMcp } from '../mcp/virtual-mcp.ts'
import { IS_LONG } from '../support/long.ts'
import { startCredentialProxy } from './credential-proxy.ts'
import { runServerSuite, type ServerRun } from './server-suite.ts'
import { REQUIREMENT_SETS, requiredScenarios } from './suite.ts'

interface Started extends AsyncDisposable, Pick<ServerRun, 'url' | 'headers'> {}

interface Target {
  readonly name: string
  /** Unscored scenarios that it does not pass; none without. A scenario that passes must leave the list. */
  readonly fails?: readonly string[]
  /** All where it is absent. */
  readonly sets?: readonly (typeof REQUIREMENT_SETS)[number][]
  start(): Promise<Started>
}

/** The suite against a virtual MCP in front of the fixture. */
async function throughVirtualMcp(eras: 'dual' | 'modern' | 'legacy'): Promise<Started> {
  const stack = new AsyncDisposableStack()
  const fixture = stack.use(await startFixture({ eras }))
  const { url, headers } = stack.use(await startVirtualMcp({ demo: fixture.url }))
  return { url, headers, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** The suite against a virtual MCP over the fixture, one with the same names and URIs, and a server of an earlier era. */
async function besideOthers(): Promise<Started> {
  const stack = new AsyncDisposableStack()
  const fixture = stack.use(await startFixture())
  const twin = stack.use(await startFixture())
  const earlier = stack.use(await startLegacyOrigin())
  const { url, headers } = stack.use(
    await startVirtualMcp({ demo: fixture.url, earlier: earlier.url, twin: twin.url }),
  )
  return { url, headers, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** Of 2026-07-28: such a server has no extension for tasks. */
const UNSERVED_OF_LEGACY = [
  'tasks-capability-negotiation',
  'tasks-dispatch-and-envelope',
  'tasks-lifecycle',
  'tasks-mrtr-composition',
  'tasks-mrtr-input',
  'tasks-request-headers',
  'tasks-request-state-removal',
  'tasks-required-task-error',
  'tasks-wire-fields',
]

const TARGETS: readonly Target[] = [
  { name: 'the fixture', start: () => startFixture() },
  {
    name: 'the fixture behind a credential',
    start: async () => {
      const fixture = await startFixture()
      const seen = () => fixture.requests.every(({ headers }) => headers['authorization'] === 'Bearer secret')
      return {
        url: fixture.url,
        headers: { authorization: 'Bearer secret' },
        async [Symbol.asyncDispose]() {
          await fixture[Symbol.asyncDispose]()
          assert.ok(seen(), 'a request came without the credential')
        },
      }
    },
  },
  { name: 'a virtual MCP', fails: [], start: () => throughVirtualMcp('dual') },
  {
    name: 'a virtual MCP over a server that speaks 2026-07-28 alone',
    fails: [],
    start: () => throughVirtualMcp('modern'),
  },
  {
    name: 'a virtual MCP over a server that speaks 2025-11-25 alone',
    fails: UNSERVED_OF_LEGACY,
    start: () => throughVirtualMcp('legacy'),
  },
  { name: 'a virtual MCP over two other servers besides', fails: [], start: besideOthers },
]
const SKIPPED = IS_LONG ? false : 'the official conformance suite, half a minute: npm run test:all'

for (const { name, fails, sets = REQUIREMENT_SETS, start } of TARGETS)
  describe(`the conformance suite against ${name}`, { skip: SKIPPED }, () => {
    for (const requirements of sets)
      test(`passes all that ${requirements} requires`, async (t) => {
        await using target = await start()
        const { headers } = target
        const run = { url: target.url, requirements, ...(headers === undefined ? {} : { headers }) }
        const { exitCode, scenarios, output } = await runServerSuite(run)
        if (fails === undefined)
          for (const scenario of scenarios)
            await t.test(scenario.name, () => assert.deepEqual(scenario.findings, []))
        else {
          const failed = scenarios.filter(({ hasPassed }) => !hasPassed).map((scenario) => scenario.name)
          assert.deepEqual(failed.toSorted(), requirements === '2026-07-28' ? fails : [], output)
        }
        assert.equal(exitCode, 0, output)
      })
  })

test('the suite requires 30 scenarios of 2025-11-25 and 37 of 2026-07-28', () => {
  assert.deepEqual(
    REQUIREMENT_SETS.map((set) => requiredScenarios(set, 'server').length),
    [30, 37],
  )
})

test('the proxy adds its header, and leaves Host and the others as the client sent them', async () => {
  await using fixture = await startFixture()
  await using proxy = await startCredentialProxy(fixture.url, { authorization: 'Bearer secret' })
  const headers = { authorization: 'Bearer other', 'x-own': 'kept', 'content-type': 'application/json' }
  await (await fetch(proxy.url, { method: 'POST', headers, body: '{}' })).text()
  const [request] = fixture.requests
  assert.equal(request?.headers['authorization'], 'Bearer secret')
  assert.equal(request?.headers['x-own'], 'kept')
  assert.equal(request?.headers['host'], new URL(proxy.url).host)
})
