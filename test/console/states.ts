/** What each screen of the console has of the states that a screen can have, or why it cannot have one. */
import assert from 'node:assert/strict'
import type { Locator, Page } from 'playwright-core'
import type { JsonObject } from '../../ui/build/document.ts'
import { resolve } from '../../ui/src/schema/fields.ts'
import { SCHEMAS } from '../support/sample/every-kind.ts'
import { OPERATIONS, SCREENS, type Screen } from './screens.ts'

export type State = 'empty' | 'filtered' | 'error' | 'forbidden' | 'draft' | 'managed' | 'pending' | 'offline'
/** Why a screen cannot have a state. */
type Reasons = Partial<Record<State, string>>

export interface Entry {
  /** The address, if not that of the name with the id of an item. */
  readonly path?: string
  readonly cannot: Reasons
  /** Operation that the screen needs, of a page. */
  readonly needs?: string
  /** Further permissions without which the item is not found. */
  readonly reads?: readonly string[]
  /** A search that nothing fits. */
  readonly filter?: string
  /** Does what the screen first asks the server for, if it asks nothing when it opens. */
  readonly ask?: (page: Page) => Promise<void>
  /** Begins a change: up to the button that asks for approval. */
  readonly change?: (page: Page) => Promise<void>
}

const NO_WRITE = 'It changes nothing.'
const ONE_ITEM = 'It shows one item that is there.'
const NOT_MANAGED = 'No document of the configuration describes it.'
const NO_DRAFT = 'Only collections and proxies keep a draft beside what is live.'
const A_LIST = 'Each item says it on its own page.'
const A_FORM = 'It is a form for something new.'
const OTHER_TABS = 'The buttons of the page are the same at each of its parts, and the overview is tried.'

/** What no screen of a kind can have. */
const OF_KIND: Readonly<Record<Screen['kind'], Reasons>> = {
  list: { managed: A_LIST, pending: 'Its changes are forms and pages of their own.' },
  form: { empty: A_FORM, filtered: A_FORM, draft: A_FORM, managed: A_FORM },
  part: { empty: ONE_ITEM, filtered: ONE_ITEM },
  page: { draft: NO_DRAFT, managed: NOT_MANAGED },
}

const ALONE = 'It asks Management REST nothing: its text is part of the console.'
const UNASKED: Reasons = {
  empty: ALONE,
  filtered: ALONE,
  error: ALONE,
  forbidden: ALONE,
  draft: ALONE,
  managed: ALONE,
  pending: ALONE,
  offline: ALONE,
}
const NO_FILTER = 'It has no filters.'
const NO_RULE = 'No approval rule can hold its permission back.'

export async function press(within: Page | Locator, name: string | RegExp): Promise<void> {
  await within
    .getByRole('button', { name, ...(typeof name === 'string' && { exact: true }) })
    .first()
    .click()
}

/** Fills in the source of an import or of documents, and asks for the plan. */
const plan =
  (text: string) =>
  async (page: Page): Promise<void> => {
    await page.getByLabel('Or paste the text').fill(text)
    await press(page, 'Show the plan')
  }
const review = (page: Page): Promise<void> => press(page, /^Review the change/)
const DESCRIPTION = 'openapi: 3.1.0\ninfo: { title: Planned, version: "1" }\npaths: {}\n'
const DOCUMENTS = 'kind: policy\nslug: planned\nspec:\n  name: Planned\n'
const planDocuments = plan(DOCUMENTS)
const planImport = plan(DESCRIPTION)

const APPLY: Entry = {
  needs: 'config.plan',
  ask: planDocuments,
  change: async (page) => {
    await planDocuments(page)
    await press(page, 'Apply')
  },
  cannot: { empty: A_FORM, filtered: A_FORM },
}
const IMPORT: Entry = {
  needs: 'collections.import',
  ask: planImport,
  change: planImport,
  cannot: { empty: A_FORM, filtered: A_FORM },
}

/** Pages and parts that are made by hand. */
export const HAND_MADE: Readonly<Record<string, Entry>> = {
  '/sign-in': { cannot: UNASKED },
  '/signed-in': { cannot: UNASKED },
  '/problems': { cannot: UNASKED },
  '/problems/$id': { cannot: UNASKED },
  '/kit': { cannot: UNASKED },
  '/': {
    cannot: {
      empty: 'Its first steps say what to do, and test/console/instance.test.ts goes through them.',
      filtered: NO_FILTER,
      pending: NO_WRITE,
    },
  },
  '/settings': {
    needs: 'settings.get',
    change: async (page) => {
      await press(page, 'Edit new hosts')
      await review(page)
    },
    cannot: { empty: 'An instance has settings from its start.', filtered: NO_FILTER },
  },
  '/run/$operation': {
    path: '/run/policies.create',
    needs: 'policies.create',
    ask: review,
    change: review,
    cannot: { empty: A_FORM, filtered: A_FORM },
  },
  '/records': {
    needs: 'records.list',
    filter: '?text=nothing-has-this-name',
    cannot: { pending: NO_RULE },
  },
  '/records/$id': { needs: 'records.get', cannot: { empty: ONE_ITEM, filtered: ONE_ITEM, pending: NO_RULE } },
  '/analytics': {
    needs: 'metrics.over_time',
    cannot: { empty: 'Its figures and charts show zero.', filtered: 'They show zero.', pending: NO_WRITE },
  },
  '/audit': {
    needs: 'audit.list',
    filter: '?operation=nothing.of_this_name',
    cannot: { empty: 'Whoever has signed in has made an entry.', pending: NO_RULE },
  },
  '/audit/$id': { needs: 'audit.get', cannot: { empty: ONE_ITEM, filtered: ONE_ITEM, pending: NO_WRITE } },
  '/change_requests': {
    needs: 'change_requests.list',
    filter: '?state=expired',
    cannot: { pending: NO_WRITE },
  },
  '/change_requests/$id': {
    needs: 'change_requests.get',
    // It is shown to those who may read what it touches
    reads: ['proxies:read'],
    cannot: { empty: ONE_ITEM, filtered: ONE_ITEM, pending: NO_RULE },
  },
  '/access_requests': {
    needs: 'access_requests.list',
    filter: '?state=expired',
    cannot: { pending: NO_WRITE },
  },
  '/access_requests/$id': {
    needs: 'access_requests.get',
    reads: ['clients:read', 'collections:read'],
    change: async (page) => {
      await press(page, 'Approve')
      await press(page, 'Confirm: approve')
    },
    cannot: { empty: ONE_ITEM, filtered: ONE_ITEM },
  },
  '/access_requests/new': {
    needs: 'access_requests.create',
    ask: review,
    cannot: { empty: A_FORM, filtered: A_FORM, pending: NO_RULE },
  },
  '/drift': { needs: 'virtual_mcps.drifted', cannot: { filtered: NO_FILTER, pending: NO_WRITE } },
  '/revisions': {
    needs: 'revisions.list',
    filter: '?text=nothing-has-this-name',
    cannot: { empty: 'The user who looks has made one.', pending: NO_WRITE },
  },
  '/revisions/$id': {
    path: '/revisions/5',
    needs: 'revisions.get',
    change: (page) => press(page, 'Roll back to this revision'),
    cannot: { empty: ONE_ITEM, filtered: ONE_ITEM },
  },
  '/run/config.plan': APPLY,
  '/run/config.apply': APPLY,
  '/run/config.export': {
    needs: 'config.export',
    filter: '?managed_by=nobody',
    cannot: { empty: 'The user who looks is in the file.', pending: NO_WRITE },
  },
  '/run/requests.explain': {
    path: '/run/requests.explain?method=GET&target=/orders/v1',
    needs: 'requests.explain',
    cannot: { empty: 'It shows every check.', filtered: NO_FILTER, pending: NO_WRITE },
  },
  '/collections/import': IMPORT,
  '/run/collections.import': IMPORT,
  '/origins/add': {
    path: '/origins/add?url=http://127.0.0.1:9/mcp',
    needs: 'origins.create',
    ask: (page) => press(page, 'Ask the server'),
    change: async (page) => {
      await page.getByLabel('Kind').selectOption('collection')
      await page.getByLabel(/^Collection/).fill('orders')
      await page.getByLabel(/^Name/).fill('Orders')
      await press(page, 'Create the origin')
    },
    cannot: { empty: A_FORM, filtered: A_FORM },
  },
  '/personal_tokens/new': {
    needs: 'personal_tokens.create',
    ask: review,
    change: review,
    cannot: { empty: A_FORM, filtered: A_FORM },
  },
  ...Object.fromEntries(
    SCREENS.filter(({ isHandMade, tab }) => isHandMade && tab === 'overview').map(({ name }) => [
      name,
      { cannot: {} } satisfies Entry,
    ]),
  ),
  '/proxies/$id?tab=path': { cannot: { pending: NO_WRITE } },
  '/proxies/$id?tab=workflow': {
    path: '/proxies/orders:list-v1?tab=workflow',
    cannot: {},
    change: changeWorkflow,
  },
  '/workflows/$id?tab=graph': { cannot: {}, change: changeWorkflow },
  '/guardrails/$id?tab=test': {
    ask: async (page) => {
      await page.getByLabel(/^Content/).fill('{}')
      await press(page, 'Test')
    },
    cannot: { pending: NO_WRITE },
  },
  '/virtual_mcps/$id?tab=capabilities': {
    change: async (page) => {
      await page.getByRole('main').getByRole('checkbox').first().click()
      await press(page, 'Review and save')
    },
    cannot: {},
  },
  '/virtual_mcps/$id?tab=preview': { cannot: { pending: NO_WRITE } },
  '/virtual_mcps/$id?tab=drift': { change: (page) => press(page, /^Approve /), cannot: {} },
  '/virtual_mcps/$id?tab=test': {
    cannot: {
      error: 'It asks the endpoint of the virtual MCP, and test/console/tester.test.ts has its failures.',
      offline: 'It asks the endpoint of the virtual MCP.',
      pending: NO_WRITE,
    },
  },
  '/virtual_mcps/$id?tab=connect': { cannot: { pending: NO_WRITE } },
  '/users/$id?tab=access': { cannot: { pending: NO_WRITE } },
}

/** What derived screens have that others of their kind have not. */
export const DERIVED: Readonly<Record<string, Entry>> = {
  '/users': { cannot: { empty: 'The user who looks is in the list.' } },
  '/grants': { cannot: { empty: 'The grant of the user who looks is in the list.' } },
  '/keys': { cannot: { empty: 'An instance has keys from its start.', filtered: NO_FILTER } },
  '/nodes': { cannot: { empty: 'The node that answers is in the list.', filtered: NO_FILTER } },
  '/mcp_endpoints': { filter: '?user=ann', cannot: {} },
  '/exports/new': { cannot: { pending: NO_RULE } },
  '/exports/$id?tab=overview': { cannot: { pending: NO_RULE } },
}

/** Removes a node of a workflow in its list. */
async function changeWorkflow(page: Page): Promise<void> {
  await press(page, 'List')
  await press(page, /^Remove /)
  await press(page, 'Review and save')
}

/** A change of the name, or of what a resource has in its place. */
async function edit(page: Page): Promise<void> {
  await page
    .getByLabel(/^Name\b/)
    .first()
    .fill('Changed here')
  await review(page)
}

/** The last button of the head of the page, which is that of the change that cannot be undone, if there is one. */
async function act(page: Page): Promise<void> {
  const buttons = page.getByRole('main').locator('header').first().getByRole('button')
  const names = (await buttons.allInnerTexts()).map((name) => name.trim())
  const actions = names.filter((name) => name !== '' && !['Show as', 'Edit'].includes(name))
  assert.ok(actions.length > 0, 'the page has no action')
  await press(page.getByRole('main').locator('header').first(), actions.at(-1)!)
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Review the change' }).click()
}

export function entryOf({ name, kind, resource, tab, isHandMade }: Screen): Entry {
  if (isHandMade) {
    const entry = HAND_MADE[name]
    assert.ok(entry !== undefined, `${name} has no entry`)
    return tab === 'overview' ? { change: act, ...entry, cannot: { ...entry.cannot } } : entry
  }
  const own = DERIVED[name] ?? { cannot: {} }
  if (kind === 'list') return { filter: textOf(resource), ...own }
  if (kind === 'form') return { ask: review, change: review, ...own }
  if (tab === 'edit') return { ask: edit, change: edit, ...own }
  return tab === 'history'
    ? { ...own, cannot: { pending: OTHER_TABS, ...own.cannot } }
    : { change: act, ...own }
}

function textOf(resource: string): string {
  const { properties } = SCHEMAS[resource]!.actions['list']!.input as { readonly properties: JsonObject }
  return properties['text'] === undefined ? '' : '?text=nothing-has-this-name'
}

/** Why a screen cannot have a state; undefined: it can. */
export function reasonOf(screen: Screen, state: State): string | undefined {
  const { kind, resource, tab } = screen
  const own = entryOf(screen).cannot[state] ?? OF_KIND[kind][state]
  if (own !== undefined) return own
  if (state === 'draft') {
    const { actions, $defs } = SCHEMAS[resource] ?? { actions: {}, $defs: {} }
    const shape = resolve(actions['get']?.output ?? {}, $defs)
    const hasDraft = JSON.stringify(shape['properties'] ?? {}).includes('"pending_draft"')
    if (!hasDraft) return NO_DRAFT
    return kind === 'part' && tab !== 'overview' ? 'Its overview shows the draft.' : undefined
  }
  if (state === 'managed' && OPERATIONS[`${resource}.update`]?.kind == null) return NOT_MANAGED
  return undefined
}

/** Permissions without which an item of a resource is not found, beside that for the resource. */
const READS: Readonly<Record<string, readonly string[]>> = {
  bindings: ['hosts:read'],
  exports: ['records:read'],
}

export const readsOf = (screen: Screen): readonly string[] =>
  entryOf(screen).reads ?? (screen.kind === 'part' ? (READS[screen.resource] ?? []) : [])

export const having = (state: State): readonly Screen[] =>
  SCREENS.filter((screen) => reasonOf(screen, state) === undefined)
