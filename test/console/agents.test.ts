/** Hosts, bindings, origins, connections, keys and secrets in a real browser, over real MCP servers: what is shown and what is done. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import type { Fixture } from '../mcp/fixture/fixture.ts'
import { rawClient } from '../mcp/raw-client.ts'
import { call, created, type TestServer, until } from '../scenarios/server.ts'
import { postForm } from '../support/authorization.ts'
import { connect, signedInBrowser } from '../support/connect.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean, SIZES } from './clean.ts'
import { startConsole, startDesk } from './start-console.ts'

suite('hosts, origins and secrets, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let desk: Fixture
  let notes: GuardedOrigin
  let origin: string
  let origins: readonly string[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    desk = stack.use(await startDesk(['read_ticket', 'close_ticket']))
    notes = stack.use(await startGuardedOrigin())
    ;({ browser, server, origin, origins } = stack.use(await startConsole({ ann: 'admin', viv: 'viewer' })))
    const make = (path: string, body: object) => created(server.manage('POST', path, body))
    await make('/origins', { name: 'Desk', slug: 'desk', url: desk.url })
    await make('/origins', { name: 'Notes', slug: 'notes', url: notes.url, auth_mode: 'user_oauth' })
    const published = { status: 'published', all_users: true }
    await make('/virtual_mcps', {
      ...published,
      name: 'Support',
      slug: 'support',
      members: [{ origin: 'desk' }],
    })
    await make('/virtual_mcps', {
      ...published,
      name: 'Notes',
      slug: 'notes',
      members: [{ origin: 'notes' }],
    })
    await make('/hosts', { name: 'Nightly', slug: 'nightly' })
    await make('/bindings', { name: 'Tickets', slug: 'tickets', host: 'nightly', virtual_mcp: 'support' })
    await make('/service_identities', { name: 'Pipeline', slug: 'pipeline' })
    for (const person of ['ann', 'viv'])
      await connect(await signedInBrowser(server.running.origin, person), 'notes')
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  const get = async (path: string) => (await server.manage('GET', path)).json
  /** The card with this heading. */
  const card = (page: Page, title: string): Locator =>
    page.locator('section').filter({ has: page.getByRole('heading', { name: title, exact: true }) })

  /** Goes through the difference and its confirmation in a dialog. */
  async function confirmed(dialog: Locator, verb: string): Promise<void> {
    const review = dialog.getByRole('button', { name: 'Review the change' })
    const confirm = dialog.getByRole('button', { name: verb, exact: true })
    await review.or(confirm).first().waitFor()
    if ((await review.count()) > 0) await review.click()
    await confirm.click()
  }

  /** Reads the secret that a dialog or page shows once, and closes it. */
  async function secretOf(place: Locator): Promise<string> {
    await place.getByLabel('I have stored it').waitFor()
    const text = await place.getByRole('region').first().innerText()
    assert.equal(await place.getByRole('button', { name: 'Close', exact: true }).last().isDisabled(), true)
    await place.getByLabel('I have stored it').check()
    await place.getByRole('button', { name: 'Close', exact: true }).last().click()
    return text.trim()
  }

  const callWith = async (token: string): Promise<number> => {
    const { ask } = await rawClient(
      { url: `${server.running.origin}/mcp/support`, headers: { authorization: `Bearer ${token}` } },
      'modern',
    )
    return (await ask('tools/list', {})).status
  }

  for (const { name, width, dark } of SIZES)
    test(`the pages of hosts, bindings, origins, service identities and secrets render ${name} without a fault`, async () => {
      await using visit = await visitor(browser, origins, { width, dark })
      await signIn(visit.page, origin, 'ann')
      for (const path of [
        '/hosts/nightly',
        '/bindings/nightly:tickets',
        '/origins',
        '/origins/desk',
        '/origins/notes',
        '/connections?all_users=true',
        '/keys',
        '/service_identities/pipeline',
        '/personal_tokens/new',
      ]) {
        await opened(visit.page, path)
        await assertClean(visit, width, path)
      }
    })

  test('the token of a binding is issued and shown once, works, is replaced and revoked, and each page tells its state', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/hosts/nightly')
    await card(page, 'Bindings').getByText('No token').waitFor()
    await card(page, 'The application').getByText('None on record').waitFor()
    await card(page, 'Bindings').getByRole('link', { name: 'Tickets' }).click()
    await page.getByText('nightly calls support for itself').waitFor()
    const token = card(page, 'Token')
    await token.getByText('No token').waitFor()
    await token.getByText('90 days').waitFor()
    await token.getByRole('button', { name: 'Issue a token' }).click()
    const dialog = page.getByRole('dialog')
    await confirmed(dialog, 'Issue token')
    const first = await secretOf(dialog)
    assert.match(first, /^pst_ht_/)
    await token.getByText('Valid').waitFor()
    assert.equal(await page.getByText(first).count(), 0, 'the token is shown nowhere else')
    assert.equal(await callWith(first), 200)
    await until(
      () => server.manage('GET', '/records?virtual_mcp=support'),
      ({ json }) => json.items.length > 0,
    )
    await page.reload()
    await token.getByText('answered 200').waitFor()
    await token.getByRole('button', { name: 'Issue a new token' }).click()
    await confirmed(dialog, 'Issue token')
    const second = await secretOf(dialog)
    assert.deepEqual([await callWith(first), await callWith(second)], [401, 200])
    await opened(page, '/hosts/nightly')
    await card(page, 'Bindings').getByText('Valid').waitFor()
    await card(page, 'Bindings').getByRole('link', { name: 'Tickets' }).click()
    await token.getByRole('button', { name: 'Revoke' }).click()
    await confirmed(dialog, 'Revoke token')
    await dialog.getByText('Done').waitFor()
    // The second one is that of the answer
    await dialog.getByRole('button', { name: 'Close', exact: true }).nth(1).click()
    await token.getByText('Revoked').waitFor()
    assert.equal(await callWith(second), 401)
    assertFaultless(visit, 'token')
  })

  test('the secret of a service identity is issued and shown once, proves the identity, and its age and grants are on the page', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/service_identities/pipeline')
    await card(page, 'Grants').getByText('this identity has no permissions').waitFor()
    await card(page, 'Trust rules').getByText('No trust rule').waitFor()
    const way = card(page, 'How it signs in')
    await way.getByRole('button', { name: 'Issue a secret' }).click()
    const dialog = page.getByRole('dialog')
    await confirmed(dialog, 'Issue secret')
    const secret = await secretOf(dialog)
    await way.getByText('Issuing a new secret revokes this one at once').waitFor()
    const { status } = await postForm(`${server.running.origin}/oauth/token`, {
      grant_type: 'client_credentials',
      client_id: 'pipeline',
      client_secret: secret,
    })
    assert.equal(status, 200)
    assertFaultless(visit, 'service identity')
  })

  test('an origin tells whether it answers, which tools it has, and which virtual MCPs use it', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/origins/desk')
    await card(page, 'Server').getByText('Answers').waitFor()
    await card(page, 'Server')
      .getByText(/^MCP \d{4}-/)
      .waitFor()
    await card(page, 'Catalogue').getByText('2 tools.').waitFor()
    await card(page, 'Catalogue').getByText('close_ticket', { exact: true }).waitFor()
    await card(page, 'Virtual MCPs').getByRole('link', { name: 'Support' }).waitFor()
    assert.equal(await card(page, 'Connected accounts').count(), 0)
    assert.equal(await page.getByText('Oauth', { exact: true }).count(), 0, 'a static origin has no OAuth')
    await opened(page, '/origins')
    const look = async (name: string): Promise<string> =>
      (await page.getByRole('link', { name }).getAttribute('class')) ?? ''
    assert.match(await look('Add a server'), /bg-accent/)
    assert.equal(await page.getByRole('link', { name: 'New origin' }).count(), 0, 'one way to a new origin')
    assertFaultless(visit, 'origin')
  })

  test('an account at an origin is switched off and on from the list, and disconnected from the page of the origin', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/connections?all_users=true')
    const dialog = page.getByRole('dialog')
    const accountOf = async (user: string) =>
      (await get('/connections?all_users=true')).items.find((one: { user: string }) => one.user === user)
    await page.getByRole('link', { name: 'ann', exact: true }).waitFor()
    await page.getByLabel('Search connections').fill('viv')
    await page.getByRole('link', { name: 'ann', exact: true }).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Deactivate the account of viv at notes' }).click()
    await confirmed(dialog, 'Deactivate')
    await dialog.waitFor({ state: 'detached' })
    assert.equal((await accountOf('viv')).active, false)
    await page.getByRole('button', { name: 'Activate the account of viv at notes' }).click()
    await confirmed(dialog, 'Activate')
    await dialog.waitFor({ state: 'detached' })
    assert.equal((await accountOf('viv')).active, true)
    await page.getByRole('link', { name: 'viv' }).click()
    await page.waitForURL(/\/users\/viv/)
    await opened(page, '/origins/notes')
    await page.getByRole('button', { name: 'Disconnect the account of viv at notes' }).click()
    await dialog.getByRole('heading', { name: 'Disconnect the account of viv at notes' }).waitFor()
    await confirmed(dialog, 'Disconnect')
    await dialog.waitFor({ state: 'detached' })
    assert.equal(await accountOf('viv'), undefined)
    await card(page, 'Connected accounts').getByRole('link', { name: 'ann' }).waitFor()
    await card(page, 'Connected accounts').getByRole('link', { name: 'viv' }).waitFor({ state: 'detached' })
    assertFaultless(visit, 'connections')
  })

  test('the keys are rotated from their list', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    const [{ id: before }] = (await get('/keys')).items
    await opened(page, '/keys')
    await page.getByRole('link', { name: 'Rotate the keys' }).click()
    await confirmed(page.locator('#main'), 'Rotate')
    await page.getByText('Done').waitFor()
    const [{ id: after }] = (await get('/keys')).items
    assert.notEqual(after, before)
    assertFaultless(visit, 'keys')
  })

  test('a person limits a personal token to one of their grants, sees it once, and revokes it', async () => {
    await created(
      server.manage('POST', '/grants', {
        name: 'viv too',
        user: 'viv',
        role: 'modifier',
        scope: { resource_types: ['policies'] },
      }),
    )
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'viv')
    await opened(page, '/personal_tokens')
    await page.getByRole('link', { name: 'New personal token' }).first().click()
    await page.getByLabel('Name').fill('Nightly report')
    const showAs = page.getByRole('button', { name: 'Show as' })
    await showAs.waitFor()
    await page.getByLabel('Selected permissions').check()
    // Without a grant, the call would make a token that may do everything
    await showAs.waitFor({ state: 'detached' })
    assert.equal(await page.getByRole('button', { name: 'Review the change' }).isDisabled(), true)
    await page.getByLabel('You may read and change policies').check()
    await page.getByRole('button', { name: 'Review the change' }).click()
    const main = page.locator('#main')
    await main.getByText('Nightly report').waitFor()
    await main.getByRole('button', { name: 'Create', exact: true }).click()
    await main.getByLabel('I have stored it').waitFor()
    const token = await secretOf(main)
    await page.waitForURL(/\/personal_tokens\/tok_/)
    await page.getByText('modifier:policies').waitFor()
    const status = async (path: string): Promise<number> =>
      (await call('GET', `${origin}/management/v1${path}`, { token })).status
    assert.deepEqual([await status('/policies'), await status('/collections')], [200, 403])
    await page.reload()
    assert.equal(await page.getByText(token).count(), 0)
    await page.getByRole('button', { name: 'Revoke' }).click()
    await confirmed(page.getByRole('dialog'), 'Revoke')
    await until(
      () => status('/policies'),
      (code) => code === 401,
    )
    // Its page is left, and nothing asks for it once more
    await page.getByRole('heading', { name: 'Personal tokens', level: 1 }).waitFor()
    await page.waitForLoadState('networkidle')
    assertFaultless(visit, 'personal token')
  })

  test('the page that is shown is marked in the side bar, and the side bar is scrolled to it', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await page.setViewportSize({ width: 1440, height: 600 })
    await signIn(page, origin, 'ann')
    await opened(page, '/settings')
    const bar = page.getByRole('navigation', { name: 'Main' })
    const link = bar.getByRole('link', { name: 'Settings' })
    assert.equal(await link.getAttribute('aria-current'), 'page')
    const [inside, box] = [
      await page.getByRole('navigation', { name: 'Main' }).boundingBox(),
      await link.boundingBox(),
    ]
    assert.ok(
      box!.y >= inside!.y && box!.y + box!.height <= inside!.y + inside!.height + 1,
      JSON.stringify(box),
    )
    // Elsewhere its group is folded, in view at the height of a small window, and stays as it was left
    await page.setViewportSize({ width: 1440, height: 900 })
    await opened(page, '/collections')
    const group = bar.getByRole('button', { name: 'Govern' })
    assert.equal(await link.isVisible(), false)
    const [frame, place] = [await bar.boundingBox(), await group.boundingBox()]
    assert.ok(place!.y + place!.height <= frame!.y + frame!.height, JSON.stringify([frame, place]))
    await group.click()
    await bar.getByRole('button', { name: 'APIs' }).click()
    await page.reload()
    await link.waitFor()
    assert.equal(await bar.getByRole('link', { name: 'Workflows' }).isVisible(), true, 'its page is open')
    await opened(page, '/clients')
    assert.equal(await bar.getByRole('link', { name: 'Workflows' }).isVisible(), false)
    assertFaultless(visit, 'side bar')
  })

  test('the page of roles lists those that every instance has', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/roles')
    const roles = card(page, 'Built-in roles')
    assert.deepEqual(await roles.getByRole('term').allInnerTexts(), [
      'viewer',
      'modifier',
      'auditor',
      'admin',
    ])
    await assertClean(visit, 1440, 'roles')
    // A screen has one of these, in its content rather than in its head
    const buttons = page.getByRole('main').getByRole('button', { name: 'Show as' })
    assert.equal(await buttons.count(), 1)
  })
})
