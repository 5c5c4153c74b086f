/** What browser tests of the console start before their first test: an instance with people, a browser, and an MCP server behind it. */
import type { Browser } from 'playwright-core'
import { textTool } from '../mcp/fixture/catalogue.ts'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { created, startTestServer, type TestServer } from '../scenarios/server.ts'
import { addUser } from '../support/sign-in.ts'
import { launch } from './chromium.ts'

/** Roles by the name of the person, within the whole configuration; null: no grant. */
export type People = Readonly<Record<string, 'admin' | 'modifier' | 'viewer' | null>>

export interface StartedConsole extends AsyncDisposable {
  readonly browser: Browser
  readonly server: TestServer
  /** The origin of the console: that of the control listener. */
  readonly origin: string
  /** Origins that pages may send requests to. */
  readonly origins: readonly string[]
}

/** Starts an instance with these people, and a browser. */
export async function startConsole(
  people: People = { ann: 'admin' },
  { workers = 1 }: { readonly workers?: number } = {},
): Promise<StartedConsole> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startTestServer({ workers }))
  await addPeople(server, people)
  const browser = await launch()
  stack.defer(() => browser.close())
  const open = stack.move()
  const { controlUrl: origin, origin: gateway } = server.running
  return {
    browser,
    server,
    origin,
    origins: [origin, gateway],
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

/** Makes local users, who sign in with the password of all test users. */
export async function addPeople(server: TestServer, people: People = { ann: 'admin' }): Promise<void> {
  for (const [name, role] of Object.entries(people)) {
    await addUser(server, server.running.origin, name)
    if (role !== null) await created(server.manage('POST', '/grants', { name, user: name, role }))
  }
}

/** Starts an MCP server of the modern era with tools that answer `done`. */
export async function startDesk(tools: readonly string[]): Promise<Fixture> {
  const desk = await startFixture({ eras: 'modern', isFilled: false })
  for (const name of tools) desk.catalogue.putTool(textTool(name, () => 'done'))
  return desk
}

/**
 * Publishes an MCP server, as the origin `desk`, in the virtual MCP `support`, which the client `acme` may call.
 * Returns the token of its profile `key`.
 * @param members of the virtual MCP besides those that make it one of the origin
 */
export async function publishSupport(
  { manage }: TestServer,
  desk: Fixture,
  members: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const make = (path: string, body: object) => created(manage('POST', path, body))
  await make('/origins', { name: 'Desk', slug: 'desk', url: desk.url })
  await make('/virtual_mcps', {
    name: 'Support',
    slug: 'support',
    status: 'published',
    members: [{ origin: 'desk' }],
    ...members,
  })
  await make('/clients', { name: 'Acme', slug: 'acme', virtual_mcps: ['support'] })
  const profile = await make('/profiles', {
    client: 'acme',
    name: 'Key',
    slug: 'key',
    auth: { type: 'token' },
  })
  return profile.json.token
}
