/** Audit, change requests and access requests in a real browser, over the production bundle and a real gateway. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, suite, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { toYaml } from '../../src/surfaces/cli/config/files.ts'
import { publishOrders, type TestServer } from '../scenarios/server.ts'
import { assertFaultless, openPage, SKIPPED, signIn, visitor } from './chromium.ts'
import { assertClean, SIZES } from './clean.ts'
import { startConsole } from './start-console.ts'

const SCRIPT = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
const RULE = 'Two of us'

interface Entry {
  readonly op: string
  readonly path: string
  readonly from?: unknown
  readonly value?: unknown
}

/** A difference as the page shows it: pointer, text before and text after. */
async function shownDiff(within: Locator): Promise<string[][]> {
  const entries: string[][] = []
  for (const item of await within
    .getByRole('listitem')
    .filter({ has: within.page().locator('code') })
    .all())
    entries.push([
      (await item.locator('code').first().textContent()) ?? '',
      ...(await item.locator('pre').allTextContents()),
    ])
  return entries
}

/** A difference of the API in the same form. */
function asShown(diff: readonly Entry[]): string[][] {
  const text = (value: unknown): string =>
    typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  return diff.map(({ op, path, from, value }) => [
    path,
    ...(op === 'add' ? [] : [`- ${text(from)}`]),
    ...(op === 'remove' ? [] : [`+ ${text(value)}`]),
  ])
}

suite('audit and decisions in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let server: TestServer
  let origin: string
  let origins: readonly string[]
  const stack = new AsyncDisposableStack()

  before(async () => {
    ;({ browser, server, origin, origins } = stack.use(
      await startConsole({ ann: 'admin', bob: 'admin', viv: 'viewer', noa: null }, { workers: 2 }),
    ))
    await publishOrders(server, 'http://127.0.0.1:9')
    const approvals = [{ name: RULE, permissions: ['policies:update'] }]
    const set = await server.manage('PATCH', '/settings/current', { approvals })
    assert.equal(set.status, 200, set.text)
  })
  after(() => stack.disposeAsync())

  const opened = (page: Page, path: string): Promise<void> => openPage(page, origin, path)
  /** A call of management REST with the session of the page. */
  const asked = (page: Page, method: string, path: string, body: object): Promise<[number, string]> =>
    page.evaluate(
      async ([method, path, body]) => {
        const answer = await fetch(`/management/v1${path}`, {
          method: method!,
          headers: { 'content-type': 'application/json', 'x-postern-console': '1' },
          body: body!,
        })
        return [answer.status, await answer.text()] as [number, string]
      },
      [method, path, JSON.stringify(body)],
    )
  /** Ann asks for a change of the policy gold; the id of the change request. */
  const requested = async (description: string, reason?: string): Promise<string> => {
    await using visit = await visitor(browser, origins)
    await signIn(visit.page, origin, 'ann')
    const [status, text] = await asked(visit.page, 'PATCH', '/policies/gold', { description, reason })
    assert.equal(status, 202, text)
    const { items } = (await server.manage('GET', '/change_requests?state=open')).json
    return items[0].id
  }

  for (const { name, width, dark } of SIZES)
    test(`audit and inboxes render ${name} without a fault`, async () => {
      const change = await requested(SCRIPT, SCRIPT)
      const [entry] = (await server.manage('GET', '/audit?operation=policies.create')).json.items
      await using visit = await visitor(browser, origins, { width, dark })
      await signIn(visit.page, origin, 'bob')
      for (const path of [
        '/audit',
        `/audit?entry=${entry.id}`,
        `/audit/${entry.id}`,
        '/audit?actor=nobody',
        '/change_requests',
        `/change_requests/${change}`,
        '/change_requests?state=expired',
        '/access_requests',
        '/revisions',
        '/revisions?from=2&to=5',
        '/revisions/5',
        '/run/config.plan',
        '/run/config.export',
      ]) {
        await opened(visit.page, path)
        await assertClean(visit, width, path)
      }
      const rejected = await server.manage('POST', `/change_requests/${change}/reject`, { reason: 'a test' })
      assert.equal(rejected.status, 200, rejected.text)
    })

  test('another person approves a change; the shown difference is the one that the audit entry then holds', async () => {
    const id = await requested('Approved in the console', 'launch')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'bob')
    await opened(page, '/change_requests')
    await page.getByRole('link', { name: 'update the policy gold' }).click()
    await page.getByText('ann asked to update the policy gold. Nothing has changed yet.').waitFor()
    await page.getByText('launch', { exact: true }).waitFor()
    await page.getByText(RULE, { exact: true }).waitFor()
    const card = page.locator('section').filter({ has: page.getByRole('heading', { name: 'What changes' }) })
    const shown = await shownDiff(card)
    assert.ok(shown.length > 0)
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByRole('heading', { name: 'Effect of the decision' }).waitFor()
    assert.equal((await server.manage('GET', '/policies/gold')).json.description, '')
    await page.getByRole('button', { name: 'Confirm: approve' }).click()
    await page.getByText(/bob approved it, which created revision \d+\./).waitFor()
    const { json } = await server.manage('GET', '/audit?operation=policies.update&outcome=ok')
    const [entry] = json.items
    assert.deepEqual(shown, asShown(entry.diff))
    assert.deepEqual([entry.actor.name, entry.approver.name], ['ann', 'bob'])
    assert.equal((await server.manage('GET', `/change_requests/${id}`)).json.state, 'applied')
    assertFaultless(visit, 'approve')
  })

  test('a change shows whoever approves it the characters that cannot be seen', async () => {
    const id = await requested('Limits for \u202ella\u202c\u200b')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'bob')
    await opened(page, `/change_requests/${id}`)
    await page.getByText('Limits for U+202EllaU+202CU+200B').waitFor()
    await page.getByText('3 characters of this text are invisible.').waitFor()
    assertFaultless(visit, 'hidden characters')
    const rejected = await server.manage('POST', `/change_requests/${id}/reject`, { reason: 'a test' })
    assert.equal(rejected.status, 200, rejected.text)
  })

  test('the requester is offered no approval, the server refuses one, and a withdrawal ends the request', async () => {
    const id = await requested('Mine')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, `/change_requests/${id}`)
    await page.getByText('Another person has to approve it.').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0)
    await page.getByRole('button', { name: 'Withdraw' }).click()
    await page.getByRole('button', { name: 'Confirm: withdraw' }).click()
    await page.getByText('ann asked to update the policy gold and withdrew the request.').waitFor()
    assertFaultless(visit, 'withdraw')
    const again = await requested('Mine again')
    const [status, text] = await asked(page, 'POST', `/change_requests/${again}/approve`, {})
    assert.equal(status, 403, text)
    assert.match(text, /another person must approve it/)
    assert.equal(
      (await server.manage('POST', `/change_requests/${again}/reject`, { reason: 'a test' })).status,
      200,
    )
  })

  test('a rejection needs a reason, which the request then shows', async () => {
    const id = await requested('Rejected')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'bob')
    await opened(page, `/change_requests/${id}`)
    assert.equal(await page.getByRole('button', { name: 'Reject' }).isDisabled(), true)
    await page.getByLabel('Reason', { exact: true }).fill(SCRIPT)
    await page.getByRole('button', { name: 'Reject' }).click()
    await page.getByRole('button', { name: 'Confirm: reject' }).click()
    await page.getByText('ann asked to update the policy gold. bob rejected it.').waitFor()
    await page.getByText(SCRIPT, { exact: true }).waitFor()
    assert.equal(await page.locator('img').count(), 0)
    assertFaultless(visit, 'reject')
  })

  test('an access request is approved, and the client then has the collection', async () => {
    const made = await server.manage('POST', '/collections', {
      name: 'Stock',
      slug: 'stock',
      base_path: '/stock',
      requestable: true,
      status: 'published',
      upstream: { targets: [{ url: 'http://127.0.0.1:9' }] },
    })
    assert.equal(made.status, 201, made.text)
    const request = { client: 'acme', collections: ['stock'], message: SCRIPT }
    const waiting = await server.manage('POST', '/access_requests', request)
    assert.equal(waiting.status, 201, waiting.text)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'bob')
    await opened(page, '/access_requests')
    await page.getByRole('link', { name: 'acme' }).click()
    await page.getByText(SCRIPT, { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByRole('button', { name: 'Confirm: approve' }).click()
    await page.getByText('bob approved it.').waitFor()
    const { collections } = (await server.manage('GET', '/clients/acme')).json
    assert.ok(collections.includes('stock'), String(collections))
    assertFaultless(visit, 'access')
  })

  test('an audit entry shows its difference, reason and interface, and the whole chain is verified', async () => {
    const changed = { description: SCRIPT, reason: 'to be found' }
    assert.equal((await server.manage('PATCH', '/collections/orders', changed)).status, 200)
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/audit')
    await page.getByRole('searchbox', { name: 'Search the audit log' }).fill('to be found')
    await page.waitForURL((url) => url.searchParams.get('text') === 'to be found')
    await page.locator('table[aria-busy=false]').waitFor()
    await page.getByRole('row').filter({ hasText: 'collections.update' }).getByRole('link').click()
    const aside = page.getByRole('complementary', { name: 'Audit entry' })
    await aside.getByText(/ran collections\.update on collection orders over Management REST\./).waitFor()
    await aside.getByText('to be found', { exact: true }).waitFor()
    const [entry] = (await server.manage('GET', '/audit?reason=to%20be%20found')).json.items
    assert.deepEqual(await shownDiff(aside), asShown(entry.diff))
    assert.equal(await page.locator('img').count(), 0)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Verify the chain' }).click()
    await page.getByText('The chain is intact').waitFor()
    await page.getByText(/^No entry was changed, removed, inserted or moved: \d+ entries/).waitFor()
    assertFaultless(visit, 'audit')
  })

  test('a viewer reads the audit log and is offered neither a check of the chain nor a decision; others are told what is missing', async () => {
    const id = await requested('For a viewer')
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'viv')
    await opened(page, '/audit')
    assert.equal(await page.getByRole('button', { name: 'Verify the chain' }).count(), 0)
    await opened(page, `/change_requests/${id}`)
    await page.getByRole('heading', { name: 'What changes' }).waitFor()
    for (const name of ['Decision', 'Approvals'])
      assert.equal(await page.getByRole('heading', { name }).count(), 0)
    await opened(page, '/')
    assert.equal(await page.getByRole('heading', { name: 'Approvals' }).count(), 0)
    assertFaultless(visit, 'viewer')
    await using other = await visitor(browser, origins)
    await signIn(other.page, origin, 'noa')
    await opened(other.page, '/audit')
    await other.page.getByText('audit:read').waitFor()
    assertFaultless(other, 'nobody')
    assert.equal(
      (await server.manage('POST', `/change_requests/${id}/reject`, { reason: 'a test' })).status,
      200,
    )
  })

  test('two revisions are chosen and compared; the address holds them', async () => {
    const before = (await server.manage('GET', '/revisions?limit=1')).json.items[0].revision
    await server.manage('PATCH', '/collections/orders', { description: 'Compared' })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/revisions')
    await page.getByRole('button', { name: `Compare to revision ${before + 1}`, exact: true }).click()
    await page.getByText(`To revision ${before + 1}.`).waitFor()
    await page.getByRole('button', { name: `Compare from revision ${before}`, exact: true }).click()
    await page.getByText('collections/orders', { exact: true }).waitFor()
    await page.getByText('+ Compared').waitFor()
    assert.equal(new URL(page.url()).search, `?from=${before}&to=${before + 1}`)
    await page.reload()
    await page.getByText('+ Compared').waitFor()
    assertFaultless(visit, 'compare')
  })

  test('a rollback shows its difference, asks for the number of the revision, and the audit entries hold what was shown', async () => {
    await server.manage('PATCH', '/collections/orders', { description: 'Before' })
    const target = String((await server.manage('GET', '/revisions?limit=1')).json.items[0].revision)
    await server.manage('PATCH', '/collections/orders', { description: 'After' })
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, `/revisions/${target}`)
    await page.getByRole('button', { name: 'Roll back to this revision' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Changed (1): collections/orders').waitFor()
    const shown = await shownDiff(dialog)
    assert.equal(await dialog.getByRole('button', { name: 'Roll back', exact: true }).isDisabled(), true)
    await dialog.getByText('The rollback creates a new revision.').waitFor()
    assert.equal(await dialog.getByText('This cannot be undone.').count(), 0)
    assert.equal((await server.manage('GET', '/collections/orders')).json.description, 'After')
    await dialog.getByLabel(`Type ${target} to confirm`).fill(target)
    await dialog.getByLabel('Reason').fill('a bad day')
    await dialog.getByRole('button', { name: 'Roll back', exact: true }).click()
    await page.getByText(`Rolled back to revision ${target}`).waitFor()
    assert.equal((await server.manage('GET', '/collections/orders')).json.description, 'Before')
    const { items } = (await server.manage('GET', '/audit?reason=a%20bad%20day')).json
    // A difference of several resources names them before the member
    const diffs = items.flatMap(({ diff, resource }: { diff: Entry[]; resource: { slug: string } }) =>
      diff.map((entry) => ({ ...entry, path: `/collections/${resource.slug}${entry.path}` })),
    )
    assert.deepEqual(shown, asShown(diffs))
    assertFaultless(visit, 'rollback')
  })

  test('a file is planned, applied and pruned; what it manages is read-only and names the set', async () => {
    const text = (description: string) =>
      `kind: policy\nslug: from-file\nspec:\n  name: From a file\n  description: ${description}\n`
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/run/config.plan')
    const chosen = { name: 'team-a.yaml', mimeType: 'application/yaml', buffer: Buffer.from(text('one')) }
    await page.getByLabel('Choose files').setInputFiles(chosen)
    await page.getByText('team-a.yaml').waitFor()
    assert.equal(await page.getByLabel('Name of the set').inputValue(), 'team-a')
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByText('This would add 1, and leave 0 unchanged.').waitFor()
    await page.getByText('policy/from-file', { exact: true }).waitFor()
    assert.equal((await server.manage('GET', '/policies/from-file')).status, 404)
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.getByText('Added 1, changed 0').waitFor()
    assert.equal((await server.manage('GET', '/policies/from-file')).json.managed_by, 'team-a')
    await opened(page, '/policies/from-file?tab=edit')
    await page.getByText('The set of documents team-a manages this. It is read-only here.').waitFor()
    for (const name of ['Edit', 'Delete'])
      assert.equal(await page.getByRole('button', { name }).count(), 0, name)
    assert.equal(await page.getByRole('textbox').count(), 0)
    await page.getByRole('link', { name: 'apply them' }).click()
    await page.getByLabel('Or paste the text').fill('[]')
    await page.getByLabel('Remove resources that the documents no longer contain').check()
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByText('This would remove 1').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Apply' }).isDisabled(), true)
    await page.getByLabel('Remove 1 resource').check()
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.getByText('removed 1.').waitFor()
    assert.equal((await server.manage('GET', '/policies/from-file')).status, 404)
    assertFaultless(visit, 'file')
  })

  test('the configuration is exported as the YAML that the command line prints, to copy or download', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/revisions')
    await page.getByRole('link', { name: 'Export', exact: true }).click()
    await page.getByRole('heading', { name: 'Export the configuration', level: 1 }).waitFor()
    const shown = page.getByRole('region', { name: 'postern.yaml' })
    await shown.getByText('kind: collection').waitFor()
    const downloaded = async (): Promise<[string, string]> => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download' }).click(),
      ])
      return [download.suggestedFilename(), await readFile(await download.path(), 'utf8')]
    }
    const { documents } = (await server.manage('GET', '/config/export')).json
    assert.deepEqual(await downloaded(), ['postern.yaml', toYaml(documents)])
    await page.getByRole('button', { name: 'Copy: postern.yaml' }).waitFor()
    await page.getByLabel('Resources').fill('policy/gold')
    await page.getByRole('button', { name: 'Select', exact: true }).click()
    await shown.getByText('kind: collection').waitFor({ state: 'detached' })
    await shown.getByText('slug: gold').waitFor()
    assert.equal(new URL(page.url()).pathname, '/console/run/config.export')
    const some = (await server.manage('GET', '/config/export?select=policy/gold')).json.documents
    assert.deepEqual(await downloaded(), ['postern.yaml', toYaml(some)])
    assertFaultless(visit, 'export')
  })

  test('a file at fault is refused with the place of the fault, and nothing is planned', async () => {
    await using visit = await visitor(browser, origins)
    const { page } = visit
    await signIn(page, origin, 'ann')
    await opened(page, '/run/config.plan')
    await page
      .getByLabel('Or paste the text')
      .fill(`kind: policy\nslug: bad\nspec:\n  name: ${SCRIPT}\n  no_such_member: 1\n`)
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page
      .getByRole('alert')
      .getByText(/no_such_member/)
      .first()
      .waitFor()
    assert.equal(await page.locator('img').count(), 0)
    assert.equal(await page.getByLabel('Or paste the text').count(), 1)
  })
})
