/** Each state that a screen can have, on all screens of the console: a screen that is new fails here until the table says what it has. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { addressOf } from '../../ui/src/schema/value.ts'
import { created, startTestServer, type TestServer } from '../scenarios/server.ts'
import { ConsoleBrowser } from '../support/console-browser.ts'
import { KINDS, makeFull } from '../support/sample/every-kind.ts'
import { type Sample, startSample } from '../support/sample/instance.ts'
import { addUser } from '../support/sign-in.ts'
import { launch, SKIPPED, signIn, visitor } from './chromium.ts'
import { type Answering, type Asked, inLanes, type Lane, type Opened, startLane } from './lane.ts'
import { LINKED, OPERATIONS, ROUTES, SCREENS, type Screen } from './screens.ts'
import { DERIVED, entryOf, HAND_MADE, having, press, readsOf, reasonOf, type State } from './states.ts'

test('each screen of the console has an entry for each state, or the reason why it cannot have it', () => {
  assert.deepEqual(
    ROUTES.filter((path) => path.includes('$')),
    ['/run/$operation', '/$resource', '/$resource/new', '/$resource/$id'],
  )
  const names = SCREENS.map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
  assert.deepEqual(
    LINKED.filter((path) => !names.includes(path)),
    [],
  )
  const handMade = SCREENS.filter(({ isHandMade }) => isHandMade).map(({ name }) => name)
  assert.deepEqual(Object.keys(HAND_MADE).toSorted(), handMade.toSorted())
  assert.deepEqual(
    Object.keys(DERIVED).filter((name) => handMade.includes(name) || !names.includes(name)),
    [],
  )
  for (const screen of SCREENS) {
    const { name, kind, needs, tab } = screen
    const entry = entryOf(screen)
    const has = (state: State): boolean => reasonOf(screen, state) === undefined
    assert.equal(has('offline'), has('error'), `${name}: one visit tries both`)
    if (has('pending')) assert.ok(entry.change !== undefined, `${name} has no change`)
    if (has('filtered')) assert.ok(entry.filter, `${name} has no filter that nothing fits`)
    if (kind === 'form' || tab === 'edit') assert.ok(entry.ask !== undefined, `${name} asks nothing`)
    assert.ok(
      !has('forbidden') || kind !== 'page' || name === '/' || OPERATIONS[entry.needs ?? ''],
      `${name} needs no operation`,
    )
    assert.ok(
      needs.every((operation) => OPERATIONS[operation] !== undefined),
      name,
    )
  }
})

/** How many contexts go through the screens side by side. */
const LANES = 3
const CODE = 'internal_error'
const REQUEST_ID = 'req_of_a_failure'
const NO_ITEM = 'The item cannot be read.'
const RULE = 'Payments needs two'
const SET = 'shop-files'
/** The failed requests that a test makes are in the log of the browser. */
const FAILED =
  /^Failed to load resource: (?:the server responded with a status of [45]|net::ERR_INTERNET_DISCONNECTED)/
/** Members of the answer to a rollback. */
const ROLLED_BACK = { restored: [], changed: [], removed: [], kept: [] }
/** What the page shows. Times as people say them go on. */
const TEXT = `(() => {
  const main = document.querySelector('main').cloneNode(true)
  for (const time of main.querySelectorAll('time')) time.textContent = 'a time'
  return main.textContent
})()`
/** A person looks at the tab again. */
const LOOKED_AT = `document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`
/** Buttons of a page that change what documents say. */
const WRITES =
  /^(?:Edit|Delete|Publish|Unpublish|Activate|Deactivate|Assign|Unassign|Import|Enforce|Review and save)\b/
/**
 * The one of these buttons that a managed page keeps: the graph of a workflow publishes the proxies that run it, and documents have
 * no tokens.
 */
const NOT_IN_DOCUMENTS: Readonly<Record<string, string>> = { workflows: 'Publish', profiles: 'Import token' }

suite('states of all screens, in a browser', { skip: SKIPPED }, () => {
  let browser: Browser
  let sample: Sample
  /** An instance with nothing but a user. */
  let bare: TestServer
  let origins: string[]
  let bareOrigins: string[]
  let ids: Readonly<Record<string, string>>
  /** A real dry run of a write that needs approval, and the real answer to the write. */
  let waiting: { readonly dryRun: unknown; readonly answer: unknown }

  before(async () => {
    sample = await startSample({ proxiesEach: 2, records: 500, workers: 1 })
    bare = await startTestServer({ workers: 1 })
    const { running } = sample.server
    origins = [running.controlUrl, running.origin]
    bareOrigins = [bare.running.controlUrl, bare.running.origin]
    await addUser(bare, bare.running.origin, 'ann')
    await created(bare.manage('POST', '/grants', { name: 'ann', user: 'ann', role: 'admin' }))
    const ann = new ConsoleBrowser()
    await ann.signIn(running.controlUrl, 'ann')
    const ask = async (method: string, path: string, body?: object) =>
      JSON.parse((await ann.api(running.controlUrl, method, `/management/v1${path}`, body)).text)
    const chosen: Record<string, string> = {
      proxies: 'orders:create-v1',
      workflows: 'checked-order',
      virtual_mcps: 'support-desk',
      users: 'ben',
    }
    for (const resource of new Set(
      SCREENS.filter(({ name }) => name.includes('$id')).map(({ name }) => name.split('/')[1]!),
    )) {
      if (resource === 'problems' || resource === 'revisions') continue
      const [item] = (await ask('GET', `/${resource}?limit=1`)).items
      assert.ok(item !== undefined, `the sample instance has no ${resource}`)
      chosen[resource] ??= addressOf(resource, item)
    }
    ids = chosen
    const { definition } = await ask('GET', '/workflows/checked-order')
    await ask('POST', '/proxies/orders:list-v1/set_workflow', { definition })
    const wanted = { description: 'Payments, the oldest first.' }
    const dryRun = await ask('PATCH', '/proxies/payments:list-v1', { ...wanted, dry_run: true })
    waiting = {
      dryRun: { ...dryRun, result: { ...dryRun.result, ...ROLLED_BACK } },
      answer: await ask('PATCH', '/proxies/payments:list-v1', wanted),
    }
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await sample?.[Symbol.asyncDispose]()
    await bare?.stop()
  })

  /** Lanes of the same person. */
  const lanesOf = async (
    of: readonly string[],
    person: string,
  ): Promise<AsyncDisposable & { all: Lane[] }> => {
    await using visit = await visitor(browser, of)
    await signIn(visit.page, of[0]!, person)
    const cookies = await visit.context.cookies()
    const all = await Promise.all(Array.from({ length: LANES }, () => startLane(browser, of, cookies)))
    return {
      all,
      async [Symbol.asyncDispose]() {
        for (const lane of all) await lane[Symbol.asyncDispose]()
      },
    }
  }
  const pathOf = (screen: Screen, items: Readonly<Record<string, string>> = ids): string =>
    (items === ids ? entryOf(screen).path : undefined) ??
    screen.name.replace('$id', items[screen.name.split('/')[1]!] ?? '')
  const nameOf = ({ name }: Screen): string => name
  /** What stands where there is nothing to show. */
  const emptyIn = (page: Page): Locator => page.getByRole('main').locator('div:has(> svg):has(> h2)').first()

  test('a screen without anything says what it is for, and offers a next step and its request', async () => {
    await using lanes = await lanesOf(bareOrigins, 'ann')
    await inLanes(lanes.all, having('empty'), nameOf, (screen, lane) =>
      lane.go(pathOf(screen), async ({ page }) => {
        const empty = emptyIn(page)
        await empty.waitFor()
        assert.ok(
          (await empty.locator('> div').first().innerText()).length > 10,
          'it does not say what it is for',
        )
        const steps = await empty.locator('a, button').allInnerTexts()
        assert.ok(
          steps.some((text) => text !== 'Show as'),
          `no next step: ${steps}`,
        )
        await press(empty, 'Show as')
        await page.getByRole('dialog').getByRole('region', { name: 'curl' }).getByText('curl').waitFor()
      }),
    )
  })

  test('a screen whose filters nothing fits offers to clear them, and then shows all', async () => {
    await using lanes = await lanesOf(origins, 'ann')
    await inLanes(lanes.all, having('filtered'), nameOf, (screen, lane) =>
      lane.go(pathOf(screen) + entryOf(screen).filter, async ({ page }) => {
        const empty = emptyIn(page)
        await empty.getByRole('button').first().click()
        await page.waitForURL((url) => url.search === '')
        await page
          .getByRole('main')
          .getByText(/ fits the /)
          .waitFor({ state: 'detached' })
      }),
    )
  })

  test('a failure says what failed with the code as a link and the id of the request, and the retry works; offline what is shown stays', async () => {
    await using lanes = await lanesOf(origins, 'ann')
    await inLanes(
      lanes.all,
      having('error'),
      nameOf,
      async (screen, lane) => {
        const { kind, resource, tab } = screen
        const isForm = kind === 'form' || tab === 'edit'
        const entry = entryOf(screen)
        const own = `/${resource}/${pathOf(screen).split(/[/?]/)[2]}`
        const isOwn = ({ method, path }: Asked): boolean =>
          kind === 'part' && method === 'GET' && decodeURIComponent(path) === own
        const details = new Set<string>()
        const failing: Answering = (asked) => {
          const { method, path } = asked
          if (path.startsWith('/whoami') || isOwn(asked)) return null
          const detail = `No answer to ${method} ${path.split('?')[0]}.`
          details.add(detail)
          return problem(detail)
        }
        // The item itself fails in the same way at each part of its page
        const isFirst = kind === 'part' && tab === 'history'
        const first: Answering = (asked) => (isOwn(asked) ? problem(NO_ITEM) : failing(asked))
        await lane.open(pathOf(screen), isForm ? passing : isFirst ? first : failing, async (opened) => {
          const { page, settle, answer } = opened
          if (isFirst) {
            const alert = page.getByRole('alert').filter({ hasText: NO_ITEM })
            await alert.getByText(REQUEST_ID).waitFor()
            details.clear()
            answer(failing)
            await press(alert, 'Try again')
            await settle()
          }
          const ask = async (): Promise<void> => {
            if (entry.ask === undefined) return
            await entry.ask(page)
            await settle()
          }
          if (isForm) answer(failing)
          await ask()
          if (kind !== 'part') assert.ok(details.size > 0, 'it asked for nothing')
          for (const detail of details) await page.getByRole('alert').getByText(detail).first().waitFor()
          const alerts = page.getByRole('main').getByRole('alert')
          for (const alert of await alerts.all()) {
            const link = alert.getByRole('link', { name: CODE })
            assert.equal(await link.getAttribute('href'), `/console/problems/${CODE}`)
            assert.match(await alert.innerText(), new RegExp(REQUEST_ID))
            if (entry.ask === undefined)
              assert.equal(
                await alert.getByRole('button', { name: 'Try again' }).count(),
                1,
                await alert.innerText(),
              )
          }
          answer(passing)
          if (entry.ask === undefined) {
            for (let left = details.size; left > 0 && (await alerts.count()) > 0; left--) {
              await press(alerts.first(), 'Try again')
              await settle()
            }
          } else await page.getByRole('main').locator('button[type=submit]').last().click()
          await page.getByText(REQUEST_ID).waitFor({ state: 'detached' })
          await settle()
          assert.equal(await page.getByRole('main').locator('.skeleton').count(), 0, 'something still loads')
          await assertOffline(lane, opened)
        })
      },
      (fault) => FAILED.test(fault),
    )
  })

  const assertOffline = async ({ visit }: Lane, { page, settle }: Opened): Promise<void> => {
    const shown = await page.evaluate(TEXT)
    const bar = page.getByRole('status').filter({ hasText: 'Postern does not respond' })
    await visit.context.setOffline(true)
    try {
      await page.evaluate(LOOKED_AT)
      await bar.locator('time').waitFor()
      await settle()
      assert.equal(await page.evaluate(TEXT), shown)
    } finally {
      await visit.context.setOffline(false)
    }
    await press(bar, 'Try again')
    await bar.waitFor({ state: 'detached' })
  }

  test('a screen that a person may not see names the permission; one with this permission alone shows what it may, and asks for no more', async () => {
    const { manage, running } = sample.server
    await addUser(sample.server, running.origin, 'noa')
    await using none = await lanesOf(origins, 'noa')
    const noa = new ConsoleBrowser()
    await noa.signIn(running.controlUrl, 'noa')
    const whoami = await noa.api(running.controlUrl, 'GET', '/management/v1/whoami?operations=true')
    const { operations } = JSON.parse(whoami.text) as { readonly operations: readonly string[] }
    const needsOf = ({ name, needs }: Screen): readonly string[] =>
      needs.length > 0 ? needs : [HAND_MADE[name]?.needs ?? []].flat()
    const permissionOf = (operation: string): string => OPERATIONS[operation]!.permission
    const screens = having('forbidden')
    await inLanes(
      none.all,
      screens,
      nameOf,
      (screen, lane) =>
        lane.go(pathOf(screen), async ({ page }) => {
          // Everybody may ask for their own: what belongs to others is not there
          if (
            screen.name.includes('$id') &&
            (await page.getByRole('alert').getByText('not_found').count()) > 0
          )
            return
          const missing = needsOf(screen).find((operation) => !operations.includes(operation))
          const refusal = page.getByRole('heading', { name: /^You may not / })
          if (missing === undefined) assert.equal(await refusal.count(), 0)
          else await page.getByRole('main').getByText(permissionOf(missing), { exact: true }).waitFor()
        }),
      (fault) => fault.includes('status of 404'),
    )

    // One person in each lane, whose role is another one for each screen
    const people = Array.from({ length: LANES }, (_, index) => `reader-${index}`)
    const lanes: Lane[] = []
    for (const slug of people) {
      await addUser(sample.server, running.origin, slug)
      await created(manage('POST', '/roles', { name: slug, slug, permissions: ['users:read'] }))
      await created(manage('POST', '/grants', { name: slug, slug, user: slug, role: slug }))
      await using visit = await visitor(browser, origins)
      await signIn(visit.page, origins[0]!, slug)
      lanes.push(await startLane(browser, origins, await visit.context.cookies()))
    }
    const permissionsOf = (screen: Screen): readonly string[] => {
      const needs = needsOf(screen).map(permissionOf)
      const own = screen.tab === 'edit' ? needs.slice(0, 1) : needs
      return own.length === 0 ? [] : [...new Set([...own, ...readsOf(screen)])]
    }
    // Parts of a page with the same permissions are seen in one visit
    const visits = Map.groupBy(screens, (screen) =>
      [screen.kind === 'part' ? screen.resource : screen.name, ...permissionsOf(screen)].join(' '),
    )
    const nameOfAll = (seen: readonly Screen[]): string => seen.map(nameOf).join(', ')
    await inLanes(lanes, [...visits.values()], nameOfAll, async ([first, ...others], lane) => {
      const permissions = permissionsOf(first!)
      if (permissions.length === 0) return
      const changed = await manage('PATCH', `/roles/${people[lanes.indexOf(lane)]}`, { permissions })
      assert.equal(changed.status, 200, changed.text)
      await lane.open(pathOf(first!), passing, async ({ page, follow }) => {
        await assertReadOnly(page, first!, permissions)
        for (const screen of others) {
          await follow(`${origins[0]}/console${pathOf(screen)}`)
          await assertReadOnly(page, screen, permissions)
        }
      })
    })
    for (const lane of lanes) await lane[Symbol.asyncDispose]()
  })

  /** The page shows what it may to a person with these permissions alone, and nothing to change it with. */
  const assertReadOnly = async (
    page: Page,
    { name, kind, needs, tab }: Screen,
    permissions: readonly string[],
  ) => {
    const main = page.getByRole('main')
    const refusal = page.getByRole('heading', { name: /^You may not / })
    if (tab === 'edit') {
      await main.getByText(OPERATIONS[needs.at(-1)!]!.permission, { exact: true }).waitFor()
      assert.equal(await refusal.innerText(), 'You may not change this')
    } else assert.equal(await refusal.count(), 0, `${name}: ${await main.innerText()}`)
    if (kind === 'form' || permissions.some((one) => !one.endsWith(':read'))) return
    const writes = (await main.getByRole('button').allInnerTexts()).filter((text) => WRITES.test(text.trim()))
    assert.deepEqual(writes, [], `${name}: buttons of changes that the person may not make`)
  }

  test('a draft is marked in list and page, and the page switches between it and what is live', async () => {
    const { manage } = sample.server
    const texts = { collections: 'The collection as a draft', proxies: 'The proxy as a draft' } as const
    for (const [resource, description] of Object.entries(texts)) {
      const stored = await manage('PATCH', `/${resource}/${ids[resource]}`, { description, mode: 'draft' })
      assert.equal(stored.status, 200, stored.text)
    }
    await using lanes = await lanesOf(origins, 'ann')
    await inLanes(lanes.all, having('draft'), nameOf, (screen, lane) =>
      lane.open(pathOf(screen), passing, async ({ page }) => {
        const badge = page.getByText('draft', { exact: true }).first()
        await badge.waitFor()
        assert.match((await badge.getAttribute('class')) ?? '', /border-dashed/)
        if (screen.kind === 'list') return
        const text = texts[screen.resource as keyof typeof texts]
        const settings = page
          .locator('section')
          .filter({ has: page.getByRole('heading', { name: 'Settings' }) })
        await page.getByText(`+ ${text}`).waitFor()
        assert.equal(await settings.getByText(text).count(), 0)
        const version = page.getByRole('group', { name: 'Version' })
        await press(version, 'Draft')
        await settings.getByText(text).waitFor()
        assert.equal(new URL(page.url()).searchParams.get('version'), 'draft')
        await press(version, 'Live')
        await settings.getByText(text).waitFor({ state: 'detached' })
      }),
    )
  })

  test('what a set of documents manages is read-only at each part of its page, which names the set', async () => {
    const made: Record<string, string> = {}
    for (const kind of KINDS) made[kind] = (await makeFull(bare, kind, null)).id
    const documents: unknown[] = []
    // People and teams are exported by name alone
    for (const select of ['', '?select=user', '?select=team'])
      documents.push(...(await bare.manage('GET', `/config/export${select}`)).json.documents)
    const applied = await bare.manage('POST', '/config/apply', { documents, managed_by: SET })
    assert.equal(applied.status, 200, applied.text)
    await using lanes = await lanesOf(bareOrigins, 'ann')
    await inLanes(lanes.all, having('managed'), nameOf, (screen, lane) =>
      lane.go(pathOf(screen, made), async ({ page }) => {
        const note = page.getByRole('note').filter({ hasText: 'Managed by a file' })
        await note.getByText(SET, { exact: true }).waitFor()
        const main = page.getByRole('main')
        const writes = (await main.getByRole('button').allInnerTexts()).filter((name) =>
          WRITES.test(name.trim()),
        )
        const allowed = NOT_IN_DOCUMENTS[screen.resource]
        assert.deepEqual(
          writes.filter((name) => name !== allowed),
          [],
        )
        assert.equal(await page.getByRole('link', { name: 'Edit', exact: true }).count(), 0)
        assert.equal(await page.getByRole('button', { name: 'Review the change' }).count(), 0)
      }),
    )
  })

  test('a change that waits for approval shows the rule, the difference and the link to its request', async () => {
    const writes: Answering = ({ method, path, body }) => {
      if (method === 'GET' || isReading(method, path)) return null
      const isDry = /[?&]dry_run=true/.test(path) || /"dry_run":true/.test(body)
      return isDry ? { status: 200, body: waiting.dryRun } : { status: 202, body: waiting.answer }
    }
    await using lanes = await lanesOf(origins, 'ann')
    await inLanes(lanes.all, having('pending'), nameOf, (screen, lane) =>
      lane.open(pathOf(screen), writes, async ({ page, settle }) => {
        await entryOf(screen).change!(page)
        await settle()
        const asking = page.getByRole('button', { name: 'Ask for approval' })
        if ((await asking.count()) > 0) {
          const word = page.getByLabel(/^Type .* to confirm/)
          if ((await word.count()) > 0)
            await word.fill(
              /^Type (.*) to confirm/.exec(await page.getByText(/^Type .* to confirm/).innerText())![1]!,
            )
          await asking.click()
        }
        const waits = page.getByRole('region', { name: 'Waiting for approval' })
        await waits.getByText(RULE, { exact: true }).waitFor()
        await waits.getByText('/description', { exact: true }).waitFor()
        const link = waits.getByRole('link', { name: 'Open the change request' })
        assert.match((await link.getAttribute('href')) ?? '', /^\/console\/change_requests\/[a-z]+_\w+$/)
      }),
    )
  })
})

const passing: Answering = () => null

function problem(detail: string) {
  const body = {
    type: `https://example.com/problems/${CODE}`,
    title: 'Internal error',
    status: 500,
    detail,
    code: CODE,
    request_id: REQUEST_ID,
  }
  return { status: 500, body }
}

/** True for a call that asks with a body, and changes nothing. */
function isReading(method: string, path: string): boolean {
  return Object.values(OPERATIONS).some(
    (row) =>
      row.method === method &&
      (row.effect === 'read' || row.action === 'plan') &&
      new RegExp(`^${row.path.replace('{id}', '[^/]+')}$`).test(path.split('?')[0]!),
  )
}
