/** Settings, and who may do what: people, teams, roles, grants and service identities, by task in a real browser. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { created, publishOrders, type TestServer } from '../scenarios/server.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean, SIZES } from './clean.ts'
import { pointerOn } from './hands.ts'
import { startConsole } from './start-console.ts'

suite('settings and access, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let origin: string
  let origins: readonly string[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    ;({ browser, server, origin, origins } = stack.use(
      await startConsole({ ann: 'admin', bob: 'admin', viv: 'viewer' }),
    ))
    await publishOrders(server, 'http://127.0.0.1:9')
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  const get = async (path: string) => (await server.manage('GET', path)).json
  const card = (page: Page, title: string): Locator =>
    page.locator('section').filter({ has: page.getByRole('heading', { name: title, exact: true }) })

  /** Sends the form, looks at the difference, and confirms it. */
  async function reviewed(place: Locator, verb: string): Promise<void> {
    await place.getByRole('button', { name: 'Review the change' }).click()
    await place.getByRole('button', { name: verb, exact: true }).click()
  }

  for (const { name, width, dark } of SIZES)
    test(`the page of the settings renders ${name} without a fault`, async () => {
      await using visit = await visitor(browser, origins, { width, dark })
      await signIn(visit.page, origin, 'ann')
      await opened(visit.page, '/settings')
      await visit.page.getByLabel('Include defaults').check()
      await assertClean(visit, width, '/settings')
      await opened(visit.page, '/settings?authentication=token&application=cursor')
      await assertClean(visit, width, '/settings')
    })

  test('an approval rule is added, read as a sentence, edited and removed, and each step is stored after its difference', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    const { fill } = pointerOn(page)
    await signIn(page, origin, 'ann')
    await opened(page, '/settings')
    const rules = card(page, 'Approval rules')
    await rules.getByText('No rules. Changes apply without approval.').waitFor()
    await rules.getByRole('button', { name: 'Add a rule' }).click()
    const dialog = page.getByRole('dialog')
    await fill(dialog.getByRole('textbox', { name: 'Name' }), 'Four eyes')
    await fill(dialog.getByRole('textbox', { name: 'Permissions', exact: false }).first(), 'nothing:update')
    await dialog.getByRole('button', { name: 'Review the change' }).click()
    await dialog
      .getByText(/not a permission for changes/)
      .first()
      .waitFor()
    await fill(dialog.getByRole('textbox', { name: 'Permissions', exact: false }).first(), '*:delete')
    await reviewed(dialog, 'Save')
    await dialog.waitFor({ state: 'detached' })
    await rules.getByText('Deleting anything needs the approval of another person.').waitFor()
    assert.deepEqual((await get('/settings/current')).approvals[0].permissions, ['*:delete'])
    await rules.getByRole('button', { name: 'Edit Four eyes' }).click()
    await fill(
      dialog.getByRole('textbox', { name: 'Permissions', exact: false }).first(),
      '*:delete\nkeys:rotate',
    )
    await reviewed(dialog, 'Save')
    await rules.getByText('Deleting anything and rotating keys need the approval').waitFor()
    await rules.getByRole('button', { name: 'Remove Four eyes' }).click()
    await dialog.getByRole('heading', { name: 'Remove the rule Four eyes' }).waitFor()
    await dialog.getByRole('button', { name: 'Save', exact: true }).click()
    await rules.getByText('No rules. Changes apply without approval.').waitFor()
    assert.deepEqual((await get('/settings/current')).approvals, [])
    // The browser tells of the refusal that this test asks for
    assert.deepEqual(
      visit.faults.filter((fault) => !/status of 400/.test(fault)),
      [],
    )
  })

  test('a rule that somebody else has changed meanwhile is not overwritten', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/settings')
    await card(page, 'New hosts').getByRole('button', { name: 'Edit new hosts' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('combobox').selectOption('hold')
    await dialog.getByRole('button', { name: 'Review the change' }).click()
    await dialog.getByRole('button', { name: 'Save', exact: true }).waitFor()
    const rule = { name: 'Theirs', permissions: ['policies:update'] }
    assert.equal((await server.manage('PATCH', '/settings/current', { approvals: [rule] })).status, 200)
    await dialog.getByRole('button', { name: 'Save', exact: true }).click()
    await dialog.getByText(/are at revision/).waitFor()
    assert.equal((await get('/settings/current')).new_hosts, 'allow')
    await dialog.getByRole('button', { name: 'Back', exact: true }).click()
    await dialog.getByRole('button', { name: 'Close', exact: true }).click()
    await page.getByRole('button', { name: 'Discard' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.reload()
    await card(page, 'Approval rules').getByText('Changing policies needs the approval').waitFor()
    await card(page, 'New hosts').getByRole('button', { name: 'Edit new hosts' }).click()
    await dialog.getByRole('combobox').selectOption('hold')
    await reviewed(dialog, 'Save')
    await card(page, 'New hosts').getByText('inactive until an administrator activates it').waitFor()
    const restored = { approvals: [], new_hosts: 'allow' }
    assert.equal((await server.manage('PATCH', '/settings/current', restored)).status, 200)
    // The refusal is what this test is about
    assert.deepEqual(
      visit.faults.filter((fault) => !/status of 4(?:09|12)/.test(fault)),
      [],
    )
  })

  test('startup settings are a table, and the snippets of Management MCP name its address', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/settings')
    const start = card(page, 'Startup settings')
    const row = (name: string): Locator => start.getByRole('row').filter({ hasText: name })
    const { items } = (await server.manage('GET', '/settings')).json as {
      items: { name: string; value: string | null; source: string }[]
    }
    const set = items.find(({ source, value }) => source === 'flag' && value !== null)!
    await row(set.name).getByText(set.value!, { exact: true }).waitFor()
    const usual = items.find(({ source }) => source === 'default')!
    assert.equal(await row(usual.name).count(), 0)
    await start.getByLabel('Include defaults').check()
    await row(usual.name).first().waitFor()
    const way = card(page, 'Connect to Management MCP')
    await way.getByRole('tab', { name: 'Claude Code' }).click()
    await way
      .getByText(`claude mcp add --transport http postern ${server.running.origin}/management/mcp`, {
        exact: true,
      })
      .waitFor()
    await way.getByLabel('A script with a personal token').check()
    await way.getByText('MCP_TOKEN_POSTERN').first().waitFor()
    assertFaultless(visit, 'start')
  })

  test('a team is made, a person put into it, and a role granted to it, so that the person may do more', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    const { fill, pick } = pointerOn(page)
    await signIn(page, origin, 'ann')
    const main = page.locator('#main')
    await opened(page, '/teams/new')
    await fill(page.getByRole('textbox', { name: 'Name (required)' }), 'Support desk')
    await page.getByRole('button', { name: 'Add to members' }).click()
    await pick(page.getByRole('combobox', { name: /^User/ }), 'viv')
    await reviewed(main, 'Create')
    await page.waitForURL(/\/teams\/tea_/)
    await opened(page, '/roles/new')
    await fill(page.getByRole('textbox', { name: 'Name (required)' }), 'Limiter')
    await fill(page.getByRole('textbox', { name: /^Permissions/ }), 'policies:read\npolicies:create')
    await reviewed(main, 'Create')
    await page.waitForURL(/\/roles\/rol_/)
    await page
      .getByRole('row', { name: /Policies/ })
      .getByLabel('yes')
      .first()
      .waitFor()
    await opened(page, '/grants/new')
    await fill(page.getByRole('textbox', { name: 'Name (required)' }), 'Desk limits')
    await pick(page.getByRole('combobox', { name: /^Team/ }), 'support-desk')
    await pick(page.getByRole('combobox', { name: /^Role/ }), 'limiter')
    await reviewed(main, 'Create')
    await page.getByText(/Members of the team support-desk may do what the role limiter allows/).waitFor()
    await using other = await visitor(browser, origins)
    await signIn(other.page, origin, 'viv')
    await opened(other.page, '/policies')
    await other.page.getByRole('link', { name: 'New policy' }).first().waitFor()
    assertFaultless(visit, 'team')
  })

  test('a role is edited, and its grid shows what it allows now', async () => {
    await created(
      server.manage('POST', '/roles', { name: 'Reader', slug: 'reader', permissions: ['collections:read'] }),
    )
    await using visit = await visitor(browser, origins)
    const { page } = visit
    const { fill } = pointerOn(page)
    await signIn(page, origin, 'ann')
    await opened(page, '/roles/reader?tab=edit')
    await fill(page.getByRole('textbox', { name: /^Permissions/ }), 'collections:read\nclients:read')
    await reviewed(page.locator('#main'), 'Save')
    await page
      .getByRole('row', { name: /Clients/ })
      .getByLabel('yes')
      .waitFor()
    assert.deepEqual((await get('/roles/reader')).permissions, ['collections:read', 'clients:read'])
    assertFaultless(visit, 'role')
  })

  test('a service identity is made and gets a grant and a trust rule from its page', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    const { fill } = pointerOn(page)
    const main = page.locator('#main')
    await signIn(page, origin, 'ann')
    await page.getByRole('button', { name: 'Govern' }).click()
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Machines' }).click()
    await page.getByRole('heading', { name: 'Service identities', level: 1 }).waitFor()
    await page
      .getByText(/^Machines are service identities: /)
      .first()
      .waitFor()
    await page.getByRole('link', { name: 'New service identity' }).first().click()
    await page.getByRole('heading', { name: 'New service identity' }).waitFor()
    await fill(page.getByRole('textbox', { name: 'Name (required)' }), 'Release train')
    await reviewed(main, 'Create')
    await page.waitForURL(/\/service_identities\/svc_/)
    await card(page, 'Grants').getByRole('link', { name: 'New grant' }).click()
    await fill(page.getByRole('textbox', { name: 'Name (required)' }), 'Train reads')
    await fill(page.getByRole('combobox', { name: /^Role/ }), 'viewer')
    await reviewed(main, 'Create')
    await page.getByText('The service identity release-train may read everything.').waitFor()
    await opened(page, '/service_identities/release-train')
    await card(page, 'Grants').getByText('may read everything').waitFor()
    await card(page, 'Trust rules').getByRole('link', { name: 'New trust rule' }).click()
    await fill(page.getByRole('textbox', { name: 'Name (required)' }), 'CI')
    await fill(page.getByRole('textbox', { name: /^Issuer/ }), 'https://ci.example')
    await fill(page.getByRole('textbox', { name: /^Audience/ }), 'postern')
    await page.getByRole('button', { name: 'Add to conditions' }).click()
    await fill(page.getByRole('textbox', { name: /^Claim/ }), 'sub')
    await fill(page.getByRole('textbox', { name: /^Glob/ }), 'train*')
    await reviewed(main, 'Create')
    await page.waitForURL(/\/trust_rules\/tru_/)
    await opened(page, '/service_identities/release-train')
    await card(page, 'Trust rules').getByText('tokens of https://ci.example').waitFor()
    await page.getByRole('link', { name: 'Grants' }).last().click()
    await page.waitForURL(/\/grants\?service_identity=release-train/)
    assertFaultless(visit, 'service identity')
  })
})
