/** From the URL of an MCP server to tools in a virtual MCP, in a real browser and over a real MCP server. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { textTool } from '../mcp/fixture/catalogue.ts'
import type { Fixture } from '../mcp/fixture/fixture.ts'
import { created, type TestServer } from '../scenarios/server.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean, SIZES } from './clean.ts'
import { startConsole, startDesk } from './start-console.ts'

suite('adding an MCP server, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let desk: Fixture
  let guarded: GuardedOrigin
  let origin: string
  let origins: readonly string[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    desk = stack.use(await startDesk(['close_ticket', 'delete_ticket']))
    for (const name of ['read_ticket', 'get-env'])
      desk.catalogue.putTool(textTool(name, () => 'done', { annotations: { readOnlyHint: true } }))
    guarded = stack.use(await startGuardedOrigin())
    ;({ browser, server, origin, origins } = stack.use(await startConsole({ ann: 'admin', vic: 'viewer' })))
    await created(
      server.manage('POST', '/origins', { name: 'Unread', slug: 'unread', url: desk.url, probe: false }),
    )
    await created(server.manage('POST', '/origins', { name: 'First', slug: 'first', url: desk.url }))
    await created(
      server.manage('POST', '/virtual_mcps', {
        name: 'Support',
        slug: 'support',
        members: [{ origin: 'first', capability_policy: { tools: ['read_ticket'] } }],
      }),
    )
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  const confirmed = async (page: Page, title: string): Promise<void> => {
    const review = page.getByRole('dialog', { name: title })
    await review.getByRole('button', { name: /^(Save|Create)$/ }).click()
    await review.waitFor({ state: 'detached' })
  }

  for (const { name, width, dark } of SIZES)
    test(`the page renders with an answer and with tools ${name} without a fault`, async () => {
      await using visit = await visitor(browser, origins, { width, dark })
      const { page } = visit
      await signIn(page, origin, 'ann')
      await opened(page, `/origins/add?url=${encodeURIComponent(desk.url)}`)
      await assertClean(visit, width, 'the question')
      await page.getByRole('button', { name: 'Ask the server' }).click()
      await page.getByText('lists 4 tools').waitFor()
      await page.getByText('Requests:').click()
      await assertClean(visit, width, 'the answer')
      await opened(page, '/origins/add?origin=first')
      await page.getByLabel('delete_ticket').waitFor()
      await assertClean(visit, width, 'the tools')
      await opened(page, '/origins/add?origin=unread')
      await assertClean(visit, width, 'no catalogue')
    })

  test('a server is asked, created, and those of its tools that are picked are callable in a new virtual MCP', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/origins')
    await page.getByRole('link', { name: 'Add a server' }).click()
    await page.getByLabel('URL').fill(desk.url)
    await page.getByRole('button', { name: 'Ask the server' }).click()
    await page.getByText('Answers', { exact: true }).waitFor()
    assert.equal(await page.getByLabel('What Postern sends to the server').inputValue(), 'static')
    await page.getByLabel('Name').fill('Desk')
    await page.getByRole('button', { name: 'Create the origin' }).click()
    await page.waitForURL((url) => url.searchParams.get('origin') === 'desk')
    for (const name of ['read_ticket', 'close_ticket', 'get-env']) {
      assert.equal(await page.getByLabel(name).isChecked(), name === 'read_ticket', name)
      assert.equal(
        await page
          .getByRole('listitem')
          .filter({ has: page.getByLabel(name) })
          .getByText(/^may /)
          .allInnerTexts()
          .then((texts) => texts.join()),
        { read_ticket: '', close_ticket: 'may write', 'get-env': 'may reveal secrets' }[name],
      )
    }
    await page.getByLabel('close_ticket').check()
    await page.getByLabel('Name').fill('Help desk')
    await page.getByLabel('Publish it now').check()
    await page.getByRole('button', { name: 'Create the virtual MCP' }).click()
    await page.waitForURL(/\/virtual_mcps\/help-desk\?tab=connect$/)
    const shown = await server.manage('POST', '/virtual_mcps/help-desk/preview', {})
    assert.deepEqual(
      shown.json.items.map(({ name, shown: is }: { name: string; shown: boolean }) => [name, is]),
      [
        ['close_ticket', true],
        ['delete_ticket', false],
        ['get-env', false],
        ['read_ticket', true],
      ],
    )
    assert.equal((await server.manage('GET', '/virtual_mcps/help-desk')).json.status, 'published')
    for (const operation of ['origins.create', 'virtual_mcps.create']) {
      const path = `/audit?operation=${operation}&surface=admin_ui&outcome=ok`
      assert.equal((await server.manage('GET', path)).json.items.length, 1, operation)
    }
    assertFaultless(visit, 'the way of a new server')
  })

  test('tools of another server go into a virtual MCP that exists, whose other origins keep their rules', async () => {
    await created(server.manage('POST', '/origins', { name: 'Second', slug: 'second', url: desk.url }))
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/origins/add?origin=second')
    await page.getByLabel('Existing').check()
    await page.getByLabel('Virtual MCP (required)').fill('support')
    await page.getByRole('option', { name: 'support' }).click()
    await page.getByRole('button', { name: 'Review the virtual MCP' }).click()
    await confirmed(page, 'Review the virtual MCP')
    await page.waitForURL(/\/virtual_mcps\/support\?tab=connect$/)
    const { members } = (await server.manage('GET', '/virtual_mcps/support')).json
    assert.deepEqual(
      members.map((member: { origin: string; capability_policy: Record<string, unknown> }) => [
        member.origin,
        member.capability_policy['tools'] ?? null,
      ]),
      [
        ['first', ['read_ticket']],
        ['second', ['read_ticket']],
      ],
    )
    assertFaultless(visit, 'an existing virtual MCP')
  })

  test('a server that answers 401 is recommended a sign-in of each person, and leads to the page where they connect', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/origins/add')
    await page.getByLabel('URL').fill(guarded.url)
    await page.getByRole('button', { name: 'Ask the server' }).click()
    await page.getByText('Sign-in required', { exact: true }).waitFor()
    assert.equal(await page.getByLabel('What Postern sends to the server').inputValue(), 'user_oauth')
    await page.getByLabel('Name').fill('Guarded')
    await page.getByRole('button', { name: 'Create the origin' }).click()
    const link = page.getByRole('link', { name: 'Connect an account' })
    assert.equal(await link.getAttribute('href'), `${server.running.origin}/connect/guarded`)
    assert.equal((await server.manage('GET', '/origins/guarded')).json.auth_mode, 'user_oauth')
    assertFaultless(visit, 'a server with a sign-in')
  })

  test('an address that nothing answers is told with the request that failed, and the URL is kept', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/origins/add')
    await page.getByLabel('URL').fill('http://127.0.0.1:1/mcp')
    await page.getByLabel('URL').press('Enter')
    await page.getByText('No valid response', { exact: true }).waitFor()
    await page.getByText('The server did not answer. Postern stores the origin').waitFor()
    assert.equal(await page.getByLabel('URL').inputValue(), 'http://127.0.0.1:1/mcp')
    assertFaultless(visit, 'no server')
  })

  test('a viewer is told which permission is missing', async () => {
    await using visit = await visitor(browser, origins)
    await signIn(visit.page, origin, 'vic')
    await opened(visit.page, '/origins')
    assert.equal(await visit.page.getByRole('link', { name: 'Add a server' }).count(), 0)
    await opened(visit.page, '/origins/add')
    await visit.page.getByText('origins:create').waitFor()
    assertFaultless(visit, 'a viewer')
  })
})
